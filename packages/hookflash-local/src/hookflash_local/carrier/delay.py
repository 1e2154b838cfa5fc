"""A road with a length: what goes in comes out later, in the same order."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Generic, TypeVar

from hookflash_local.carrier.clock import Clock

T = TypeVar("T")


class Delay(Generic[T]):
    """`seconds` for everything, plus up to `jitter` at random for each."""

    def __init__(
        self, clock: Clock, seconds: float, jitter: float = 0.0, *, entropy: Random
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._jitter = jitter
        self._random = entropy
        self._last = 0.0
        self._items: asyncio.Queue[tuple[float, T]] = asyncio.Queue()

    def put(self, item: T) -> None:
        due = self._clock.now() + self._seconds + self._random.uniform(0, self._jitter)
        self._last = max(self._last, due)
        self._items.put_nowait((self._last, item))

    async def get(self) -> T:
        due, item = await self._items.get()
        if due > self._clock.now():
            await self._clock.sleep_until(due)
        return item

    def __len__(self) -> int:
        return self._items.qsize()
