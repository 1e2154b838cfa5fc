"""The world port: what Hookflash takes from the machine, other than sockets and files.

    wall, monotonic   the time
    entropy           randomness, one named stream for each purpose
    start_thread      a thread for a function that blocks
    queue             one thread that works off what it is handed
    stamp             the modification time of a file that was just written
    sqlite            connections to SQLite files

`SYSTEM` is the machine itself. A simulation hands in another world, in which all of this follows
from a seed and a virtual clock and no thread is started. So nothing else may read a clock or draw
random numbers: `tests/test_clocks.py` enforces it. Event loops, tasks and timers are asyncio's.
"""

from __future__ import annotations

import base64
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Generic, Protocol, TypeVar

_T = TypeVar("_T")
_T_contra = TypeVar("_T_contra", contravariant=True)

Connect = Callable[[str], Awaitable[Any]]
"""Opens an SQLite file, by its path: an awaitable of an `aiosqlite.Connection`."""


class WorkQueue(Protocol[_T_contra]):
    """Items handed to one thread, which takes them in batches and in order."""

    def put(self, item: _T_contra, *, urgent: bool = False) -> None:
        """Hand over an item. Never waits. An `urgent` item does not wait for others."""
        ...

    def flush(self, seconds: float) -> bool:
        """Wait until all items put so far were worked off. Return False after `seconds`."""
        ...

    def close(self) -> None:
        """Work off what was put, then end the thread."""
        ...


class World(Protocol):
    """The machine, or a simulation of it."""

    def wall(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment. They never go back."""
        ...

    def entropy(self, name: str) -> Random:
        """Return the stream of random numbers for the purpose `name`, always the same one.

        Purposes have their own streams, so that one more number drawn in one place does not
        change what is drawn in another.
        """
        ...

    def start_thread(self, run: Callable[[], None], name: str) -> None:
        """Run a function in a thread that does not keep the process alive."""
        ...

    def queue(
        self,
        name: str,
        work: Callable[[list[_T]], None],
        *,
        batch_seconds: float,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> WorkQueue[_T]:
        """Return a queue whose thread calls `work` with each batch of items.

        The thread waits up to `batch_seconds` for more items. It calls `begin` before the first
        batch and `end` after the last. Whatever they raise ends the thread.
        """
        ...

    def stamp(self, path: Path) -> None:
        """Let the modification time of a file that was just written be that of `wall`."""
        ...

    @property
    def sqlite(self) -> Connect | None:
        """What opens SQLite files; None: the driver itself, with a thread for each connection."""
        ...


class ThreadQueue(Generic[_T]):
    """A `WorkQueue` with a thread.

    resource     acquired         released
    the thread   ThreadQueue()    close()
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[_T]], None],
        *,
        batch_seconds: float,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        self._work = work
        self._batch_seconds = batch_seconds
        self._begin = begin
        self._end = end
        self._items: deque[_T | threading.Event] = deque()
        self._news, self._hurry = threading.Event(), threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: _T, *, urgent: bool = False) -> None:
        self._items.append(item)
        # Looking costs less than setting, and most items find both set already.
        if urgent and not self._hurry.is_set():
            self._hurry.set()
        if not self._news.is_set():
            self._news.set()

    def flush(self, seconds: float) -> bool:
        done = threading.Event()
        self._items.append(done)
        self._wake()
        return done.wait(seconds)

    def close(self) -> None:
        self._closing = True
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        self._hurry.set()
        self._news.set()

    def _run(self) -> None:
        if self._begin is not None:
            self._begin()
        while not (self._closing and not self._items):
            self._news.wait()
            self._hurry.wait(self._batch_seconds)
            # Cleared before the items are taken, so that none put meanwhile is forgotten.
            self._news.clear()
            if not self._closing:
                self._hurry.clear()
            self._take()
        if self._end is not None:
            self._end()

    def _take(self) -> None:
        batch: list[_T] = []
        asking: list[threading.Event] = []
        while self._items:
            item = self._items.popleft()
            if isinstance(item, threading.Event):
                asking.append(item)
            else:
                batch.append(item)
        if batch:
            self._work(batch)
        for each in asking:
            each.set()


class SystemWorld:
    """The machine itself. Its entropy is the operating system's, fit for secrets."""

    sqlite: Connect | None = None

    def __init__(self) -> None:
        # It has no state, so one serves every purpose.
        self._entropy = SystemRandom()

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def entropy(self, name: str) -> Random:
        return self._entropy

    def start_thread(self, run: Callable[[], None], name: str) -> None:
        threading.Thread(target=run, name=name, daemon=True).start()

    def queue(
        self,
        name: str,
        work: Callable[[list[_T]], None],
        *,
        batch_seconds: float,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> WorkQueue[_T]:
        return ThreadQueue(name, work, batch_seconds=batch_seconds, begin=begin, end=end)

    def stamp(self, path: Path) -> None:
        """The file system has done it."""


SYSTEM = SystemWorld()


def url_token(entropy: Random, size: int) -> str:
    """Return `size` random bytes as text that needs no quoting in a URL."""
    return base64.urlsafe_b64encode(entropy.randbytes(size)).rstrip(b"=").decode("ascii")
