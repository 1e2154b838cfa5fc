"""State timers: no other file of the core computes a deadline.

`limits.py` of a machine has a table: state -> how long it may last, and what happens then. Entering
a state sets its deadline. Leaving the state removes the deadline. Progress within a state enters it
again.

    LIMITS = {
        State.IDLE: None,
        State.CHECKING: Limit(2.0, then="every target counts as free"),
    }
    timer = Timer(LIMITS, State.IDLE)
    timer.enter(State.CHECKING, now)
    timer.due                                  # now + 2.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

S = TypeVar("S", bound=Enum)


class Limit(msgspec.Struct, frozen=True):
    """How long a state may last, in seconds, and what happens then, in words.

    `seconds` may be a function of (machine, time of entry). It returns None for no limit.
    """

    seconds: float | Callable[[Any, float], float | None]
    then: str


class Timer(Generic[S]):
    """A state, and when it must end: `due` is in the seconds of `now`, None without a limit."""

    __slots__ = ("_limits", "due", "state")

    def __init__(self, limits: Mapping[S, Limit | None], state: S) -> None:
        self._limits = limits
        self.state = state
        self.due: float | None = None

    def enter(self, state: S, now: float, machine: Any = None) -> None:
        """Go to `state`, or begin it again. `machine` is given to a limit that is computed."""
        self.state = state
        limit = self._limits[state]
        if limit is None:
            self.due = None
            return
        seconds = limit.seconds if isinstance(limit.seconds, float) else limit.seconds(machine, now)
        self.due = None if seconds is None else now + seconds

    def expired(self, now: float) -> bool:
        """Whether the state has lasted for too long."""
        return self.due is not None and now >= self.due


def earliest(*dues: float | None) -> float | None:
    """Return the earliest of some deadlines; None if there is none."""
    first: float | None = None
    for due in dues:
        if due is not None and (first is None or due < first):
            first = due
    return first
