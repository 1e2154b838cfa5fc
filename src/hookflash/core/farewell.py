"""Last words: the agent's goodbye is heard to its end before the caller is moved or hung up.

    NONE --begin--> SPEAKING --heard--> (over)
                       +---- cancelled by the caller -> NONE

`response.done` does not mean heard, so only the ledger ends it. A model that falls silent must
not hold the caller: without any sound it is over after `seconds`; with sound, shortly after the
moment at which that sound must have ended.
"""

from __future__ import annotations

from typing import Literal

Purpose = Literal["hand-off", "hang-up", "voicemail", "consulted"]

_GRACE_SECONDS = 1.5
_MOST_SECONDS = 60.0


class Farewell:
    """The last words of one call: what they lead to, and until when they are waited for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.purpose: Purpose | None = None
        self.spoke = False
        self.asked_for_line = False
        self._own_line = False
        self._begun_at = 0.0
        self._until = 0.0

    def begin(self, purpose: Purpose, *, spoke: bool, now: float, own_line: bool = False) -> None:
        """Last words are due. `spoke`: the response of now has them in it. `own_line`: only a line
        that is asked for has them, whatever is being said when it begins."""
        self.purpose = purpose
        self._own_line = own_line
        self.spoke = spoke
        self.asked_for_line = False
        self._begun_at = now
        self._until = now + self._seconds

    def wait_for_line(self, now: float) -> None:
        """A line was asked for: it gets its own time."""
        self.asked_for_line = True
        self._begun_at = now
        self._until = now + self._seconds

    def sounding(self, quiet_at: float) -> None:
        """Sound is on its way: wait until it must have been heard."""
        self.spoke = self.asked_for_line or not self._own_line
        wanted = max(self._until, quiet_at + _GRACE_SECONDS)
        self._until = min(wanted, self._begun_at + _MOST_SECONDS)

    @property
    def line_is_due(self) -> bool:
        """Whether a line of its own is still to be asked for: nothing else is to be begun."""
        return self.purpose is not None and self._own_line and not self.asked_for_line

    def end(self) -> None:
        self.purpose = None

    @property
    def deadline(self) -> float | None:
        return self._until if self.purpose is not None else None
