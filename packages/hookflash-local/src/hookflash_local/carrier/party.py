"""Those who speak on the line: callers and humans, driven by a script, a recording or a browser.

A script is an async function of a `Line`. It starts when its party is connected and is cancelled
when the call ends; when it returns, the party stays on the line and says nothing. An error in it
hangs up, and fails the test: leaving the carrier raises it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from hookflash import g711
from hookflash_local.carrier import mulaw, sounds
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.playout import FRAME_SAMPLES, SAMPLES_PER_SECOND
from hookflash_local.carrier.pump import FRAME_SECONDS
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.timeline import Event

Sound = bytes | str | Path
"""Mu-law bytes, or the path of a WAV file."""

Speak = Callable[[str], bytes | Awaitable[bytes]]
"""Text to mu-law: what stands in for a voice, at once or after a while."""


class Line:
    """The telephone in a script's hand."""

    def __init__(self, leg: Leg, speak: Speak) -> None:
        self.leg = leg
        self._speak = speak
        self._clock = leg.tools.clock

    async def play(self, sound: Sound) -> None:
        """Speak: put `sound` into the line and wait until it was said."""
        self.send(sounds.load(sound))
        await self._clock.sleep_until(self.leg.mouth.end)

    async def say(self, text: str) -> None:
        """Speak `text` with the carrier's stand-in voice."""
        self.leg.note("party-says", text=text)
        await self.play(await spoken(self._speak, text))

    def send(self, payload: bytes) -> None:
        """Put mu-law into the line and do not wait; a browser sends its 20 ms frames so."""
        self.leg.mouth.play(payload, self._clock.now())

    async def pause(self, seconds: float) -> None:
        """Say nothing for so many seconds of the carrier."""
        await self._clock.sleep(seconds)

    async def press(self, digits: str) -> None:
        """Press keys one after another, 200 ms each; `w` waits half a second."""
        for digit in digits:
            if digit == "w":
                await self.pause(0.5)
                continue
            self.leg.press(digit)
            await self.pause(0.2)

    async def hang_up(self) -> None:
        """End the call from this side; the script does not go on after this."""
        self.leg.end("completed" if self.leg.about.answered else "canceled", by="party")
        await asyncio.sleep(0)

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what is heard from now on, in frames of 20 ms, until the call ends."""
        index = len(self.leg.ear.recording) // FRAME_SAMPLES
        while len(frame := await self.leg.ear.frame(index)) == FRAME_SAMPLES:
            yield frame
            index += 1

    async def wait_for_sound(self) -> None:
        """Wait until something is heard (speech or a tone, from now on)."""
        async for frame in self.frames():
            if mulaw.is_sound(frame):
                return

    async def wait_for_silence(self, seconds: float = 0.8) -> None:
        """Wait until nothing was heard for so long, counted from now."""
        quiet = 0.0
        async for frame in self.frames():
            quiet = 0.0 if mulaw.is_sound(frame) else quiet + FRAME_SECONDS
            if quiet >= seconds - 1e-9:
                return

    async def wait_for(self, kind: str, count: int = 1) -> Event:
        """Wait for the `count`-th event of a kind on this leg, such as `bridged`."""
        return await self.leg.timeline.until(kind, self.leg.sid, count)

    @property
    def heard(self) -> bytes:
        """Everything heard so far, mu-law at 8 kHz, since the answer."""
        return bytes(self.leg.ear.recording)

    def samples(self, since: float = 0.0) -> array[int]:
        """Everything heard so far as 16-bit samples; `since` seconds after the answer."""
        return g711.decode(self.heard[round(since * SAMPLES_PER_SECOND) :])

    async def has_heard(self, text: str) -> bool:
        """Whether `text`, in the carrier's stand-in voice, was heard from end to end."""
        return await spoken(self._speak, text) in self.leg.ear.recording

    async def wait_to_hear(self, text: str) -> None:
        """Wait until `text`, in the carrier's stand-in voice, was heard from end to end."""
        if await self.has_heard(text):
            return
        async for _ in self.frames():
            if await self.has_heard(text):
                return

    async def connected(self) -> None:
        """Wait until there is somebody to talk with: bridged, or in a conference that started."""
        await self.leg.timeline.until_any(("bridged", "conference-joined"), self.leg.sid)

    @property
    def since_answer(self) -> float:
        """Seconds since this line was answered."""
        opened = self.leg.ear.opened_at
        return 0.0 if opened is None else self._clock.now() - opened

    @property
    def now(self) -> float:
        """Seconds of the carrier since the call began."""
        return self._clock.now() - self.leg.timeline.start


Script = Callable[[Line], Awaitable[None]]


async def spoken(speak: Speak, text: str) -> bytes:
    """Return `text` as mu-law, from either kind of voice."""
    sound = speak(text)
    return sound if isinstance(sound, bytes) else await sound


def says(sound: Sound, *, then_hang_up: bool = False) -> Script:
    """Make a script that plays one recording."""

    async def script(line: Line) -> None:
        await line.play(sound)
        if then_hang_up:
            await line.hang_up()

    return script


def as_script(script: Script | Sound | None) -> Script | None:
    return says(script) if isinstance(script, bytes | str | Path) else script


async def follow(script: Script, line: Line) -> None:
    """Run a script; an error in it ends the call, since the party cannot go on."""
    try:
        await script(line)
    except Exception:
        line.leg.end("completed", by="script-error")
        raise


def connect(leg: Leg, script: Script | None, speak: Speak, tasks: Tasks) -> None:
    """Start `script` on a leg that was answered, for as long as the call lasts.

    resource | acquired | released
    script   | here     | when it ends, or with the leg
    """
    if script is None:
        return
    running = tasks.start(follow(script, Line(leg, speak)), f"script {leg.sid}")

    async def stop_with_the_call() -> None:
        await leg.ended()
        running.cancel()

    watcher = tasks.start(stop_with_the_call(), f"script end {leg.sid}")
    running.add_done_callback(lambda _: watcher.cancel())
