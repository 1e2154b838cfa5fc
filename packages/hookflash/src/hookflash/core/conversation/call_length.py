"""How long the agent may talk with one caller (`max_call_seconds`), and how much of it is used.

    OFF --the caller is with the agent--> RUNNING --little is left--> WARNED --used up--> OVER
     ^                                      |                           |                  |
     +------- the caller is elsewhere ------+---------------------------+                  |
                                                  GOODBYE, LATE --> SAID <-----------------+

Only time on a stream to the agent counts. A caller who waits in a queue or talks with a human uses
none of it. `call_length_over` decides what is said when.

The carrier gets a limit as well, in case no process is left to end the call. Twilio does not say
whether its `TimeLimit` counts from the answer or from the request. The limit is right if it counts
from the answer; otherwise the call ends later. It is lifted while the caller talks with a human.
"""

from __future__ import annotations

import math

from hookflash.core.commands import LimitCall
from hookflash.core.conversation.limits import (
    CARRIER_LIMIT_SECONDS,
    CARRIER_MARGIN_SECONDS,
    CARRIER_SLACK_SECONDS,
    LENGTH_LIMITS,
    LENGTH_NOTICE_SECONDS,
    LONGEST_CARRIER_LIMIT_SECONDS,
)
from hookflash.core.conversation.states import LengthState
from hookflash.core.timers import Timer


class CallLength:
    """The agent's time with one caller. `seconds` is how much there is; None is without a limit."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.ended = False
        """Whether the agent has begun to say goodbye because its time was over."""
        self.warned = False
        self._used = 0.0
        self._since = 0.0
        self._carrier_limit: int | None = None
        """The limit that the carrier got last, in seconds; None: it has its own."""
        self._timer = Timer(LENGTH_LIMITS, LengthState.OFF)

    @property
    def state(self) -> LengthState:
        return self._timer.state

    @property
    def due(self) -> float | None:
        return self._timer.due

    def expired(self, now: float) -> bool:
        return self._timer.expired(now)

    def enter(self, state: LengthState, now: float) -> None:
        self._timer.enter(state, now, self)

    def left(self, now: float) -> float:
        """Return how many seconds are left; negative if the time is over."""
        assert self.seconds is not None
        running = now - self._since if self.state is not LengthState.OFF else 0.0
        return self.seconds - self._used - running

    @property
    def notice_seconds(self) -> float:
        """How long before the end the caller is told."""
        assert self.seconds is not None
        return min(LENGTH_NOTICE_SECONDS, self.seconds / 2)

    def resume(self, now: float, lasted: float) -> list[LimitCall]:
        """The caller is with the agent, and their call has lasted for `lasted` seconds.

        Return the carrier's limit, unless the carrier has it already.
        """
        if self.seconds is None:
            return []
        self.pause(now)
        self._since = now
        needed = lasted + self.left(now) + CARRIER_MARGIN_SECONDS
        self.enter(LengthState.WARNED if self.warned else LengthState.RUNNING, now)
        limit = self._carrier_limit
        if limit is not None and needed <= limit < CARRIER_LIMIT_SECONDS:
            return []
        return self._limit(math.ceil(needed + CARRIER_SLACK_SECONDS))

    def pause(self, now: float) -> None:
        """The caller is not with the agent any more."""
        if self.state is not LengthState.OFF:
            self._used += now - self._since
            self.enter(LengthState.OFF, now)

    def lift_limit(self) -> list[LimitCall]:
        """The caller goes to a human: the agent's limit must not end their talk."""
        if self._carrier_limit is None or self._carrier_limit >= CARRIER_LIMIT_SECONDS:
            return []
        return self._limit(CARRIER_LIMIT_SECONDS)

    def _limit(self, seconds: int) -> list[LimitCall]:
        self._carrier_limit = min(seconds, LONGEST_CARRIER_LIMIT_SECONDS)
        return [LimitCall(self._carrier_limit)]
