"""The outbox: what calls leave for their owner is kept first, and then delivered until taken.

    deliver() --at once--> memory --written, again and again--> store --> `delivery_worker.py`

A call never waits here. A delivery is in memory only until the store has it; a disk that fails is
tried again as long as the process lives, and one delivery that cannot be written holds up no
other. What is not written when the process ends is named in the log, and the call's journal still
has it.

    resource           acquired    released
    the writing task   start()     close(), which writes what waits
    the worker         start()     close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_tracking import TrackedDelivery, complete
from hookflash.runtime.ports import Clock

_log = logging.getLogger("hookflash.call.deliveries")

WRITE_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0)
"""How long to wait before the store is tried again; the last one again and again."""


class Shelf(Protocol):
    """Where deliveries are kept: a `stores.deliveries.DeliveryStore`."""

    async def put(self, delivery: Delivery, now: float) -> TrackedDelivery: ...


class Round(Protocol):
    """Whoever brings deliveries to the owner: a `DeliveryWorker`."""

    outcomes: dict[str, int]

    def start(self) -> None: ...

    def poke(self) -> None:
        """There is something new on the shelf."""
        ...

    async def close(self, seconds: float) -> None: ...


class Outbox:
    """Takes deliveries at once and sees to them. Used in the event loop's thread."""

    def __init__(
        self,
        shelf: Shelf,
        worker: Round,
        *,
        clock: Clock,
        size: int = 1000,
        write_seconds: Sequence[float] = WRITE_SECONDS,
    ) -> None:
        self._shelf = shelf
        self._worker = worker
        self._clock = clock
        self._size = size
        self._write_seconds = tuple(write_seconds)
        self._unwritten: dict[str, Delivery] = {}
        self._news = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How often an attempt to deliver has ended how."""
        return self._worker.outcomes

    def start(self) -> None:
        """Begin to write and to deliver. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())
            self._worker.start()

    def deliver(self, delivery: Delivery) -> None:
        """Take a delivery, or more of one that came before. Never waits and never raises."""
        earlier = self._unwritten.get(delivery.id)
        if self._closing.is_set():
            _log.error("%s ! delivery %s came after the end", delivery.call_sid, delivery.id)
        elif earlier is not None:
            self._unwritten[delivery.id] = complete(earlier, delivery)
        elif len(self._unwritten) < self._size:
            self._unwritten[delivery.id] = delivery
            self._written.clear()
            self._news.set()
        else:
            _log.error(
                "%s ! delivery %s is in the call's journal only: %d others wait for the database",
                delivery.call_sid,
                delivery.id,
                self._size,
            )

    def poke(self) -> None:
        """There is something to deliver again."""
        self._worker.poke()

    async def flush(self) -> None:
        """Wait until every delivery taken so far is kept by the store."""
        if self._unwritten:
            await self._written.wait()

    async def close(self, seconds: float = 10.0) -> None:
        """Take no more, write what waits, let attempts end, all within `seconds`, and stop."""
        self._closing.set()
        if self._task is None:
            return
        begun = self._clock.now()
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            _log.error("! the database did not take the last deliveries within %g s", seconds)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        left = seconds - self._clock.delay(self._clock.now() - begun)
        await self._worker.close(max(left, 1.0))
        for delivery in self._unwritten.values():
            _log.error(
                "%s ! delivery %s is in the call's journal only", delivery.call_sid, delivery.id
            )

    async def _write_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            failures = 0
            while self._unwritten:
                if not await self._write_each():
                    failures += 1
                    last = len(self._write_seconds) - 1
                    await self._pause(self._write_seconds[min(failures - 1, last)])
            self._written.set()

    async def _write_each(self) -> bool:
        """Try to write all that waits. Return whether something was written."""
        progress = False
        for delivery in list(self._unwritten.values()):
            try:
                await self._shelf.put(delivery, self._clock.now())
            except Exception as error:
                _log.warning(
                    "%s ! delivery %s was not written (%s) and is tried again",
                    delivery.call_sid,
                    delivery.id,
                    type(error).__name__,
                )
                continue
            progress = True
            if self._unwritten.get(delivery.id) is delivery:
                # Otherwise more of it came meanwhile, and has to be written, too.
                del self._unwritten[delivery.id]
            self._worker.poke()
        return progress

    async def _pause(self, seconds: float) -> None:
        """Wait before another attempt; when closing, only briefly, since little time is left."""
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, 0.1))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
