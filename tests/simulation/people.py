"""Callers and humans of a simulation: scripts at the stand-in carrier's telephones.

A caller does the acts of the plan one after another and hangs up. A human answers, listens to the
whisper, decides, talks, and leaves. Both go by what they hear, as people do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash_local.carrier import Human
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.parties import Line, Script

from .plan import Act, HumanPlan, Plan
from .voices import LOUD, Voices

STEP_SECONDS = 0.2
"""How often somebody listens."""

PAUSE_SECONDS = 0.8
"""So much silence is taken for the end of what the other side says."""

PATIENCE_SECONDS = 15.0
"""How long somebody waits for the other side to begin, or to stop."""

ASKED_AGAIN_SECONDS = 10.0
"""After so long a human who talks with the agent and is not connected says again that they accept.
The agent may have come to them only after they had said so."""

NO_TURN = frozenset({"okay", "mm-hm"})
"""What a caller says without wanting an answer."""


class Ear:
    """What a leg has heard so far, looked at piece by piece. Times are seconds of the carrier."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._looked = 0
        self.last_sound: float | None = None
        """When the last loud sample was heard."""
        self.began: float | None = None
        """When the sound began that is heard now, or was last, after half a second of silence."""

    def look(self) -> None:
        ear = self._leg.outbound_audio
        if ear.opened_at is None:
            return
        new = bytes(ear.recording[self._looked :]).translate(LOUD)
        first = new.find(b"\x01")
        if first >= 0:
            start = ear.opened_at + (self._looked + first) / 8000
            if self.last_sound is None or start - self.last_sound > 0.5:
                self.began = start
            self.last_sound = ear.opened_at + (self._looked + new.rfind(b"\x01") + 1) / 8000
        self._looked += len(new)

    @property
    def until(self) -> float:
        """Up to when it was looked."""
        return (self._leg.outbound_audio.opened_at or 0.0) + self._looked / 8000


class Talker:
    """A party with a mouth and an ear. `spoke(text, began, ended)` is told of each sentence."""

    def __init__(self, line: Line, voices: Voices, clock: Callable[[], float]) -> None:
        self.line = line
        self.ear = Ear(line.leg)
        self._voices = voices
        self._now = clock

    async def heard_sound(self, seconds: float) -> bool:
        """Wait for sound that is heard from now on; False if none came in so many seconds."""
        self.ear.look()
        since = self.ear.until
        until = self._now() + seconds
        while self._now() < until:
            self.ear.look()
            if self.ear.last_sound is not None and self.ear.last_sound > since:
                return True
            await self.line.pause(STEP_SECONDS)
        return False

    async def heard_silence(self, seconds: float, patience: float = PATIENCE_SECONDS) -> bool:
        """Wait until it has been silent for so long; False if patience ended before."""
        until = self._now() + patience
        while self._now() < until:
            self.ear.look()
            last = self.ear.last_sound
            if self.ear.until - (last if last is not None else -seconds) >= seconds:
                return True
            await self.line.pause(STEP_SECONDS)
        return False


def caller_script(
    plan: Plan,
    voices: Voices,
    note: Callable[[str], None],
    spoke: Callable[[str, float, float], None],
    clock: Callable[[], float],
    typed: Callable[[str], None],
) -> Script:
    """Return what the caller of a plan does.

    `spoke` is told of each sentence: text, from, to; `typed` of the keys before they are pressed.
    """

    async def script(line: Line) -> None:
        talker = Talker(line, voices, clock)

        async def say(act: Act) -> None:
            sentence = voices.caller(act.text, round(act.seconds * 50) * 20)
            began = clock()
            note(f"caller says {act.text!r} for {sentence.ms} ms")
            await line.play(sentence.sound)
            spoke(act.text, began, clock())

        first = True
        for act in plan.acts:
            if act.kind == "say":
                if not (first and act.text == "hello"):
                    # A conversation: wait for the other side to have had its say.
                    await talker.heard_sound(4.0)
                    await talker.heard_silence(PAUSE_SECONDS)
                await say(act)
            elif act.kind == "interrupt":
                if await talker.heard_sound(6.0):
                    await line.pause(act.after)
                await say(act)
            elif act.kind == "wait":
                await line.pause(act.seconds)
            elif act.kind == "press":
                note(f"caller presses {act.digits}")
                typed(act.digits)
                await line.press(act.digits)
            elif act.kind == "listen":
                await talker.heard_sound(act.seconds)
                await talker.heard_silence(PAUSE_SECONDS, act.seconds)
            elif act.kind == "stay":
                await _stay(line, talker, act.seconds)
            first = False
        note("caller hangs up")
        await line.hang_up()

    return script


