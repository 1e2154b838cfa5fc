"""The thread that writes the journals of a process to disk.

It wakes for news of a call, and otherwise a few times a second, and writes what each file has got
in one go: a thread that woke for every line would cost more than the lines. What waits is bounded
by lines; what a file could not take, a full disk say, it is told of with the next lines that it
can take.

    resource         acquired            released
    the thread       JournalWriter()     close()
    a file           its first lines     its last (`data` None), or close()
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

log = logging.getLogger("hookflash.journal")

LostNote = Callable[[float, int], bytes]

_BATCH_SECONDS = 0.1
"""How long the thread waits for more before it writes what is not urgent."""


class Chunk(NamedTuple):
    """Lines for a file, or its closing (`data` None)."""

    path: Path
    data: bytes | None
    lines: int
    at: float


class JournalWriter:
    """The thread that writes. `put` is called in one thread only, and never waits.

    `queue_lines` bounds what may wait. `note(at, lines)` makes the line which says that lines were
    lost.
    """

    def __init__(self, queue_lines: int, note: LostNote) -> None:
        self.error: OSError | None = None
        self._room = queue_lines
        self._queue: deque[Chunk | threading.Event] = deque()
        # Each is counted up by one thread alone, so that no lock is needed.
        self._taken = 0
        self._refused = 0
        self._done = 0
        self._failed = 0
        self._overfull = False
        self._news = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._files = _Files(note)
        self._thread = threading.Thread(target=self._run, name="hookflash-journal", daemon=True)
        self._thread.start()

    def put(self, chunk: Chunk, *, urgent: bool) -> bool:
        """Queue a chunk for its file, to be written at once if it is `urgent`. Return whether
        there was room."""
        waiting = self._taken - self._done
        if chunk.lines and waiting + chunk.lines > self._room:
            if not self._overfull:
                self._overfull = True
                log.warning("! the disk is too slow: lines of journals are lost")
            self._refused += chunk.lines
            return False
        self._overfull = False
        self._taken += chunk.lines
        self._queue.append(chunk)
        if urgent and not self._hurry.is_set():
            self._hurry.set()
        if not self._news.is_set():
            self._news.set()
        return True

    @property
    def lost(self) -> int:
        """How many lines never reached their files."""
        return self._refused + self._failed

    def flush(self, seconds: float) -> bool:
        done = threading.Event()
        self._queue.append(done)
        self._hurry.set()
        self._news.set()
        return done.wait(seconds)

    def close(self) -> None:
        self._closing = True
        self._hurry.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not (self._closing and not self._queue):
            self._news.wait()
            self._hurry.wait(_BATCH_SECONDS)
            # Cleared before the queue is looked at, so that nothing put meanwhile is forgotten.
            self._news.clear()
            if not self._closing:
                self._hurry.clear()
            self._write()
        self._files.close()

    def _write(self) -> None:
        """Write what is queued; the lines of one file in one go."""
        batch: dict[Path, list[Chunk]] = {}
        asking: list[threading.Event] = []
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, threading.Event):
                asking.append(item)
            else:
                batch.setdefault(item.path, []).append(item)
        for path, chunks in batch.items():
            try:
                self._files.write(path, chunks)
            except OSError as error:
                if self.error is None:
                    log.warning("! a journal cannot be written, its call goes on: %s", error)
                self.error = error
                self._failed += sum(chunk.lines for chunk in chunks)
            self._done += sum(chunk.lines for chunk in chunks)
        for each in asking:
            each.set()


class _Files:
    """The open files. What one could not take, it is told of with the next lines it can."""

    def __init__(self, note: LostNote) -> None:
        self._note = note
        self._open: dict[Path, BinaryIO] = {}
        self._lost: dict[Path, int] = {}

    def write(self, path: Path, chunks: list[Chunk]) -> None:
        lines = [chunk for chunk in chunks if chunk.data is not None]
        try:
            if lines:
                self._append(path, lines)
        except OSError:
            self._lost[path] = self._lost.get(path, 0) + sum(chunk.lines for chunk in lines)
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
            # Unbuffered: what comes here is a batch already, and each call has a file.
            file = self._open[path] = path.open("ab", buffering=0)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        self._lost.pop(path, None)
