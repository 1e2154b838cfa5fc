"""The clock that drives calls.

It returns seconds since 1970, so that another process can continue a journal. It is based on the
monotonic clock, so it never goes back. `speed` compresses time for calls against stand-ins: with
10, ten seconds of a call pass in one.
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
        """Return the real seconds to wait until `seconds` of this clock have passed."""
        return seconds / self._speed
