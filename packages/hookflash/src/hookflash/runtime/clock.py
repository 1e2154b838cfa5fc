"""The time that calls are driven by.

Seconds since 1970, so that a journal written by one process can be gone on with by another, but
taken from the monotonic clock, so that they only go forward. `speed` compresses time for whole
calls against stand-ins: with 10, ten seconds of a call pass in one.
"""

from __future__ import annotations

from hookflash.world import SYSTEM, World


class SystemClock:
    """The clock of a process. See `runtime.ports.Clock`."""

    def __init__(self, speed: float = 1.0, *, world: World = SYSTEM) -> None:
        self._speed = speed
        self._monotonic = world.monotonic
        self._wall = world.wall()
        self._start = world.monotonic()

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._wall + (self._monotonic() - self._start) * self._speed

    def delay(self, seconds: float) -> float:
        """Return how long to really wait for `seconds` of this clock to pass."""
        return seconds / self._speed
