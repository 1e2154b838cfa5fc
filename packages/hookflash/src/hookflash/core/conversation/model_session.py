"""Whether there is a session with the model, and when another one is tried.

CLOSED --open--> OPENING --ready--> READY
   ^                |  ^              |
   |      lost, or  |  +--------------+ lost: try again
   |      too slow  v
   +- - - - - - - - WAITING, then OPENING again; or DEAD (no more tries, or none can help)
"""

from __future__ import annotations

from hookflash.core.conversation.limits import (
    LEAST_SESSION_SECONDS,
    SESSION_LIMITS,
    SESSION_MARGIN_SECONDS,
)
from hookflash.core.conversation.states import SessionState
from hookflash.core.timers import Timer


class ModelSession:
    """The state of the session. Tries are counted since the last session that has answered."""

    def __init__(self, *, seconds: float, attempts: int, session_seconds: float) -> None:
        self.opening_seconds = seconds
        self.ageing = False
        """Whether this session is close to the model's time limit."""
        self._session_seconds = session_seconds
        self._attempts = attempts
        self._timer = Timer(SESSION_LIMITS, SessionState.CLOSED)
        self.tries = 0

    @property
    def state(self) -> SessionState:
        return self._timer.state

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next try: longer each time."""
        return 0.0 if self.tries <= 1 else 0.5 * self.tries

    @property
    def listening(self) -> bool:
        """Whether there is a session that takes messages, now or when it is ready."""
        return self.state in (SessionState.OPENING, SessionState.READY)

    @property
    def seconds_to_ageing(self) -> float | None:
        """How long until the session counts as ageing; None if it does already."""
        left = max(LEAST_SESSION_SECONDS, self._session_seconds - SESSION_MARGIN_SECONDS)
        return None if self.ageing else left

    def age(self, now: float) -> None:
        """The session is to be replaced in the next pause of the conversation."""
        self.ageing = True
        self._timer.enter(SessionState.READY, now, self)

    def open(self, now: float) -> None:
        self.ageing = False
        self.tries += 1
        self._timer.enter(SessionState.OPENING, now, self)

    def ready(self, now: float) -> None:
        self._timer.enter(SessionState.READY, now, self)

    def worked(self) -> None:
        """The session has answered: the next loss counts as a new failure."""
        self.tries = 0

    def lost(self, *, hopeless: bool, now: float) -> bool:
        """The session is lost or could not be opened: wait a moment, or give up.

        Return whether another one will be tried.
        """
        if hopeless or self.tries >= self._attempts:
            self._timer.enter(SessionState.DEAD, now)
            return False
        self._timer.enter(SessionState.WAITING, now, self)
        return True

    def close(self, now: float) -> None:
        self._timer.enter(SessionState.CLOSED, now)
        self.tries = 0

    def due(self, now: float) -> bool:
        return self._timer.expired(now)
