"""Deadlines that belong to states: the only place in the core where a deadline is set.

A machine has a table: state -> how long it may last, and what happens then. Entering a state sets
its deadline, leaving it removes the deadline, and progress inside a state enters it anew.

    LIMITS = {
        State.IDLE: None,
        State.CHECKING: Limit(2.0, then="nobody is asked, and everybody counts as free"),
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

    `seconds` may be a function of the machine and the time of entry; None is without a limit.
    """

    seconds: float | Callable[[Any, float], float | None]
    then: str


class Timer(Generic[S]):
    """The state that something is in, and when it must have left it (`due`, in seconds)."""

    __slots__ = ("_limits", "due", "state")

    def __init__(self, limits: Mapping[S, Limit | None], state: S) -> None:
        self._limits = limits
        self.state = state
        self.due: float | None = None

    def enter(self, state: S, now: float, machine: Any = None) -> None:
        """Go to `state`, or begin it anew; its limit is asked of `machine` if it depends on it."""
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
    """Return the first of some deadlines; None if there is none."""
    first: float | None = None
    for due in dues:
        if due is not None and (first is None or due < first):
            first = due
    return first
