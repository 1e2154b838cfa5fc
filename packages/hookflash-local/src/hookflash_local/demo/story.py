"""Who calls and who picks up: the parties of the demo and of `hookflash call`.

A caller listens before they speak, as people do: each turn waits for the agent to have begun and
to have stopped. Nothing waits for ever, so that a call in which the agent stays silent ends too.
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
"""What a human may do when the telephone rings. Who `answers` or, a little later, `accepts` presses
1 where a key is asked for."""

HUMAN_RINGS = "human-rings"
"""On the caller's timeline: somebody is called while the agent keeps the caller company."""

_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 1.4
"""Longer than any pause inside a turn of the agent's."""

_BARGE_IN_AFTER_SECONDS = 2.5
_HUMAN_PATIENCE_SECONDS = 120.0


def sound(name: str) -> bytes:
    """Return one of the demo's own recordings (`sounds/`), mu-law at 8 kHz."""
    file = files("hookflash_local.demo") / "sounds" / f"{name}.wav"
    return decode_wav(file.read_bytes(), file.name)


async def demo_caller(line: Line) -> None:
    """Ask, interrupt, ask about an order, ask for a person, talk to them, hang up."""
    await hear_out(line)
    await line.play(sound("caller-hours"))
    if await _begins(line):
        await line.pause(_BARGE_IN_AFTER_SECONDS)
    await line.play(sound("caller-interrupts"))
    await hear_out(line)
    await line.play(sound("caller-order"))
    await hear_out(line)
    await line.play(load("speak-to-customer-support").audio)
    if await reached_human(line):
        await hear_out(line)
        await line.play(sound("caller-neighbor"))
        await hear_out(line)
    await line.play(sound("caller-bye"))
    await line.hang_up()


def recording_caller(recording: bytes, *, meanwhile: bytes | None = None) -> Script:
    """A caller who hears the greeting, says `recording`, and stays as long as there is somebody.

    While a human is called and the agent keeps them company they say `meanwhile`. Afterwards they
    wait for a human, or for the agent to have nothing more to say, and hang up.
    """

    async def caller(line: Line) -> None:
        await hear_out(line)
        await line.play(recording)
        if await reached_human(line, meanwhile=meanwhile):
            await hear_out(line)
        await line.hang_up()

    return caller


async def demo_human(line: Line) -> None:
    """The person in customer support: takes the call, says hello, listens, helps."""
    await _take_call(line)
    await line.pause(0.3)
    await line.play(sound("human-hello"))
    await hear_out(line)
    await line.play(sound("human-done"))


def human(choice: HumanChoice) -> Human:
    """Return somebody who does what `choice` says when the phone rings."""
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
            # Late enough for a caller who has something to say in the meantime.
            return Human(answer_after=7.0, script=demo_human)


async def hear_out(line: Line) -> None:
    """Wait until the other side has spoken and has stopped; give up when nobody speaks."""
    if await _begins(line):
        await line.wait_for_silence(_PAUSE_SECONDS)


async def reached_human(line: Line, *, meanwhile: bytes | None = None) -> bool:
    """Hear the agent's answer; return, as soon as it is so, that it led to a human on the line.

    A caller who comes back to the agent hears what it says and does not wait any longer.
    """
    timeline = line.leg.timeline
    streams = len(timeline.find("stream-started", line.leg.sid))
    connected = asyncio.ensure_future(line.connected())
    back = asyncio.ensure_future(timeline.until("stream-started", line.leg.sid, count=streams + 1))
    answer = asyncio.ensure_future(hear_out(line))
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
            await hear_out(line)
        return connected.done()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _take_call(line: Line) -> None:
    """Be connected; where a whisper asks for a key, hear it to its end and press 1."""
    connected = asyncio.ensure_future(line.connected())
    asked = asyncio.ensure_future(line.leg.timeline.until("gathering", line.leg.sid))
    try:
        await asyncio.wait({connected, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            await hear_out(line)
            await line.press("1")
            await connected
    finally:
        for task in (connected, asked):
            task.cancel()
        await asyncio.gather(connected, asked, return_exceptions=True)


async def _begins(line: Line) -> bool:
    try:
        async with line.leg.tools.clock.timeout(_PATIENCE_SECONDS):
            await line.wait_for_sound()
    except TimeoutError:
        return False
    return True
