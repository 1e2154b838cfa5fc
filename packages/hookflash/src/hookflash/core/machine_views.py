"""What one machine may read of another.

Machines never import one another. A machine that wants another one to act sends a signal
(`signals.py`). A machine that needs to know something of another one reads it through a view. The
hand-off reads the caller's leg, and the conversation reads both. Nothing is changed through a view.
"""

from __future__ import annotations

from typing import Protocol

from hookflash.core.handoff_plan import Destination
from hookflash.core.phases import Phase


class CallerLegView(Protocol):
    """The caller's leg, as the other machines see it."""

    @property
    def phase(self) -> Phase:
        """Where the caller's leg is."""

    @property
    def moving_until(self) -> float | None:
        """Until when the caller's leg may be on the move; None if it is not being moved."""

    @property
    def room_wave(self) -> int:
        """The wave of humans to whose room the caller was sent; 0 if they were sent elsewhere."""


class HandoffView(Protocol):
    """The hand-off, as the conversation sees it."""

    @property
    def running(self) -> bool:
        """Whether a human was asked for, is rung, or is with the caller."""

    @property
    def rung(self) -> Destination | None:
        """The destination that is rung while the caller stays with the agent; None if none is."""
