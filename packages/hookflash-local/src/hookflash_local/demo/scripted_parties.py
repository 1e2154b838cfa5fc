"""Scripted callers and humans for the demo and for `hookflash call`.

A caller waits before each turn until the agent has started and stopped speaking. Every wait has a
limit, so a call with a silent agent ends too. What only the server knows, such as whether a human
is still being rung, they read in the call's journal (`CallProgress`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Literal, get_args

from hookflash.replay.timeline import JournalReader
from hookflash_local.audio import load
from hookflash_local.audio.wav import decode_wav
from hookflash_local.carrier import Human, Line, Script
from hookflash_local.testing.human_choices import NO_TIME, PUT_THROUGH, decides

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
_LOOK_SECONDS = 0.2


def sound(name: str) -> bytes:
    """Return one of the demo's recordings (`sounds/NAME.wav`) as mu-law at 8 kHz."""
    file = files("hookflash_local.demo") / "sounds" / f"{name}.wav"
    return decode_wav(file.read_bytes(), file.name)


Turn = bytes | str
"""What a caller says: a recording (mu-law), or a text for the local voice."""

Caller = Callable[["CallProgress"], Script]
"""Makes the caller of a call from its progress."""


class CallProgress:
    """What a scripted caller reads in the call's journal."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader

    @property
    def agent_words(self) -> str:
        """The agent's latest words; empty before the first."""
        said = [one.text for one in self._reader.timeline.spoken if one.speaker == "agent"]
        return said[-1] if said else ""

    @property
    def stage(self) -> str:
        """The stage of the call, such as `talking` or `ringing`; empty before the first."""
        stages = self._reader.timeline.stages
        return stages[-1].name if stages else ""

    @property
    def handing_off(self) -> bool:
        """Whether a hand-off is under way: the caller has no human yet, and may get one."""
        return self.stage not in _SETTLED

    def waits_for(self) -> str:
        """Return what the call waits for, for a call that has reached its limit of time."""
        return _WAITS_FOR.get(self.stage, f"the stage {self.stage!r} to end")


_SETTLED = ("", "answering", "talking", "with human", "ending", "ended")
_WAITS_FOR = {
    "": "the server to answer the call",
    "answering": "the server to answer the call",
    "talking": "the caller and the agent to finish",
    "checking": "the check of opening hours and presence",
    "farewell": "the agent's goodbye before the hand-off",
    "moving": "the carrier to move the call, or a human to take it from the queue",
    "ringing": "a human to answer",
    "screening": "a human, who has picked up, to take the call",
    "closing": "the agent's last words before the hand-off",
    "bridging": "the carrier to connect the caller with the human",
    "with human": "the caller and the human to finish",
    "message": "the caller's message to end",
    "returning": "the carrier to bring the caller back to the agent",
    "ending": "the end of the call",
}


def demo_caller(progress: CallProgress) -> Script:
    """Return a caller who asks, interrupts, asks about an order and for a person, and talks."""

    async def caller(line: Line) -> None:
        await hear_to_the_end(line)
        await line.play(sound("caller-hours"))
        if await _hears_speech(line):
            await line.pause(_BARGE_IN_AFTER_SECONDS)
        await line.play(sound("caller-interrupts"))
        await hear_to_the_end(line)
        await line.play(sound("caller-order"))
        await hear_to_the_end(line)
        await line.play(load("speak-to-customer-support").audio)
        if await reached_human(line, progress):
            await hear_to_the_end(line)
            await line.play(sound("caller-neighbor"))
            await hear_to_the_end(line)
        await line.play(sound("caller-bye"))
        await line.hang_up()

    return caller


_MOST_ANSWERS = 4
_ANSWERS = (
    (
        re.compile(
            r"\bnumber\b.*\bcall\w* (?:you )?back\b|\bcall you (?:back )?on\b", re.IGNORECASE
        ),
        "You can call me back on five five five, zero one two three.",
    ),
    (re.compile(r"\babout what\b|\bwhat is it about\b", re.IGNORECASE), "It is about my order."),
    (re.compile(r"\banything else\b", re.IGNORECASE), "No, thank you. Goodbye."),
    (re.compile(r"\bis that (?:right|correct)\b", re.IGNORECASE), "Yes, that is right."),
)
"""Questions of an agent, and what a caller answers who has no more turns of their own."""


def answer_to(question: str) -> str | None:
    """Return the answer to an agent's question, or None if there is none."""
    return next((answer for asked, answer in _ANSWERS if asked.search(question)), None)


def turns_caller(
    turns: Sequence[Turn], *, meanwhile: Turn | None = None, answers: bool = True
) -> Caller:
    """Return a caller who hears the greeting, says each turn, and hangs up.

    After each turn the caller hears the answer. If a human is called meanwhile, they wait until the
    human is there or nobody was reached, and say `meanwhile` if the agent stays on the line. With
    `answers`, the caller then answers what the agent still asks, such as for a number.
    """

    def made(progress: CallProgress) -> Script:
        async def caller(line: Line) -> None:
            await hear_to_the_end(line)
            for turn in turns:
                await speak(line, turn)
                if await reached_human(line, progress, meanwhile=meanwhile):
                    await hear_to_the_end(line)
            for _ in range(_MOST_ANSWERS if answers else 0):
                answer = answer_to(progress.agent_words)
                if answer is None or progress.stage == "with human":
                    break
                await line.say(answer)
                await reached_human(line, progress)
            await line.hang_up()

        return caller

    return made


async def speak(line: Line, turn: Turn) -> None:
    """Play a recording, or say a text with the local voice."""
    await (line.say(turn) if isinstance(turn, str) else line.play(turn))


async def _human_talk(line: Line) -> None:
    """Say hello, listen, and answer: the human in customer support."""
    await line.pause(0.3)
    await line.play(sound("human-hello"))
    await hear_to_the_end(line)
    await line.play(sound("human-done"))


async def _silence(line: Line) -> None:
    """Say nothing to the caller."""


demo_human = decides("1", PUT_THROUGH, _human_talk)
"""Accepts the call: presses 1, or asks the agent for the caller, and talks."""


def human(choice: HumanChoice) -> Human:
    """Return a human who does what `choice` says when the phone rings."""
    match choice:
        case "busy":
            return Human.busy()
        case "no-answer":
            return Human.no_answer()
        case "declines":
            return Human(answer_after=2.0, script=decides("2", NO_TIME, _silence))
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


async def reached_human(
    line: Line, progress: CallProgress, *, meanwhile: Turn | None = None
) -> bool:
    """Hear the agent's answer, and return whether a human is then connected.

    If a hand-off fails and the caller is with the agent again, hear the agent and return False.
    """
    connected = asyncio.ensure_future(line.connected())
    try:
        answer = asyncio.ensure_future(hear_to_the_end(line))
        try:
            await asyncio.wait({connected, answer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
        waited = False
        while progress.handing_off and not connected.done():
            waited = True
            if meanwhile is not None and line.leg.timeline.find(HUMAN_RINGS):
                await speak(line, meanwhile)
                meanwhile = None
            await line.pause(_LOOK_SECONDS)
        if waited and not connected.done():
            await hear_to_the_end(line)
        return connected.done()
    finally:
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)


async def _hears_speech(line: Line) -> bool:
    """Return whether the other party starts to speak within `_PATIENCE_SECONDS`."""
    try:
        async with line.leg.tools.clock.timeout(_PATIENCE_SECONDS):
            await line.wait_for_sound()
    except TimeoutError:
        return False
    return True
