"""The parties of a call: callers and called humans, driven by a script, a recording or a browser.

A script is an async function of a `Line`. It starts when its party is connected and is cancelled
when the call ends; when it returns, the party stays on the line in silence. An error in it hangs up
and fails the test: leaving the carrier raises it.

    Human.accepts()            says hello, hears the whisper to its end, presses 1
    Human.accepts(after_seconds=1)      presses 1 one second after the answer
    Human.declines()           the same with 2
    Human.hangs_up()           in the middle of the whisper
    Human.ignores()            answers, presses nothing, stays on the line
    Human.mailbox()            greets, beeps, listens, never presses a key
    Human.busy() no_answer() fails() fax()
    Human.forwards(to)         a telephone that forwards the call to a number of the account

A machine is detected by what it says, not by a flag: see `legs/amd.py`.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hookflash import g711
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.timeline import Event
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.frame_clock import FRAME_SECONDS
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, SAMPLES_PER_SECOND
from hookflash_local.carrier.tasks import Tasks

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
        await self._clock.sleep_until(self.leg.inbound_audio.end)

    async def say(self, text: str) -> None:
        """Speak `text` with the carrier's stand-in voice."""
        self.leg.note("party-says", text=text)
        await self.play(await spoken(self._speak, text))

    def send(self, payload: bytes) -> None:
        """Put mu-law into the line and do not wait; a browser sends its 20 ms frames so."""
        self.leg.inbound_audio.play(payload, self._clock.now())

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
        index = len(self.leg.outbound_audio.recording) // FRAME_SAMPLES
        while len(frame := await self.leg.outbound_audio.frame(index)) == FRAME_SAMPLES:
            yield frame
            index += 1

    async def wait_for_sound(self) -> None:
        """Wait until something is heard (speech or a tone, from now on)."""
        async for frame in self.frames():
            if sounds.is_sound(frame):
                return

    async def wait_for_silence(self, seconds: float = 0.8) -> None:
        """Wait until nothing was heard for so long, counted from now."""
        quiet = 0.0
        async for frame in self.frames():
            quiet = 0.0 if sounds.is_sound(frame) else quiet + FRAME_SECONDS
            if quiet >= seconds - 1e-9:
                return

    async def wait_for(self, kind: str, count: int = 1) -> Event:
        """Wait for the `count`-th event of a kind on this leg, such as `bridged`."""
        return await self.leg.timeline.until(kind, self.leg.sid, count)

    @property
    def heard(self) -> bytes:
        """Everything heard so far, mu-law at 8 kHz, since the answer."""
        return bytes(self.leg.outbound_audio.recording)

    def samples(self, since: float = 0.0) -> array[int]:
        """Everything heard so far as 16-bit samples; `since` seconds after the answer."""
        return g711.decode(self.heard[round(since * SAMPLES_PER_SECOND) :])

    async def has_heard(self, text: str) -> bool:
        """Whether `text`, in the carrier's stand-in voice, was heard from end to end."""
        return await spoken(self._speak, text) in self.leg.outbound_audio.recording

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
        opened = self.leg.outbound_audio.opened_at
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
        # A script is the user's function and may raise anything. The error is raised again: the
        # task reports it when the carrier closes.
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


Outcome = Literal["answers", "busy", "no-answer", "fails"]

Decide = Callable[[Leg], Awaitable[Outcome]]
"""Decides a call while it rings, and may take as long; cancelled when the ringing stops."""

HELLO = "hello"
WHISPER_PAUSE_SECONDS = 0.8
"""So much silence is taken for the end of what was whispered."""


@dataclass(frozen=True)
class Human:
    """Somebody who can be called. `answer_after` counts from the first ring, in seconds.

    `busy` and `fails` come after `answer_after` too; `no-answer` rings as long as it is let.
    Where `decide` is given, it alone says what comes of a call, and when. With `forwards_to` the
    call goes on to that number, and ends as it ends there.
    """

    answer_after: float = 1.0
    script: Script | Sound | None = None
    outcome: Outcome = "answers"
    decide: Decide | None = None
    forwards_to: str = ""
    says_so: bool = True
    """Whether the call that is forwarded tells by whom (`ForwardedFrom`): not all networks do."""

    def when(self, instant: Callable[[Leg], Awaitable[object]]) -> Human:
        """Return the same human, who does what they do when `instant(leg)` comes back."""

        async def decide(leg: Leg) -> Outcome:
            await instant(leg)
            return self.outcome

        return replace(self, decide=decide)

    @classmethod
    def busy(cls, after: float = 0.5) -> Human:
        return cls(after, None, "busy")

    @classmethod
    def no_answer(cls) -> Human:
        return cls(0.0, None, "no-answer")

    @classmethod
    def fails(cls, after: float = 0.5) -> Human:
        return cls(after, None, "fails")

    @classmethod
    def forwards(cls, to: str, after: float = 0.5, *, says_so: bool = True) -> Human:
        return cls(after, None, forwards_to=to, says_so=says_so)

    @classmethod
    def mailbox(cls, answer_after: float = 4.0, greeting: Sound | None = None) -> Human:
        """A machine: it greets, beeps, then listens, and never presses a key."""
        spoken = sounds.voice_pattern("please leave a message after the tone")
        whole = (spoken if greeting is None else sounds.load(greeting)) + sounds.beep()
        return cls(answer_after, whole, "answers")

    @classmethod
    def fax(cls, answer_after: float = 2.0) -> Human:
        return cls(answer_after, sounds.fax_tone(), "answers")

    @classmethod
    def accepts(
        cls,
        answer_after: float = 1.0,
        *,
        after_seconds: float | None = None,
        hello: str = HELLO,
        key: str = "1",
        then: Script | None = None,
    ) -> Human:
        """Listens to the whisper and presses `key`.

        The whisper is heard to its end, or for `after_seconds`. `then` runs as soon as there is
        somebody to talk with: when the call is bridged, or in a conference.
        """

        async def script(line: Line) -> None:
            await _listen(line, hello, after_seconds)
            await line.press(key)
            if then is not None:
                await line.connected()
                await then(line)

        return cls(answer_after, script)

    @classmethod
    def declines(
        cls,
        answer_after: float = 1.0,
        *,
        after_seconds: float | None = None,
        hello: str = HELLO,
        key: str = "2",
    ) -> Human:
        """Listens as one who accepts does, and presses `2`."""
        return cls.accepts(answer_after, after_seconds=after_seconds, hello=hello, key=key)

    @classmethod
    def hangs_up(
        cls, answer_after: float = 1.0, *, after_seconds: float | None = None, hello: str = HELLO
    ) -> Human:
        """Answers and hangs up: so long after the answer, or half a second into the whisper."""

        async def script(line: Line) -> None:
            if after_seconds is not None:
                await line.pause(after_seconds)
            else:
                await line.say(hello)
                await line.wait_for_sound()
                await line.pause(0.5)
            await line.hang_up()

        return cls(answer_after, script)

    @classmethod
    def ignores(cls, answer_after: float = 1.0, *, hello: str = HELLO) -> Human:
        """Answers, says hello, and then neither speaks nor presses a key."""
        return cls.says(hello, answer_after=answer_after)

    @classmethod
    def says(cls, *sentences: str, answer_after: float = 1.0, pause: float = 1.0) -> Human:
        """Answers and says one sentence after another, `pause` seconds between them."""

        async def script(line: Line) -> None:
            for number, sentence in enumerate(sentences):
                if number:
                    await line.pause(pause)
                if sentence:
                    await line.say(sentence)

        return cls(answer_after, script)


async def _listen(line: Line, hello: str, seconds: float | None) -> None:
    """Say hello, then hear the whisper: for so long after the answer, or until it pauses."""
    if hello:
        await line.say(hello)
    if seconds is not None:
        await line.pause(seconds - line.since_answer)
        return
    await line.wait_for_sound()
    await line.wait_for_silence(WHISPER_PAUSE_SECONDS)
