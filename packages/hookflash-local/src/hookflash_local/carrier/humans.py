"""Who answers elsewhere: how long it rings, how it is answered, and what they then do.

    Human.accepts()            says hello, hears the whisper to its end, presses 1
    Human.accepts(after_seconds=1)      presses 1 so long after the answer, whatever is said
    Human.declines()           the same with 2
    Human.hangs_up()           in the middle of the whisper
    Human.ignores()            answers, presses nothing, stays on the line
    Human.mailbox()            greets, beeps, listens, never presses a key
    Human.busy() no_answer() fails() fax()
    Human.forwards(to)         a telephone that forwards the call to a number of the account

A machine is recognised by what it says, not by a flag: see `amd.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from hookflash_local.carrier import sounds
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.party import Line, Script, Sound

Outcome = Literal["answers", "busy", "no-answer", "fails"]

Decide = Callable[[Leg], Awaitable[Outcome]]
"""Rings at somebody who is there, for as long as it is let; cancelled when it rings no more."""

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
        """Listens to the whisper (for so many seconds, or to its end), presses `key`, and goes on
        with `then` as soon as there is somebody to talk with (bridged, or in a conference)."""

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
