"""Write call records from a queue, so that a call never waits for a disk.

    resource       acquired    released
    writer task    start()     close()

A record that cannot be written is retried with growing delays. From its first failure on it waits
on disk as well (`waiting_records.py`), and so does one that the queue has no room for. Records on
disk are retried until they are stored, by this process or by the next one with this data folder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from hookflash.core.record import CallRecord
from hookflash.stores.waiting_records import WaitingRecords
from hookflash.world import SYSTEM

_log = logging.getLogger("hookflash.call.records")

RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0, 5.0, 5.0, 10.0)
"""Seconds before each retry. Afterwards the record waits on disk, and later records have a turn."""

WAITING_SECONDS = 30.0
"""How often records on disk are retried."""

_REFUSALS_AT_ONCE = 3
"""After so many refusals in one look, the database counts as down."""

OTHERS_SECONDS = 300.0
"""A file that is older is stored even if another process wrote it: that process has ended."""


class RecordDestination(Protocol):
    """Where records are stored: a `RecordStore`."""

    async def put(self, record: CallRecord) -> None: ...


class StoreWriter:
    """Accepts records at once and writes them in order.

    Without `waiting`, a record that cannot be written in the end is lost and named in the log.
    `wall` is the clock of the files.
    """

    def __init__(
        self,
        store: RecordDestination,
        *,
        waiting: WaitingRecords | None = None,
        size: int = 1000,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        wall: Callable[[], float] = SYSTEM.wall,
    ) -> None:
        self._store = store
        self._disk = waiting
        self._retry_seconds = tuple(retry_seconds)
        self._wall = wall
        self._queue: asyncio.Queue[CallRecord] = asyncio.Queue(size)
        self._on_disk: set[str] = set()
        """The calls whose records this process has written to disk."""
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Return how many records of this process are not stored yet."""
        return max(self._queue.qsize(), len(self._on_disk))

    def start(self) -> None:
        """Start writing. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    def put(self, record: CallRecord) -> None:
        """Accept a record. Never waits and never raises."""
        if self._closing.is_set():
            self._give_up(record, "its record came after the writer was closed")
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self._give_up(record, f"{self._queue.maxsize} records wait for the database")

    def forget(self, call_sid: str) -> None:
        """Delete the record of an erased call, if it waits on disk."""
        self._on_disk.discard(call_sid)
        if self._disk is not None:
            try:
                self._disk.remove(call_sid)
            except OSError as error:
                _log.error("%s ! its record on disk cannot be deleted: %s", call_sid, error)

    async def flush(self) -> None:
        """Wait until every record so far was written or given up."""
        await self._queue.join()

    async def close(self, seconds: float = 10.0) -> None:
        """Accept no more records, write waiting ones for at most `seconds`, and stop."""
        self._closing.set()
        if self._task is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            _log.error("! the last records were not written to the database within %g s", seconds)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        while not self._queue.empty():
            self._give_up(self._queue.get_nowait(), "the writer is closed")

    async def _write_all(self) -> None:
        while True:
            if self._disk is not None and self._queue.empty():
                await self._write_waiting(self._disk)
            record = await self._next()
            if record is None:
                continue
            try:
                await self._write(record)
            except asyncio.CancelledError:
                self._give_up(record, "the writer is closed")
                raise
            finally:
                self._queue.task_done()

    async def _next(self) -> CallRecord | None:
        """Return the next record; None if it is time to look at the records on disk."""
        if self._disk is None:
            return await self._queue.get()
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def _write(self, record: CallRecord) -> None:
        for number, seconds in enumerate((*self._retry_seconds, None), start=1):
            try:
                await self._store.put(record)
                await self._stored(record)
                return
            except Exception as error:
                if number == 1:
                    await asyncio.to_thread(self._write_to_disk, record)
                if seconds is None:
                    self._give_up(record, f"it was not stored in {number} attempts", error)
                    return
                _log.warning(
                    "%s ! its record was not written (attempt %d: %s); retry in %g s",
                    record.call_sid,
                    number,
                    type(error).__name__,
                    seconds,
                )
                await self._pause(seconds)

    async def _write_waiting(self, disk: WaitingRecords) -> None:
        """Store what waits on disk, until the database has refused some. The queue is empty: so no
        newer record of these calls is in it."""
        now, refusals = self._wall(), 0
        for call_sid, modified_at in (await asyncio.to_thread(disk.calls)).items():
            if call_sid not in self._on_disk and now - modified_at < OTHERS_SECONDS:
                continue
            record = await asyncio.to_thread(disk.read, call_sid)
            if record is None:
                self._on_disk.discard(call_sid)
                continue
            try:
                await self._store.put(record)
            except Exception as error:
                # Drivers of databases raise errors of their own. The record stays on disk.
                _log.warning("%s ! its record still waits on disk: %s", call_sid, error)
                self._on_disk.add(call_sid)
                refusals += 1
                if refusals == _REFUSALS_AT_ONCE:
                    return
                continue
            self._on_disk.add(call_sid)
            await self._stored(record)
            _log.info("%s = its record, which waited on disk, is stored", call_sid)

    async def _stored(self, record: CallRecord) -> None:
        if self._disk is not None and record.call_sid in self._on_disk:
            self._on_disk.discard(record.call_sid)
            await asyncio.to_thread(self._disk.remove, record.call_sid)

    def _write_to_disk(self, record: CallRecord) -> bool:
        if self._disk is None:
            return False
        try:
            self._disk.put(record)
        except OSError as error:
            _log.error("%s ! its record cannot be written to disk: %s", record.call_sid, error)
            return False
        self._on_disk.add(record.call_sid)
        return True

    def _give_up(self, record: CallRecord, why: str, error: Exception | None = None) -> None:
        """Leave a record to the disk, or say that it is lost."""
        if self._write_to_disk(record):
            _log.warning(
                "%s ! %s: its record waits on disk and is stored later", record.call_sid, why
            )
        else:
            _log.error("%s ! %s: its record is not stored", record.call_sid, why, exc_info=error)

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
