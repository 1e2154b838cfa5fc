"""The line to the model: whether there is one, and when it is tried again.

CLOSED --open--> OPENING --ready--> READY
   ^                |  ^              |
   |      lost, or  |  +--------------+ lost: try again
   |      too slow  v
   +- - - - - - - - WAITING, then OPENING again; or DEAD (no more tries, or none can help)
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    CLOSED = "closed"
    OPENING = "opening"
    WAITING = "waiting"
    READY = "ready"
    DEAD = "dead"


class ModelLine:
    """Tries are counted since the last session that was ready for a while."""

    def __init__(self, *, seconds: float, attempts: int) -> None:
        self._seconds = seconds
        self._attempts = attempts
        self.state = State.CLOSED
        self.tries = 0
        self.deadline: float | None = None

    def open(self, now: float) -> None:
        self.state = State.OPENING
        self.tries += 1
        self.deadline = now + self._seconds

    def ready(self) -> None:
        self.state = State.READY
        self.deadline = None

    def worked(self) -> None:
        """The session has answered: the next loss is a new misfortune, not the same one."""
        self.tries = 0

    def lost(self, *, hopeless: bool, now: float) -> bool:
        """The session is gone or could not be had: wait a moment, longer each time, or give up.

        Return whether it will be tried again.
        """
        if hopeless or self.tries >= self._attempts:
            self.state = State.DEAD
            self.deadline = None
            return False
        self.state = State.WAITING
        self.deadline = now + (0.0 if self.tries <= 1 else 0.5 * self.tries)
        return True

    @property
    def listening(self) -> bool:
        """Whether there is a session that takes what is sent to it, now or once it is ready."""
        return self.state in (State.OPENING, State.READY)

    def close(self) -> None:
        self.state = State.CLOSED
        self.deadline = None
        self.tries = 0

    def due(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline
