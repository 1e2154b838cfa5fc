"""Find and delete the stored data of ended calls: on request, or when its retention time is over.

A call may have a record in the database, and a journal and a recording (`CallFiles`). Erasing
deletes all three and writes a tombstone without the number (`stores.erasing`). A call that may
still be live is not erased, because its next write would bring the data back.

    resource       acquired           released
    the sweep      retention_sweep    its block's end
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from random import Random

import msgspec

from hookflash.errors import ConfigError
from hookflash.files.stored_files import CallFiles, Kind, StoredFile
from hookflash.runtime.journal_facts import read_facts
from hookflash.runtime.recorder import SID
from hookflash.stores.deliveries import DeliveryStore, EventStore
from hookflash.stores.erasing import calls_before, erase_record
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.server")

SWEEP_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_BATCH = 100


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """Which data of a call was deleted."""

    record: bool = False
    journal: bool = False
    recording: bool = False

    def __bool__(self) -> bool:
        return self.record or self.journal or self.recording


class RetentionDays(msgspec.Struct, frozen=True, kw_only=True):
    """Days to retain each kind of data; 0 means forever. Waiting deliveries are always retained."""

    recordings: float = 0.0
    calls: float = 0.0
    deliveries: float = 0.0


def describe(days: RetentionDays) -> str:
    """Return when which data is deleted, in words, with the names of the settings."""
    if days.calls:
        parts = [
            "calls with their transcripts, journals and recordings are deleted after"
            f" {days.calls:g} days (HOOKFLASH_CALL_RETENTION_DAYS; 0: never)"
        ]
    else:
        parts = ["calls are never deleted (HOOKFLASH_CALL_RETENTION_DAYS is 0)"]
    if days.recordings:
        parts.append(
            f"recordings after {days.recordings:g} days (HOOKFLASH_RECORDING_RETENTION_DAYS)"
        )
    if days.deliveries:
        parts.append(
            f"deliveries after {days.deliveries:g} days (HOOKFLASH_DELIVERY_RETENTION_DAYS)"
        )
    return "; ".join(parts)


class StoredCalls:
    """The ended calls of a line, in its files and its database: the console's `EndedCallData`.

    `discard` deletes a recording to which this process may still be writing. `forget` stops this
    process from storing late data of an erased call. Tombstones get random names from `entropy`.
    """

    def __init__(
        self,
        store: RecordStore,
        files: CallFiles,
        *,
        discard: Callable[[str], None] = lambda call_sid: None,
        forget: Callable[[str], None] = lambda call_sid: None,
        entropy: Random = SYSTEM.entropy("tombstones"),
    ) -> None:
        self._store = store
        self._files = files
        self._discard = discard
        self._forget = forget
        self._entropy = entropy

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        """Return a call's recording or journal, or None. Raises `OSError`."""
        return await self._files.find(kind, call_sid)

    async def summary(self, call_sid: str) -> str:
        """Return a call's summary, or "" if it has none."""
        record = await self._store.get(call_sid)
        return record.summary if record is not None else ""

    async def delete(self, call_sid: str) -> None:
        """Erase a call that the console shows as ended."""
        await self.erase(call_sid, force=True)

    async def erase(self, call_sid: str, *, force: bool = False) -> Erased:
        """Erase a call. Return which data was deleted.

        Raises `ConfigError` if `call_sid` is invalid. Raises it for a call whose journal has no
        end, too, unless `force`: the call may be live. Raises `OSError` if its files cannot be
        deleted now. The record stays in that case, so that erasing can be tried again.
        """
        if not SID.fullmatch(call_sid):
            raise ConfigError(
                f"expected a call SID, got {call_sid[:80]!r}; use the SID from the call's record"
            )
        if not force and await self._may_be_live(call_sid):
            raise ConfigError(
                f"{call_sid}: its journal has no end, so this call may still be live. Try again"
                " when it has ended, or use --force if its process is gone"
            )
        self._forget(call_sid)
        deleted = await self._files.delete(call_sid)
        # Afterwards, so that what this process still writes is deleted, too.
        self._discard(call_sid)
        return Erased(
            record=await erase_record(self._store.engine, call_sid, entropy=self._entropy),
            journal="journals" in deleted,
            recording="recordings" in deleted,
        )

    async def sweep(self, now: float, days: RetentionDays) -> int:
        """Delete data older than its retention time. Return the number of deleted items.

        `now` is from the clock that sets the files' modification times.
        """
        swept = 0
        if days.recordings:
            old = now - days.recordings * _DAY_SECONDS
            swept += await self._files.delete_older("recordings", old)
        if days.deliveries:
            old = now - days.deliveries * _DAY_SECONDS
            swept += await DeliveryStore(self._store.engine).forget_before(old)
            swept += await EventStore(self._store.engine).forget_before(old)
        if not days.calls:
            return swept
        old = now - days.calls * _DAY_SECONDS
        while found := await calls_before(self._store.engine, old, limit=_BATCH):
            for call_sid in found:
                swept += bool(await self.erase(call_sid, force=True))
        # Calls without a record.
        swept += await self._files.delete_older("journals", old)
        return swept + await self._files.delete_older("recordings", old)

    async def _may_be_live(self, call_sid: str) -> bool:
        """Return whether a call has a journal, of any version, without an end."""
        journal = await self._files.find("journals", call_sid)
        if journal is None:
            return False
        data = await journal.whole()
        return not await asyncio.to_thread(is_over, data)


@contextlib.asynccontextmanager
async def retention_sweep(
    stored: StoredCalls,
    days: RetentionDays,
    *,
    wall: Callable[[], float] = SYSTEM.wall,
    seconds: float = SWEEP_SECONDS,
) -> AsyncIterator[None]:
    """Sweep at once and then every `seconds` until the block ends, unless everything is
    retained. Log what is deleted when."""
    log.info("retention: %s", describe(days))
    if days == RetentionDays():
        yield
        return
    task = asyncio.create_task(_sweep_forever(stored, days, wall, seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sweep_forever(
    stored: StoredCalls, days: RetentionDays, wall: Callable[[], float], seconds: float
) -> None:
    while True:
        try:
            if swept := await stored.sweep(wall(), days):
                log.info("retention: deleted %d calls, recordings and deliveries", swept)
        except Exception:
            # The database or the disk failed. The next sweep tries again.
            log.exception("! retention: expired data could not be deleted; the next sweep retries")
        await asyncio.sleep(seconds)


def is_over(journal: bytes) -> bool:
    """Return whether a journal of any version has the end of its call, or no line at all."""
    facts = read_facts(journal)
    return facts.lines == 0 or facts.over
