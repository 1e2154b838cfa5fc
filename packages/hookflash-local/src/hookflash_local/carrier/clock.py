"""The carrier's own time: seconds since it started, which may run faster than the wall clock.

With `speed=10`, ten of these seconds pass in one real second. Every duration of Twilio's
is measured on this clock, so a whole call can be tried in a tenth of its time. The application's
time for an answer is in real seconds, because the application is not faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash.world import SYSTEM


class Clock:
    """Make it inside a running event loop. `speed` is carrier seconds per real second; `wall` says
    how many seconds since 1970 it begins at."""

    def __init__(self, speed: float = 1.0, wall: Callable[[], float] = SYSTEM.wall) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be more than 0, got {speed}")
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._wall_start = wall()

    def now(self) -> float:
        return (self._loop.time() - self._start) * self.speed

    def wall(self) -> float:
        """Return seconds since 1970 on this clock: it runs at `speed`, as `now` does."""
        return self._wall_start + self.now()

    def real(self, seconds: float) -> float:
        """Return how many real seconds `seconds` of this clock last."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.real(max(0.0, seconds)))

    async def sleep_until(self, when: float) -> None:
        """Sleep until `when` and never less; the loop alone may wake slightly early."""
        while (left := when - self.now()) > 0:
            await self.sleep(left)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        return asyncio.timeout(None if seconds is None else self.real(seconds))

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return self._loop.call_at(self._start + self.real(when), callback)
