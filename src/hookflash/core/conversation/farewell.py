"""Last words: the agent's goodbye is heard to its end before the caller is moved or hung up.

    NONE --begin--> DUE --sound--> SOUNDING --heard--> (over)
                     +----------------+---- cancelled by the caller -> NONE

`response.done` does not mean heard, so only the ledger ends it. A model that falls silent must
not hold the caller: without any sound it is over after `seconds`; with sound, shortly after the
moment at which that sound must have ended.
"""

from __future__ import annotations

from hookflash.core.conversation.states import FAREWELL_LIMITS, FarewellState
from hookflash.core.signals import Purpose
from hookflash.core.timers import Timer

_GRACE_SECONDS = 1.5
_MOST_SECONDS = 60.0


class Farewell:
    """The last words of one call: what they lead to, and until when they are waited for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.purpose: Purpose | None = None
        self.text = ""
        """What the model is asked for if it says none of its own accord."""
        self.spoke = False
        self.asked_for_line = False
        self._own_line = False
        self._begun_at = 0.0
        self._quiet_at = 0.0
        self._timer = Timer(FAREWELL_LIMITS, FarewellState.NONE)

    def begin(
        self, purpose: Purpose, text: str, *, spoke: bool, now: float, own_line: bool = False
    ) -> None:
        """Last words are due. `spoke`: the response of now has them in it. `own_line`: only a line
        that is asked for has them, whatever is being said when it begins."""
        self.purpose = purpose
        self.text = text
        self._own_line = own_line
        self.spoke = spoke
        self.asked_for_line = False
        self._begun_at = self._quiet_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def wait_for_line(self, now: float) -> None:
        """A line was asked for: it gets its own time."""
        self.asked_for_line = True
        self._begun_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def sounding(self, quiet_at: float, now: float) -> None:
        """Sound is on its way: wait until it must have been heard."""
        self.spoke = self.asked_for_line or not self._own_line
        self._quiet_at = quiet_at
        self._timer.enter(FarewellState.SOUNDING, now, self)

    def seconds_left(self, now: float) -> float:
        """Return how long what sounds may still be waited for."""
        wanted = max(self._begun_at + self.seconds, self._quiet_at + _GRACE_SECONDS)
        return min(wanted, self._begun_at + _MOST_SECONDS) - now

    @property
    def line_is_due(self) -> bool:
        """Whether a line of its own is still to be asked for: nothing else is to be begun."""
        return self.purpose is not None and self._own_line and not self.asked_for_line

    def end(self, now: float) -> None:
        self.purpose = None
        self._timer.enter(FarewellState.NONE, now)

    @property
    def deadline(self) -> float | None:
        return self._timer.due
