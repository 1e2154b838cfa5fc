"""Last words: the agent's goodbye is heard to its end before the caller is moved or the call ends.

    NONE --begin--> DUE --sound--> SOUNDING --heard--> (over)
                     +----------------+---- cancelled by the caller -> NONE

`response.done` does not mean heard, so only the playout ledger ends them. A silent model must not
hold the caller. Without sound, the last words are over after `seconds`; with sound, shortly after
the moment at which the sound must have ended.
"""

from __future__ import annotations

from hookflash.core.conversation.limits import (
    FAREWELL_GRACE_SECONDS,
    FAREWELL_LIMITS,
    LONGEST_FAREWELL_SECONDS,
    SILENT_FAREWELL_SECONDS,
)
from hookflash.core.conversation.states import FarewellState
from hookflash.core.signals import Purpose
from hookflash.core.timers import Timer


class Farewell:
    """The last words of one call: what they lead to, and how long they are awaited."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.purpose: Purpose | None = None
        self.text = ""
        """Asks the model for last words, unless it says some by itself."""
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
        """Begin the last words.

        `spoke`: the running response contains them. `own_line`: only the line that `text` asks for
        counts. `earlier` is a response that began before the last words were due, so that its sound
        does not count.
        """
        self.purpose = purpose
        self.text = text
        self._own_line = own_line
        self.spoke = spoke
        self.earlier = earlier
        self.asked_for_line = False
        self._begun_at = self._quiet_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def hold(self, now: float) -> None:
        """The caller speaks over them: wait until it is judged whether they meant it."""
        if self.purpose is not None:
            self._timer.enter(FarewellState.HELD, now)

    def release(self, now: float) -> None:
        """The caller did not mean it: the last words go on."""
        if self.purpose is not None:
            self._timer.enter(FarewellState.DUE, now, self)

    def wait_for_line(self, now: float) -> None:
        """The model was asked for the line: its time begins."""
        self.asked_for_line = True
        self._begun_at = now
        self._timer.enter(FarewellState.DUE, now, self)

    def sounding(self, quiet_at: float, now: float, response_id: str = "") -> None:
        """Sound was sent: wait until it must have been heard, at `quiet_at`."""
        counts = self.asked_for_line or not self._own_line
        self.spoke = self.spoke or (counts and response_id != self.earlier)
        self._quiet_at = quiet_at
        self._timer.enter(FarewellState.SOUNDING, now, self)

    @property
    def due_seconds(self) -> float:
        """How long the last words may make no sound.

        Before a human, a prepared line is played meanwhile. A call that ends waits for less time.
        """
        ends = self.purpose in ("hang-up", "consulted")
        return min(self.seconds, SILENT_FAREWELL_SECONDS) if ends else self.seconds

    def seconds_left(self, now: float) -> float:
        """Return how long sound that was sent may still be awaited."""
        wanted = max(self._begun_at + self.seconds, self._quiet_at + FAREWELL_GRACE_SECONDS)
        return min(wanted, self._begun_at + LONGEST_FAREWELL_SECONDS) - now

    @property
    def line_is_due(self) -> bool:
        """Whether the line is still to be asked for; until then no other response may begin."""
        return self.purpose is not None and self._own_line and not self.asked_for_line

    def end(self, now: float) -> None:
        self.purpose = None
        self._timer.enter(FarewellState.NONE, now)

    @property
    def deadline(self) -> float | None:
        return self._timer.due
