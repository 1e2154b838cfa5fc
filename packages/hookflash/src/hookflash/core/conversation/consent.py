"""Recording a call, and the consent line that the caller must hear before it begins.

    OFF                              nothing is recorded (not wanted, or refused)
    DUE --asked--> SAYING --heard--> ON --refused--> OFF
     ^                |
     +-- not heard ---+              said again, `_TRIES` times in all, then OFF

Without a line, recording begins with the first stream. A line counts as heard only if the model
finished it and the caller heard it to its end. Otherwise the call is not recorded. Once on,
recording goes on with every stream until somebody refuses.
"""

from __future__ import annotations

from enum import Enum

from hookflash.core import prompts
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
        self._incomplete = False

    def stream_opened(self, now: float) -> list[StartRecording]:
        """A stream is open: begin recording if no line is due, or go on recording."""
        if self.state is ConsentState.DUE and self._line is None:
            return self._begin(now)
        return [StartRecording(self.since)] if self.since is not None else []

    def ask(self) -> str | None:
        """Return the request for the consent line, if the agent must say it now."""
        if self.state is not ConsentState.DUE or self._line is None:
            return None
        if self._tries == _TRIES:
            self.state = ConsentState.OFF
            return None
        self.state = ConsentState.SAYING
        self._tries += 1
        self._incomplete = False
        return prompts.consent(self._line)

    def line_incomplete(self) -> None:
        """The response with the line ended before all of it was said."""
        self._incomplete = True

    def line_begins(self) -> None:
        """A response with the line begins; how an earlier one ended does not count."""
        self._incomplete = False

    def interrupt(self) -> None:
        """The stream or the session is lost: the line was not heard to its end."""
        if self.state is ConsentState.SAYING:
            self.state = ConsentState.DUE

    def heard(self, now: float) -> list[StartRecording]:
        """All that was said was heard."""
        if self.state is not ConsentState.SAYING:
            return []
        if self._incomplete:
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
