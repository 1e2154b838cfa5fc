"""What is kept of calls that are over: found, and forgotten on request or when its time is up.

Of a call there may be a record in the database, a journal and a recording in the data folder. To
erase it takes all three, and leaves a stone without a name (`stores.erasing`). A call that may
still be going on is not erased, since what is written next would bring it back.

    resource       acquired   released
    the sweep      Sweep      its block's end
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random

import msgspec

from hookflash.errors import ConfigError
from hookflash.runtime.journal_facts import read_facts
from hookflash.runtime.recorder import recording_path
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.erasing import calls_before, erase_record
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.server")

SWEEP_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_BATCH = 100


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What there was of a call, and is not any more."""

    record: bool = False
    journal: bool = False
    recording: bool = False

    def __bool__(self) -> bool:
        return self.record or self.journal or self.recording


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """How many days something is kept; 0: for ever. A delivery that waits is kept in any case."""

    recordings: float = 0.0
    calls: float = 0.0
    deliveries: float = 0.0


class KeptCalls:
    """The calls that are over of a data folder and its database; the console's `Recordings`.

    `discard` deletes a recording that this process may still be writing to, `forget` keeps what
    this process may still hear of a call that was erased from being kept. Stones get their
    names from `entropy`.
    """

    def __init__(
        self,
        store: RecordStore,
        folder: Path,
        *,
        discard: Callable[[str], None] = lambda call_sid: None,
        forget: Callable[[str], None] = lambda call_sid: None,
        entropy: Random = SYSTEM.entropy("tombstones"),
    ) -> None:
        self._store = store
        self._journals = folder / "journals"
        self._recordings = folder / "recordings"
        self._discard = discard
        self._forget = forget
        self._entropy = entropy

    async def find(self, call_sid: str) -> Path | None:
        """Return the file of a call's recording, if there is one."""
        with contextlib.suppress(ValueError):
            path = recording_path(self._recordings, call_sid)
            return path if path.is_file() else None
        return None

    async def summary(self, call_sid: str) -> str:
        """Return what a call was about; empty if nobody has said."""
        record = await self._store.get(call_sid)
        return record.summary if record is not None else ""

    async def delete(self, call_sid: str) -> None:
        """Erase a call that the console shows as over."""
        await self.erase(call_sid, force=True)

    async def erase(self, call_sid: str, *, force: bool = False) -> Erased:
        """Erase a call; return what there was of it.

        Raises `ConfigError` for what is no call SID, and for a call whose journal has no end,
        unless with `force`: it may be going on.
        """
        try:
            recording = recording_path(self._recordings, call_sid)
        except ValueError as error:
            raise ConfigError(f"{error}; give one as the records have it") from error
        journal = self._journals / f"{call_sid}.jsonl"
        if not force and await asyncio.to_thread(_goes_on, journal):
            raise ConfigError(
                f"{call_sid}: its journal has no end, so this call may still be going on. Try again"
                " when it is over, or with --force if the process that had it is gone"
            )
        there = recording.is_file()
        self._discard(call_sid)
        self._forget(call_sid)
        await asyncio.to_thread(recording.unlink, missing_ok=True)
        written = await asyncio.to_thread(_unlinked, journal)
        return Erased(
            record=await erase_record(self._store.engine, call_sid, entropy=self._entropy),
            journal=written,
            recording=there,
        )

    async def sweep(self, now: float, days: Days) -> int:
        """Delete what is older than so many days. Return how many it were. `now` is by the clock
        that files are stamped with."""
        swept = 0
        if days.recordings:
            old = now - days.recordings * _DAY_SECONDS
            swept += await asyncio.to_thread(_unlink_older, self._recordings, "*.wav", old)
        if days.deliveries:
            old = now - days.deliveries * _DAY_SECONDS
            swept += await DeliveryStore(self._store.engine).forget_before(old)
        if not days.calls:
            return swept
        old = now - days.calls * _DAY_SECONDS
        while found := await calls_before(self._store.engine, old, limit=_BATCH):
            for call_sid in found:
                swept += bool(await self.erase(call_sid, force=True))
        # Those that never came to a record.
        swept += await asyncio.to_thread(_unlink_older, self._journals, "*.jsonl", old)
        return swept + await asyncio.to_thread(_unlink_older, self._recordings, "*.wav", old)


@contextlib.asynccontextmanager
async def sweeping(
    kept: KeptCalls,
    days: Days,
    *,
    wall: Callable[[], float] = SYSTEM.wall,
    seconds: float = SWEEP_SECONDS,
) -> AsyncIterator[None]:
    """Sweep at once and every so often, until the block ends; never, if all is to be kept."""
    if days == Days():
        yield
        return
    task = asyncio.create_task(_sweep_always(kept, days, wall, seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sweep_always(
    kept: KeptCalls, days: Days, wall: Callable[[], float], seconds: float
) -> None:
    while True:
        try:
            if swept := await kept.sweep(wall(), days):
                log.info("%d calls, recordings and deliveries had their time: deleted", swept)
        except Exception:
            # The database or the disk is in trouble: the next sweep finds the same.
            log.exception("! what was kept for long enough could not be deleted")
        await asyncio.sleep(seconds)


def _goes_on(journal: Path) -> bool:
    """Return whether a journal has no end, whichever version wrote it."""
    try:
        data = journal.read_bytes()
    except OSError:
        # Nobody can go on with a call whose journal cannot be read.
        return False
    facts = read_facts(data)
    return facts.lines > 0 and not facts.over


def _unlinked(path: Path) -> bool:
    there = path.is_file()
    path.unlink(missing_ok=True)
    return there


def _unlink_older(folder: Path, pattern: str, moment: float) -> int:
    return sum(map(_unlinked, _older(folder, pattern, moment)))


def _older(folder: Path, pattern: str, moment: float) -> Iterator[Path]:
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < moment:
                yield path
