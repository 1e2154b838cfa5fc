"""What a machine may see of another: questions, and nothing to change.

Machines never import one another. What one wants another to do is a signal (`signals.py`); what one
has to know of another at the moment it decides is asked here. The hand-off sees the caller's leg,
and the conversation sees both, so that nothing refers back.
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
        """When the caller's leg must have been moved, if it is being moved now."""


class HandoffView(Protocol):
    """The hand-off, as the conversation sees it."""

    @property
    def running(self) -> bool:
        """Whether a human is wanted, rung, or with the caller."""

    @property
    def rung(self) -> Destination | None:
        """Whom the caller waits for while they stay with the agent; None if nobody is rung."""
