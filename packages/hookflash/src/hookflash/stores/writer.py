"""Write call records from a queue, so that a call never waits for a disk.

    resource       acquired    released
    writer task    start()     close()

A record that cannot be written is retried with growing delays. The queue is bounded. A record that
does not fit, or cannot be written in the end, is named in the log; the call's journal still has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from hookflash.core.record import CallRecord

_log = logging.getLogger("hookflash.call.records")

RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before each retry: about two minutes in total."""


class RecordDestination(Protocol):
    """Where records are stored: a `RecordStore`."""

    async def put(self, record: CallRecord) -> None: ...


class StoreWriter:
    """Accepts records at once and writes them in order."""

    def __init__(
        self,
        store: RecordDestination,
        *,
        size: int = 1000,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._retry_seconds = tuple(retry_seconds)
        self._queue: asyncio.Queue[CallRecord] = asyncio.Queue(size)
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def start(self) -> None:
        """Start writing. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    def put(self, record: CallRecord) -> None:
        """Accept a record. Never waits and never raises."""
        if self._closing.is_set():
            _log.error(
                "%s ! its record came after the writer was closed: not stored", record.call_sid
            )
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            _log.error(
                "%s ! its record is not stored: %d others wait for the database",
                record.call_sid,
                self._queue.maxsize,
            )

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
            _log.error("%s ! its record is not stored", self._queue.get_nowait().call_sid)

    async def _write_all(self) -> None:
        while True:
            record = await self._queue.get()
            try:
                await self._write(record)
            except asyncio.CancelledError:
                _log.error("%s ! its record is not stored", record.call_sid)
                raise
            finally:
                self._queue.task_done()

    async def _write(self, record: CallRecord) -> None:
        for number, seconds in enumerate((*self._retry_seconds, None), start=1):
            try:
                await self._store.put(record)
                return
            except Exception as error:
                if seconds is None:
                    _log.exception(
                        "%s ! its record is not stored after %d attempts", record.call_sid, number
                    )
                    return
                _log.warning(
                    "%s ! its record was not written (attempt %d: %s); retry in %g s",
                    record.call_sid,
                    number,
                    type(error).__name__,
                    seconds,
                )
                await self._pause(seconds)

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