async def _stay(line: Line, talker: Talker, seconds: float) -> None:
    """Stay while a human is brought and while they talk, or until the agent has come back."""
    until = line.now + seconds
    while line.now < until:
        await line.pause(1.0)
        if bridged(line.leg):
            while bridged(line.leg) and line.now < until:
                await line.pause(0.5)
            await talker.heard_silence(PAUSE_SECONDS, 6.0)
            return


def bridged(leg: Leg) -> bool:
    """Whether a caller and a human hear each other now, by what the carrier has noted."""
    begun = sum(len(leg.timeline.find(kind, leg.sid)) for kind in ("bridged", "conference-joined"))
    ended = sum(len(leg.timeline.find(kind, leg.sid)) for kind in ("unbridged", "left"))
    return begun > ended


def human(
    plan: HumanPlan,
    voices: Voices,
    note: Callable[[str], None],
    pressed: Callable[[Line], None],
    *,
    consulted: bool = False,
) -> Human:
    """Return somebody who can be rung, as a plan has them. `pressed` is told when they accept.

    `consulted`: the agent talks with them.
    """
    if plan.does == "busy":
        return Human.busy(plan.answer_after)
    if plan.does == "no-answer":
        return Human.no_answer()
    if plan.does == "fails":
        return Human.fails(plan.answer_after)
    if plan.does == "mailbox":
        return Human.mailbox(plan.answer_after)

    async def script(line: Line) -> None:
        talker = Talker(line, voices, lambda: line.now)
        await line.play(voices.human("hello", 600).sound)
        if plan.does == "ignores":
            return
        if plan.does == "hangs-up":
            await line.pause(1.5)
            await line.hang_up()
            return
        for _ in range(plan.whispers):
            await _hear_one(talker, line)
        if plan.does == "declines":
            await line.play(voices.human("leave it", 800).sound)
            await line.press("2")
            return
        while True:
            await line.play(voices.human("take it", 800).sound)
            note(f"human {line.leg.sid[:8]} presses 1")
            pressed(line)
            await line.press("1")
            try:
                await asyncio.wait_for(line.connected(), ASKED_AGAIN_SECONDS if consulted else None)
                break
            except TimeoutError:
                await talker.heard_silence(PAUSE_SECONDS)
        note(f"human {line.leg.sid[:8]} is connected")
        await _talk(line, plan, voices)

    return Human(plan.answer_after, script)


async def _hear_one(talker: Talker, line: Line) -> None:
    """Listen to one whisper: sound, then silence."""
    if await talker.heard_sound(4.0):
        await talker.heard_silence(PAUSE_SECONDS, 20.0)


async def _talk(line: Line, plan: HumanPlan, voices: Voices) -> None:
    until = line.now + plan.talks_seconds
    while line.now < until:
        await line.play(voices.human("talk", 1400).sound)
        await line.pause(0.6)
    if plan.leaves == "first":
        await line.hang_up()
    elif plan.leaves in ("gives-back", "talks-on"):
        await line.press("*")
        await line.pause(3.0)
        await line.press("2" if plan.leaves == "gives-back" else "1")
    else:
        # Stays as long as the caller does; the carrier ends the leg.
        await asyncio.Event().wait()
