"""The journal files, written by the thread of a `DiskQueue`.

All lines of a batch for one file are written at once, because waking the thread for every line
would cost more than writing. If the disk cannot take lines, for example because it is full, their
number is noted in the file with the next lines that it takes.

    resource   acquired           released
    a file     its first lines    its last chunk (`data` None), or close()
"""

from __future__ import annotations

from collections.abc import Callable
from os import SEEK_END
from pathlib import Path
from typing import IO, NamedTuple

from hookflash.private_files import open_file

LostNote = Callable[[float, int], bytes]


class Chunk(NamedTuple):
    """Lines for a file, or its closing (`data` None). `size` is the number of lines."""

    path: Path
    data: bytes | None
    size: int
    at: float


class JournalFiles:
    """The open files. `note(at, lines)` returns the line which says that lines were lost."""

    def __init__(self, note: LostNote) -> None:
        self._note = note
        self._open: dict[Path, IO[bytes]] = {}
        self._lost: dict[Path, int] = {}

    def write(self, path: Path, chunks: list[Chunk]) -> None:
        """Write the chunks of one file. Raises `OSError`."""
        lines = [chunk for chunk in chunks if chunk.data is not None]
        try:
            if lines:
                self._append(path, lines)
        except OSError:
            self._lost[path] = self._lost.get(path, 0) + sum(chunk.size for chunk in lines)
            raise
        finally:
            if len(lines) < len(chunks):
                self._lost.pop(path, None)
                file = self._open.pop(path, None)
                if file is not None:
                    file.close()

    def close(self) -> None:
        for file in self._open.values():
            file.close()

    def _append(self, path: Path, chunks: list[Chunk]) -> None:
        data = b"".join(chunk.data or b"" for chunk in chunks)
        if path in self._lost:
            data = self._note(chunks[0].at, self._lost[path]) + data
        file = self._open.get(path)
        if file is None:
            # Unbuffered: the chunks are already a batch, and each call has its own file.
            file = self._open[path] = open_file(path, "a+b", 0)
            if file.tell() and file.seek(-1, SEEK_END) >= 0 and file.read(1) != b"\n":
                # A process died while writing: end its incomplete line first.
                data = b"\n" + data
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        self._lost.pop(path, None)
