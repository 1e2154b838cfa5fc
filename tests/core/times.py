"""How long a caller who is owed something waits, as the table of the core has it."""

from __future__ import annotations

from hookflash.core.conversation.limits import OWED_LIMITS
from hookflash.core.conversation.states import OwedState


def lasts(state: OwedState) -> float:
    """Return how many seconds a state lasts."""
    limit = OWED_LIMITS[state]
    assert limit is not None
    assert isinstance(limit.seconds, float)
    return limit.seconds


A_BIT = 0.1
"""Less than any of these times; what is due at a time is there a bit later."""

ASKS = lasts(OwedState.AWAITED)
"""When the model is asked to answer."""

FILLS = ASKS + lasts(OwedState.LATE)
"""When the first sound is fetched that needs no model."""

FILLS_AGAIN = lasts(OwedState.FILLING) + lasts(OwedState.FILLED)
"""After how long the next one is fetched, if the one before could not be had."""

REPLACES = FILLS + 2 * FILLS_AGAIN
"""When the session is replaced."""
