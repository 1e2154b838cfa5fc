"""Writes call records from a queue, so that a call never waits for a disk.

    resource       acquired    released
    writer task    start()     close()

A record that cannot be written is tried again, later each time. The queue is bounded; what does
not fit, or cannot be written in the end, is named in the log, and the call's journal still has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from hookflash.core.record import CallRecord

_log = logging.getLogger("hookflash.call.records")

RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0)
"""How long to wait before each further attempt: about two minutes in all."""


class RecordSink(Protocol):
    """Where records go in the end: a `RecordStore`."""

    async def put(self, record: CallRecord) -> None: ...


class StoreWriter:
    """Takes records at once and writes them in the order in which they came."""

    def __init__(
        self,
        store: RecordSink,
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
        """Begin to write. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    def put(self, record: CallRecord) -> None:
        """Take a record. Never waits and never raises: what becomes of it is the writer's."""
        if self._closing.is_set():
            _log.error("%s ! its record came after the end and is not kept", record.call_sid)
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            _log.error(
                "%s ! its record is not kept: %d others wait for the database",
                record.call_sid,
                self._queue.maxsize,
            )

    async def flush(self) -> None:
        """Wait until every record taken so far was written or given up."""
        await self._queue.join()

    async def close(self, seconds: float = 10.0) -> None:
        """Take no more records, write those that wait, for at most `seconds`, and stop."""
        self._closing.set()
        if self._task is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            _log.error("! the database did not take the last records within %g s", seconds)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        while not self._queue.empty():
            _log.error("%s ! its record is not kept", self._queue.get_nowait().call_sid)

    async def _write_all(self) -> None:
        while True:
            record = await self._queue.get()
            try:
                await self._write(record)
            except asyncio.CancelledError:
                _log.error("%s ! its record is not kept", record.call_sid)
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
                        "%s ! its record is not kept after %d attempts", record.call_sid, number
                    )
                    return
                _log.warning(
                    "%s ! its record was not written (attempt %d: %s); again in %g s",
                    record.call_sid,
                    number,
                    type(error).__name__,
                    seconds,
                )
                await self._pause(seconds)

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
