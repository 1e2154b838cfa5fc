"""Measure how long the model takes, as one log line per measurement. No I/O: time is a number.

It reads the events and commands of one session and returns a text when there is something to log:

- the time until the session is ready,
- the time from the caller's last word, or from the request, to the first audio,
- how fast a response was generated,
- where an item was cut after a barge-in.
"""

from __future__ import annotations

from hookflash.core import commands, events
from hookflash.core.audio import ms
from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent


class TurnTiming:
    """Times are seconds on any monotonic clock."""

    def __init__(self, now: float) -> None:
        self._opened_at = now
        self._speech_started_at: float | None = None
        self._asked: tuple[str, float] | None = None
        self._first_sound_at: float | None = None
        self._size = 0

    def event(self, event: AnyEvent, now: float) -> str | None:
        match event:
            case events.ModelReady():
                return f"ready {_ms(now - self._opened_at)} after opening"
            case events.CallerSpeechStarted():
                self._speech_started_at = now
            case events.CallerSpeechStopped():
                self._asked = ("the caller stopped", now)
            case events.ModelAudio():
                return self._sound(event.size, now)
            case events.ResponseEnded():
                return self._response_ended(event, now)
        return None

    def command(self, command: AnyCommand, now: float) -> str | None:
        match command:
            case commands.RequestResponse():
                self._asked = ("we asked", now)
            case commands.TruncateItem():
                text = f"{command.item_id} was heard for {command.audio_end_ms} ms"
                if self._speech_started_at is None:
                    return text
                return f"{text}; cut {_ms(now - self._speech_started_at)} after the caller began"
        return None

    def _sound(self, size: int, now: float) -> str | None:
        self._size += size
        if self._first_sound_at is not None:
            return None
        self._first_sound_at = now
        if self._asked is None:
            return "first sound, unasked"
        what, when = self._asked
        self._asked = None
        return f"first sound {_ms(now - when)} after {what}"

    def _response_ended(self, event: events.ResponseEnded, now: float) -> str | None:
        began, size = self._first_sound_at, self._size
        self._first_sound_at, self._size = None, 0
        if began is None:
            return None
        return (
            f"{event.response_id} {event.status}: {ms(size):.0f} ms of sound in {_ms(now - began)}"
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
