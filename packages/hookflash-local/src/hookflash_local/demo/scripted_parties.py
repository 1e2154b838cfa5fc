"""Scripted callers and humans for the demo and for `hookflash call`.

A caller waits before each turn until the agent has started and stopped speaking. Every wait has a
limit, so a call with a silent agent ends too.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Literal, get_args

from hookflash_local.audio import load
from hookflash_local.audio.wav import decode_wav
from hookflash_local.carrier import Human, Line, Script

HumanChoice = Literal[
    "answers", "accepts", "declines", "busy", "no-answer", "mailbox", "hangs-up", "fails"
]
HUMAN_CHOICES: tuple[HumanChoice, ...] = get_args(HumanChoice)
"""What a human may do when the phone rings. `answers` and `accepts` (which answers later) press 1
if a key is asked for."""

HUMAN_RINGS = "human-rings"
"""The note on the caller's timeline: a human is being called, and the agent stays on the line."""

_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 1.4
"""Longer than any pause within one turn of the agent."""

_BARGE_IN_AFTER_SECONDS = 2.5
_HUMAN_PATIENCE_SECONDS = 120.0


def sound(name: str) -> bytes:
    """Return one of the demo's recordings (`sounds/NAME.wav`) as mu-law at 8 kHz."""
    file = files("hookflash_local.demo") / "sounds" / f"{name}.wav"
    return decode_wav(file.read_bytes(), file.name)


async def demo_caller(line: Line) -> None:
    """Ask, interrupt, ask about an order, ask for a person, talk to them, hang up."""
    await hear_to_the_end(line)
    await line.play(sound("caller-hours"))
    if await _hears_speech(line):
        await line.pause(_BARGE_IN_AFTER_SECONDS)
    await line.play(sound("caller-interrupts"))
    await hear_to_the_end(line)
    await line.play(sound("caller-order"))
    await hear_to_the_end(line)
    await line.play(load("speak-to-customer-support").audio)
    if await reached_human(line):
        await hear_to_the_end(line)
        await line.play(sound("caller-neighbor"))
        await hear_to_the_end(line)
    await line.play(sound("caller-bye"))
    await line.hang_up()


def recording_caller(recording: bytes, *, meanwhile: bytes | None = None) -> Script:
    """Return a caller who hears the greeting, says `recording` (mu-law), waits and hangs up.

    While a human is called and the agent stays on the line, the caller says `meanwhile` (mu-law).
    The caller then waits for a human or for the agent's silence before hanging up.
    """

    async def caller(line: Line) -> None:
        await hear_to_the_end(line)
        await line.play(recording)
        if await reached_human(line, meanwhile=meanwhile):
            await hear_to_the_end(line)
        await line.hang_up()

    return caller


async def demo_human(line: Line) -> None:
    """Accept the call, say hello, listen, and answer: the human in customer support."""
    await _accept_call(line)
    await line.pause(0.3)
    await line.play(sound("human-hello"))
    await hear_to_the_end(line)
    await line.play(sound("human-done"))


def human(choice: HumanChoice) -> Human:
    """Return a human who does what `choice` says when the phone rings."""
    match choice:
        case "busy":
            return Human.busy()
        case "no-answer":
            return Human.no_answer()
        case "declines":
            return Human.declines(2.0)
        case "mailbox":
            return Human.mailbox()
        case "hangs-up":
            return Human.hangs_up(2.0)
        case "fails":
            return Human.fails()
        case "answers":
            return Human(answer_after=2.0, script=demo_human)
        case "accepts":
            # Late enough for the caller to say something in the meantime.
            return Human(answer_after=7.0, script=demo_human)


async def hear_to_the_end(line: Line) -> None:
    """Wait until the other party has started and stopped speaking.

    Return after `_PATIENCE_SECONDS` if nobody speaks.
    """
    if await _hears_speech(line):
        await line.wait_for_silence(_PAUSE_SECONDS)


async def reached_human(line: Line, *, meanwhile: bytes | None = None) -> bool:
    """Hear the agent's answer, and return whether a human is then connected.

    If a hand-off fails and the caller returns to the agent, hear the agent and return False.
    """
    timeline = line.leg.timeline
    streams = len(timeline.find("stream-started", line.leg.sid))
    connected = asyncio.ensure_future(line.connected())
    back = asyncio.ensure_future(timeline.until("stream-started", line.leg.sid, count=streams + 1))
    answer = asyncio.ensure_future(hear_to_the_end(line))
    waiting = {connected, back, answer}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and meanwhile is not None and timeline.find(HUMAN_RINGS):
            await line.play(meanwhile)
        if answer.done() and (line.leg.children or timeline.find(HUMAN_RINGS)):
            await asyncio.wait(
                {connected, back},
                timeout=line.leg.tools.clock.real(_HUMAN_PATIENCE_SECONDS),
                return_when=asyncio.FIRST_COMPLETED,
            )
        if back.done() and not connected.done():
            await hear_to_the_end(line)
        return connected.done()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _accept_call(line: Line) -> None:
    """Wait until connected. If a whisper asks for a key, hear it to the end and press 1."""
    connected = asyncio.ensure_future(line.connected())
    asked = asyncio.ensure_future(line.leg.timeline.until("gathering", line.leg.sid))
    try:
        await asyncio.wait({connected, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            await hear_to_the_end(line)
            await line.press("1")
            await connected
    finally:
        for task in (connected, asked):
            task.cancel()
        await asyncio.gather(connected, asked, return_exceptions=True)


async def _hears_speech(line: Line) -> bool:
    """Return whether the other party starts to speak within `_PATIENCE_SECONDS`."""
    try:
        async with line.leg.tools.clock.timeout(_PATIENCE_SECONDS):
            await line.wait_for_sound()
    except TimeoutError:
        return False
    return True
