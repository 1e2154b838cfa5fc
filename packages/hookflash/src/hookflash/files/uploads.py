"""Upload the files of ended calls from the data folder to a bucket, then delete them here.

A file is uploaded when it is finished: the call's record is stored, and nothing was written to the
file for a few seconds. A call without a record, whose process died, is uploaded after a day. A file
whose upload fails stays on disk and is tried again, so nothing is lost while the store is
unreachable. Neither is anything lost if this process dies: the next one finds the files here.

The file stays here for a while after its upload, because late requests of the carrier (the
transcript of a voicemail) continue a journal. If a file grew, it is uploaded again.

    resource     acquired       released
    the task     start()        aclose(), after a last upload
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from hookflash.files.buckets import Bucket
from hookflash.files.shared_files import MARKERS, file_name, marker_name
from hookflash.files.stored_files import KINDS, DataFolder, Kind

log = logging.getLogger("hookflash.files")

SWEEP_SECONDS = 5.0
"""How often the data folder is searched for finished files."""

QUIET_SECONDS = 5.0
"""A file that was modified more recently may not be finished."""

LATE_SECONDS: dict[Kind, float] = {"recordings": 300.0, "journals": 3600.0}
"""How long a file stays in the data folder after it was last modified."""

ABANDONED_SECONDS = 86_400.0
"""A file of a call without a record is uploaded when it was not modified for so long."""

ERASED_CHECK_SECONDS = 60.0
"""How often this node looks whether calls without a record were erased on another node."""

MARKER_SECONDS = 400 * 86_400.0
"""How long a marker says that a call was erased: longer than any node is down."""

_FAILED_SECONDS = (5.0, 10.0, 30.0, 60.0)
"""Seconds until the next attempt after failures in a row."""

_FAILURES_AT_ONCE = 3
"""After so many failures in one sweep, the store counts as unreachable."""

_LAST_SECONDS = 20.0
"""How long the last upload may take when the process ends."""

_COPY_BYTES = 1024 * 1024


class _Version(NamedTuple):
    """What tells whether a file has changed."""

    size: int
    modified_ns: int


class _Waiting(NamedTuple):
    """A file in the data folder, and for how many seconds it was not modified."""

    kind: Kind
    path: Path
    version: _Version
    quiet: float

    @property
    def call_sid(self) -> str:
        return self.path.stem


class Uploads:
    """Uploads the finished files of a data folder. One process per data folder does so.

    `stored` returns which of these calls have a record. `is_held` says whether this process may
    still write to the files of a call, and `is_over` whether a journal has the end of its call.
    `wall` is the clock that sets the files' modification times.
    """

    def __init__(
        self,
        local: DataFolder,
        bucket: Bucket,
        *,
        stored: Callable[[Collection[str]], Awaitable[set[str]]],
        is_held: Callable[[str], bool],
        is_over: Callable[[bytes], bool],
        wall: Callable[[], float],
    ) -> None:
        self.waiting = 0
        """How many finished files were not uploaded at the last sweep."""
        self._local = local
        self._bucket = bucket
        self._stored = stored
        self._is_held = is_held
        self._is_over = is_over
        self._wall = wall
        self._uploaded: dict[Path, tuple[_Version, str]] = {}
        """What this process has uploaded and not deleted here, with its name in the bucket."""
        self._failures = 0
        self._erased_check_at = 0.0
        self._marker_sweep_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start uploading. Call it once, in the event loop's thread."""
        self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Upload what is finished, for a limited time, and stop. Call it after the last call."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.sweep(quiet_seconds=0.0)
        except TimeoutError:
            pass
        if self.waiting:
            log.warning(
                "! %d files of ended calls are not in HOOKFLASH_FILES_URL yet: they stay in %s, and"
                " the next process that uses this folder uploads them",
                *(self.waiting, self._local.folder),
            )

    async def sweep(self, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Upload every finished file, and delete those here that are no longer needed.

        Failures are logged and not raised.
        """
        failures = 0
        try:
            quiet = await self._quiet_files(quiet_seconds)
            unfinished = await self._without_record(quiet)
            await self._delete_erased([each for each in quiet if each.call_sid in unfinished])
            finished = [each for each in quiet if each.call_sid not in unfinished]
            self.waiting = sum(not self._is_uploaded(each) for each in finished)
            for each in finished:
                try:
                    await self._take(each)
                except OSError as error:
                    # One file that cannot be read does not hold up the others.
                    failures += 1
                    self._note_failure(error)
                    if failures == _FAILURES_AT_ONCE:
                        return
            await self._forget_old_markers()
        except Exception as error:
            # The database or the store does not answer.
            self._note_failure(error)
            return
        if self._failures and not failures:
            log.info("files: uploads to HOOKFLASH_FILES_URL succeed again")
            self._failures = 0

    async def _take(self, file: _Waiting) -> None:
        if not self._is_uploaded(file):
            await self._upload(file)
            self.waiting -= 1
        if file.quiet >= LATE_SECONDS[file.kind] and not self._is_held(file.call_sid):
            await asyncio.to_thread(self._remove, file)

    async def _run(self) -> None:
        while True:
            await self.sweep()
            seconds = SWEEP_SECONDS
            if self._failures:
                seconds = _FAILED_SECONDS[min(self._failures, len(_FAILED_SECONDS)) - 1]
            await asyncio.sleep(seconds)

    async def _quiet_files(self, quiet_seconds: float) -> list[_Waiting]:
        now = self._wall()
        found = await asyncio.to_thread(lambda: list(self._search(now)))
        for path in self._uploaded.keys() - {each.path for each in found}:
            del self._uploaded[path]
        return [each for each in found if each.quiet >= quiet_seconds]

    async def _without_record(self, files: Collection[_Waiting]) -> set[str]:
        """Return the calls that are not over yet, or that were erased."""
        recent = {each.call_sid for each in files if each.quiet < ABANDONED_SECONDS}
        return recent - await self._stored(recent) if recent else set()

    async def _delete_erased(self, files: Collection[_Waiting]) -> None:
        """Delete what is here of calls that were erased on another node."""
        now = self._wall()
        if now < self._erased_check_at:
            return
        for each in files:
            if await self._is_erased(each.call_sid):
                await self._delete_here(each)
        self._erased_check_at = now + ERASED_CHECK_SECONDS

    def _search(self, now: float) -> Iterator[_Waiting]:
        # The journal first: it is smaller, and tells more.
        for kind in reversed(KINDS):
            for path in sorted(self._local.paths(kind)):
                try:
                    about = path.stat()
                except FileNotFoundError:
                    continue
                version = _Version(about.st_size, about.st_mtime_ns)
                yield _Waiting(kind, path, version, now - about.st_mtime)

    def _is_uploaded(self, file: _Waiting) -> bool:
        version, _ = self._uploaded.get(file.path, (None, ""))
        return version == file.version

    async def _upload(self, file: _Waiting) -> None:
        if await self._is_erased(file.call_sid):
            await self._delete_here(file)
            return
        try:
            digest = await asyncio.to_thread(_digest, file.path)
        except FileNotFoundError:
            # It was erased in the meantime.
            return
        name = file_name(file.kind, file.call_sid, digest)
        await self._bucket.put(name, file.path)
        if await self._is_erased(file.call_sid):
            # It was erased during the upload.
            await self._bucket.delete(name)
            await self._delete_here(file)
            return
        _, former = self._uploaded.get(file.path, (None, name))
        if former != name:
            # This file has grown since: the earlier part of it is not needed.
            await self._bucket.delete(former)
        self._uploaded[file.path] = (file.version, name)

    async def _delete_here(self, file: _Waiting) -> None:
        await asyncio.to_thread(file.path.unlink, missing_ok=True)
        log.info("files: %s was erased on another node, so it is deleted here", file.path.name)

    async def _is_erased(self, call_sid: str) -> bool:
        return await self._bucket.has(marker_name(call_sid))

    def _remove(self, file: _Waiting) -> None:
        """Delete a file here, unless its call may be live again, or something was written to it
        since it was uploaded."""
        journal = self._local.path("journals", file.call_sid)
        try:
            # The journal of a node that was killed has no end: its call went on elsewhere.
            if file.quiet < ABANDONED_SECONDS and journal is not None and journal.is_file():
                if not self._is_over(journal.read_bytes()):
                    return
            about = file.path.stat()
        except FileNotFoundError:
            return
        if _Version(about.st_size, about.st_mtime_ns) == file.version:
            file.path.unlink(missing_ok=True)

    async def _forget_old_markers(self) -> None:
        now = self._wall()
        if now < self._marker_sweep_at:
            return
        self._marker_sweep_at = now + 86_400.0
        async for item in self._bucket.list(MARKERS):
            if item.modified_at < now - MARKER_SECONDS:
                await self._bucket.delete(item.name)

    def _note_failure(self, error: Exception) -> None:
        if self._failures == 0:
            log.warning(
                "! files: %s; %d files of ended calls wait in %s and are tried again",
                *(error, self.waiting, self._local.folder),
                exc_info=None if isinstance(error, OSError) else error,
            )
        self._failures += 1


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_COPY_BYTES):
            digest.update(piece)
    return digest.hexdigest()
