"""The outbox: store each delivery first, then hand it to the delivery worker.

    deliver() --at once--> memory --written, with retries--> store --> `delivery_worker.py`

A call never waits here. A delivery is in memory only until it is stored. If the disk fails, the
write is retried as long as the process lives, and one delivery that cannot be written does not
delay the others. When the process ends, each unwritten delivery is named in the log; the call's
journal still has it.

    resource           acquired    released
    the writing task   start()     close(), which writes what is waiting
    the worker         start()     close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery, complete
from hookflash.runtime.ports import Clock

_log = logging.getLogger("hookflash.call.deliveries")

WRITE_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before each retry of a write; the last value repeats."""


class DeliveryStore(Protocol):
    """Where deliveries are stored: `stores.deliveries.DeliveryStore`."""

    async def put(self, delivery: Delivery, now: float) -> TrackedDelivery: ...


class Worker(Protocol):
    """Sends stored deliveries to the owner: a `DeliveryWorker`."""

    outcomes: dict[str, int]

    def start(self) -> None: ...

    def wake_worker(self) -> None:
        """Look for due deliveries now: the store has a new one."""
        ...

    async def close(self, seconds: float) -> None: ...


class Outbox:
    """Accepts deliveries at once, stores them and has them sent. Use it in the event loop's
    thread."""

    def __init__(
        self,
        store: DeliveryStore,
        worker: Worker,
        *,
        clock: Clock,
        size: int = 1000,
        write_seconds: Sequence[float] = WRITE_SECONDS,
    ) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._size = size
        self._write_seconds = tuple(write_seconds)
        self._unwritten: dict[str, Delivery] = {}
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Return how many delivery attempts have ended with each outcome."""
        return self._worker.outcomes

    def start(self) -> None:
        """Start writing and sending. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())
            self._worker.start()

    def deliver(self, delivery: Delivery) -> None:
        """Accept a delivery, or an update of an earlier one. Never waits and never raises."""
        earlier = self._unwritten.get(delivery.id)
        if self._closing.is_set():
            _log.error(
                "%s ! delivery %s came after the outbox was closed", delivery.call_sid, delivery.id
            )
        elif earlier is not None:
            self._unwritten[delivery.id] = complete(earlier, delivery)
        elif len(self._unwritten) < self._size:
            self._unwritten[delivery.id] = delivery
            self._written.clear()
            self._wake.set()
        else:
            _log.error(
                "%s ! delivery %s is in the call's journal only: %d others wait for the database",
                delivery.call_sid,
                delivery.id,
                self._size,
            )

    def wake_worker(self) -> None:
        """Look for due deliveries now, for example after a manual retry."""
        self._worker.wake_worker()

    async def flush(self) -> None:
        """Wait until every delivery accepted so far is stored."""
        if self._unwritten:
            await self._written.wait()

    async def close(self, seconds: float = 10.0) -> None:
        """Stop: accept nothing new, write what is waiting and let attempts end within `seconds`."""
        self._closing.set()
        if self._task is None:
            return
        begun = self._clock.now()
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            _log.error(
                "! the last deliveries were not written to the database within %g s", seconds
            )
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
            await self._wake.wait()
            self._wake.clear()
            failures = 0
            while self._unwritten:
                if not await self._write_each():
                    failures += 1
                    last = len(self._write_seconds) - 1
                    await self._pause(self._write_seconds[min(failures - 1, last)])
            self._written.set()

    async def _write_each(self) -> bool:
        """Try to write every waiting delivery. Return whether at least one was written."""
        progress = False
        for delivery in list(self._unwritten.values()):
            try:
                await self._store.put(delivery, self._clock.now())
            except Exception as error:
                _log.warning(
                    "%s ! delivery %s was not written (%s): it is retried",
                    delivery.call_sid,
                    delivery.id,
                    type(error).__name__,
                )
                continue
            progress = True
            if self._unwritten.get(delivery.id) is delivery:
                # Otherwise it was updated meanwhile, and the update must be written too.
                del self._unwritten[delivery.id]
            self._worker.wake_worker()
        return progress

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; only briefly when closing."""
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, 0.1))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
