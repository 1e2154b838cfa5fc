"""Recording a call, and the consent line that the caller must hear before it begins.

    OFF                              nothing is recorded (not wanted, or refused)
    DUE --asked--> SAYING --heard--> ON --refused--> OFF
     ^                |
     +-- not heard ---+              said again, `_TRIES` times in all, then OFF

Without a line, recording begins with the first stream. A line counts as heard only if the model
finished it and the caller heard it to its end, whatever the agent says next. Otherwise the call is
not recorded. A session that is lost after it has sent the whole line changes nothing. Once on,
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
        self.response_id: str | None = None
        """The response with the line, from its start until it was heard or must be repeated."""
        self._line = line
        self._tries = 0
        self._all_sent = False
        """Whether the model has sent the whole line."""
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
        self._reset()
        return prompts.consent(self._line)

    def response_started(self, response_id: str) -> None:
        """A response with the line begins; how an earlier one ended does not count."""
        self._reset()
        self.response_id = response_id

    def response_ended(self, response_id: str, *, whole: bool) -> None:
        """A response has ended. `whole`: it was completed, and made a sound."""
        if response_id == self.response_id:
            self._all_sent = whole
            self._incomplete = self._incomplete or not whole

    def settled(self, response_id: str, *, cut: bool) -> None:
        """It is final how much of an item of a response was heard. `cut`: not all of it."""
        if response_id == self.response_id:
            self._incomplete = self._incomplete or cut

    @property
    def awaits_playout(self) -> bool:
        """Whether the model has sent the whole line, and the caller may not have heard it yet."""
        return self.state is ConsentState.SAYING and self._all_sent

    def model_lost(self) -> None:
        """The session is lost: what it has not sent of the line will not be heard."""
        if not self.awaits_playout:
            self.stream_lost()

    def stream_lost(self) -> None:
        """The stream is over: the line was not heard to its end."""
        if self.state is ConsentState.SAYING:
            self._not_heard()

    def heard(self, now: float) -> list[StartRecording]:
        """All that was said was heard."""
        if self.state is not ConsentState.SAYING:
            return []
        if self._incomplete:
            self._not_heard()
            return []
        return self._begin(now)

    def refuse(self) -> list[StopRecording]:
        """The caller does not want to be recorded."""
        begun = self.state is ConsentState.ON
        self.state = ConsentState.OFF
        self.since = None
        return [StopRecording()] if begun else []

    def _not_heard(self) -> None:
        self.state = ConsentState.DUE
        self._reset()

    def _reset(self) -> None:
        self.response_id = None
        self._all_sent = self._incomplete = False

    def _begin(self, now: float) -> list[StartRecording]:
        self._reset()
        self.state = ConsentState.ON
        self.since = now
        return [StartRecording(now)]
