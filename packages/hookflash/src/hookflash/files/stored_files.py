"""The port for the files of ended calls, and its adapter for the data folder.

    {data folder}/recordings/{call SID}.wav     stereo audio
    {data folder}/journals/{call SID}.jsonl     events and commands

A live call always writes to the data folder of its process. Where its files are found afterwards is
decided by the adapter: `DataFolder` here, or `shared_files.SharedFiles` for several nodes. Every
method may raise `OSError`, if the disk or the object store does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, get_args

Kind = Literal["recordings", "journals"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SUFFIXES: dict[Kind, str] = {"recordings": ".wav", "journals": ".jsonl"}

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PIECE_BYTES = 256 * 1024

Read = Callable[[int, int], AsyncIterator[bytes]]
"""Yields the bytes from a first position up to, but not including, an end."""


class StoredFile(NamedTuple):
    """A file as it was found. `tag` changes when its content does. Times are seconds since 1970."""

    size: int
    modified_at: float
    tag: str
    read: Read

    async def whole(self) -> bytes:
        """Return the content. Raises `OSError`."""
        return b"".join([piece async for piece in self.read(0, self.size)])


class CallFiles(Protocol):
    """The files of ended calls, by call SID. An invalid SID has no files."""

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        """Return a call's file, or None."""
        ...

    async def delete(self, call_sid: str) -> set[Kind]:
        """Delete a call's files on every node, also those that another node uploads later.

        Return which there were.
        """
        ...

    async def delete_older(self, kind: Kind, moment: float) -> int:
        """Delete the files that were last modified before `moment`. Return their number."""
        ...


class DataFolder:
    """The files in the data folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        path = self.path(kind, call_sid)
        return await asyncio.to_thread(_found, path) if path is not None else None

    async def delete(self, call_sid: str) -> set[Kind]:
        return await asyncio.to_thread(self._delete, call_sid)

    async def delete_older(self, kind: Kind, moment: float) -> int:
        return await asyncio.to_thread(self._delete_older, kind, moment)

    def path(self, kind: Kind, call_sid: str) -> Path | None:
        """Return where a file is or would be; None if `call_sid` is not a call SID."""
        if not _SID.fullmatch(call_sid):
            return None
        return self.folder / kind / f"{call_sid}{SUFFIXES[kind]}"

    def paths(self, kind: Kind) -> Iterator[Path]:
        """Yield the files of a kind. It reads the disk."""
        return (self.folder / kind).glob(f"*{SUFFIXES[kind]}")

    def _delete(self, call_sid: str) -> set[Kind]:
        paths = {kind: self.path(kind, call_sid) for kind in KINDS}
        if paths["journals"] is not None:
            # A record that waits for the database (`stores.waiting_records`).
            _unlinked(self.folder / "records" / f"{call_sid}.json")
        return {kind for kind, path in paths.items() if path is not None and _unlinked(path)}

    def _delete_older(self, kind: Kind, moment: float) -> int:
        return sum(_unlinked(path) for path in self.paths(kind) if _is_older(path, moment))


def _found(path: Path) -> StoredFile | None:
    if not path.is_file():
        return None
    about = path.stat()

    async def read(first: int, end: int) -> AsyncIterator[bytes]:
        async for piece in read_file(path, first, end):
            yield piece

    return StoredFile(
        about.st_size, about.st_mtime, f"{about.st_mtime_ns:x}-{about.st_size:x}", read
    )


async def read_file(path: Path, first: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from `first` to `end`. Raises `OSError`."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        while first < end:
            piece = await asyncio.to_thread(file.read, min(_PIECE_BYTES, end - first))
            if not piece:
                return
            first += len(piece)
            yield piece
    finally:
        file.close()


def _unlinked(path: Path) -> bool:
    there = path.is_file()
    path.unlink(missing_ok=True)
    return there


def _is_older(path: Path, moment: float) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime < moment
    return False
