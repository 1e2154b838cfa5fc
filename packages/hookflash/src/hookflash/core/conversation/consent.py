"""Recording a call, and the line that the caller must have heard before it begins.

    OFF                              nothing is recorded (not wanted, or refused)
    DUE --asked--> SAYING --heard--> ON --refused--> OFF
     ^                |
     +-- not heard ---+              said again, `_TRIES` times in all, then OFF

Without a line, recording begins with the first stream. A line that was not heard to its end, or
of a response that the model did not finish, counts as not said: a call is rather not recorded
than recorded unannounced. Once on, it goes on with every stream until somebody refuses.
"""

from __future__ import annotations

from enum import Enum

from hookflash.core import lines
from hookflash.core.commands import StartRecording, StopRecording

_TRIES = 3


class ConsentState(Enum):
    OFF = "off"
    DUE = "due"
    SAYING = "saying"
    ON = "on"


class Consent:
    """The consent of one call. `since` is when recording began, in seconds since 1970."""

    def __init__(self, *, record: bool, line: str | None) -> None:
        self.state = ConsentState.DUE if record else ConsentState.OFF
        self.since: float | None = None
        self._line = line
        self._tries = 0
        self._spoilt = False

    def stream_opened(self, now: float) -> list[StartRecording]:
        """There is something to record from now on: begin, if no line is due, or go on."""
        if self.state is ConsentState.DUE and self._line is None:
            return self._begin(now)
        return [StartRecording(self.since)] if self.since is not None else []

    def ask(self) -> str | None:
        """The agent can speak: return what it must say before anything else, if it must."""
        if self.state is not ConsentState.DUE or self._line is None:
            return None
        if self._tries == _TRIES:
            self.state = ConsentState.OFF
            return None
        self.state = ConsentState.SAYING
        self._tries += 1
        self._spoilt = False
        return lines.consent(self._line)

    def spoil(self) -> None:
        """The response with the line ended without all of it, or without a sound."""
        self._spoilt = True

    def say_again(self) -> None:
        """The response with the line begins: what came of the one before does not count."""
        self._spoilt = False

    def interrupt(self) -> None:
        """Stream or model are gone: what was being said was not heard to its end."""
        if self.state is ConsentState.SAYING:
            self.state = ConsentState.DUE

    def heard(self, now: float) -> list[StartRecording]:
        """All that was said was heard."""
        if self.state is not ConsentState.SAYING:
            return []
        if self._spoilt:
            self.state = ConsentState.DUE
            return []
        return self._begin(now)

    def refuse(self) -> list[StopRecording]:
        """The caller does not want to be recorded."""
        begun = self.state is ConsentState.ON
        self.state = ConsentState.OFF
        self.since = None
        return [StopRecording()] if begun else []

    def _begin(self, now: float) -> list[StartRecording]:
        self.state = ConsentState.ON
        self.since = now
        return [StartRecording(now)]
