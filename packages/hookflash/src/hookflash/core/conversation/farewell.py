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
_SILENT_SECONDS = 2.8
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
        self.earlier: str | None = None
        self._own_line = False
        self._begun_at = 0.0
        self._quiet_at = 0.0
        self._timer = Timer(FAREWELL_LIMITS, FarewellState.NONE)

    def begin(
        self,
        purpose: Purpose,
        text: str,
        *,
        spoke: bool,
        now: float,
        own_line: bool = False,
        earlier: str | None = None,
    ) -> None:
        """Last words are due. `spoke`: the response of now has them in it. `own_line`: only a line
        that is asked for has them, whatever is being said when it begins. `earlier` is a response
        that was begun before anybody thought of them."""
        self.purpose = purpose
        self.text = text
        self._own_line = own_line
        self.spoke = spoke
        self.earlier = earlier
        self.asked_for_line = False
        self._begun_at = self._quiet_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def hold(self, now: float) -> None:
        """The caller speaks over them: it is judged first whether that was meant."""
        if self.purpose is not None:
            self._timer.enter(FarewellState.HELD, now)

    def release(self, now: float) -> None:
        """It was not meant: the last words go on."""
        if self.purpose is not None:
            self._timer.enter(FarewellState.DUE, now, self)

    def wait_for_line(self, now: float) -> None:
        """A line was asked for: it gets its own time."""
        self.asked_for_line = True
        self._begun_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def sounding(self, quiet_at: float, now: float, response_id: str = "") -> None:
        """Sound is on its way: wait until it must have been heard."""
        counts = self.asked_for_line or not self._own_line
        self.spoke = self.spoke or (counts and response_id != self.earlier)
        self._quiet_at = quiet_at
        self._timer.enter(FarewellState.SOUNDING, now, self)

    @property
    def due_seconds(self) -> float:
        """How long nothing at all may be said. Before a human a prepared line is played meanwhile;
        a call that ends is not kept open in silence."""
        ends = self.purpose in ("hang-up", "consulted")
        return min(self.seconds, _SILENT_SECONDS) if ends else self.seconds

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
