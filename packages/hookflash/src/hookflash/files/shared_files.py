"""Files of ended calls that every node reads and deletes: an adapter of `CallFiles`.

    {kind}/{call SID}/{SHA-256 of the content, 32 digits}.{wav,jsonl}
    erased/{SHA-256 of the call SID, 32 digits}

A file is found in the data folder of this node and in the bucket. The name of a file in the bucket
follows from its content. So nodes never overwrite each other's files, and a repeated upload changes
nothing. If a call has several files of a kind, they are joined when they are read (`parts.py`).

An erased call has a marker in the bucket, because a node that is down or cut off may still have
files of it. That node deletes them instead of uploading them (`uploads.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from hookflash.files.buckets import Bucket, Item, open_bucket
from hookflash.files.parts import JOIN
from hookflash.files.stored_files import (
    KINDS,
    SUFFIXES,
    CallFiles,
    DataFolder,
    Kind,
    StoredFile,
)

_DIGITS = 32
MARKERS = "erased"


class SharedFiles:
    """The files in the data folder and in a bucket."""

    def __init__(self, local: DataFolder, bucket: Bucket) -> None:
        self._local = local
        self._bucket = bucket

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        local = await self._local.find(kind, call_sid)
        if self._local.path(kind, call_sid) is None:
            return None
        items = [item async for item in self._bucket.list(f"{kind}/{call_sid}")]
        if local is None and len(items) == 1:
            return self._stored(items[0])
        if local is None and not items:
            return None
        if local is not None and all(item.size == local.size for item in items):
            # Not uploaded yet, or uploaded and still here.
            return local
        parts = [await self._stored(item).whole() for item in items]
        if local is not None:
            parts.append(await local.whole())
        data = JOIN[kind](parts) if len(set(parts)) > 1 else parts[0]
        times = [item.modified_at for item in items]
        return _in_memory(data, max([*times, local.modified_at if local is not None else 0.0]))

    async def delete(self, call_sid: str) -> set[Kind]:
        if self._local.path("journals", call_sid) is None:
            return set()
        # First, so that an upload of another node that runs now finds it afterwards.
        await self._bucket.put(marker_name(call_sid), b"")
        found = await self._local.delete(call_sid)
        for kind in KINDS:
            async for item in self._bucket.list(f"{kind}/{call_sid}"):
                await self._bucket.delete(item.name)
                found.add(kind)
        return found

    async def delete_older(self, kind: Kind, moment: float) -> int:
        number = await self._local.delete_older(kind, moment)
        async for item in self._bucket.list(kind):
            if item.modified_at < moment:
                await self._bucket.delete(item.name)
                number += 1
        return number

    def _stored(self, item: Item) -> StoredFile:
        async def read(first: int, end: int) -> AsyncIterator[bytes]:
            async for piece in self._bucket.read(item.name, first, end):
                yield piece

        tag = item.name.rpartition("/")[2].partition(".")[0]
        return StoredFile(item.size, item.modified_at, tag, read)


def open_files(data_folder: Path, url: str | None) -> CallFiles:
    """Return the files of ended calls: those of the data folder, and those at `url` if there is
    one. Raises `ConfigError`."""
    local = DataFolder(data_folder)
    return SharedFiles(local, open_bucket(url)) if url else local


def file_name(kind: Kind, call_sid: str, digest: str) -> str:
    """Return the name in the bucket of a call's file with this SHA-256, in hex digits."""
    return f"{kind}/{call_sid}/{digest[:_DIGITS]}{SUFFIXES[kind]}"


def marker_name(call_sid: str) -> str:
    """Return the name in the bucket which says that a call was erased. It does not tell the SID."""
    return f"{MARKERS}/{hashlib.sha256(call_sid.encode()).hexdigest()[:_DIGITS]}"


def _in_memory(data: bytes, modified_at: float) -> StoredFile:
    async def read(first: int, end: int) -> AsyncIterator[bytes]:
        yield data[first:end]

    return StoredFile(len(data), modified_at, hashlib.sha256(data).hexdigest()[:_DIGITS], read)
