"""The world port: what Hookflash uses of the machine, besides sockets and files.

    wall, monotonic   the time
    entropy           randomness, one named stream per purpose
    start_thread      a thread for a blocking function
    queue             one thread that processes queued items
    stamp             the modification time of a file that was just written
    sqlite            connections to SQLite files

`SYSTEM` is the machine itself. A simulation passes in another world, in which all of this follows
from a seed and a virtual clock and no thread is started. So no other code may read a clock or draw
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
"""Opens an SQLite file by its path: an awaitable of an `aiosqlite.Connection`."""


class WorkQueue(Protocol[_T_contra]):
    """Items for one thread, which takes them in batches and in order."""

    def put(self, item: _T_contra, *, urgent: bool = False) -> None:
        """Queue an item. Never waits. An `urgent` item does not wait for a batch."""
        ...

    def flush(self, seconds: float) -> bool:
        """Wait until all items so far are processed. Return False after `seconds`."""
        ...

    def close(self) -> None:
        """Process what is queued, then end the thread."""
        ...


class World(Protocol):
    """The machine, or a simulation of it."""

    def wall(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary time; they never go back."""
        ...

    def entropy(self, name: str) -> Random:
        """Return the stream of random numbers for the purpose `name`, always the same one.

        Each purpose has its own stream, so that an additional number in one place does not change
        the numbers in another.
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
        """Set the modification time of a file that was just written to `wall`."""
        ...

    @property
    def sqlite(self) -> Connect | None:
        """Return the function that opens SQLite files; None for the driver, with a thread per
        connection."""
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
        # Checking costs less than setting, and for most items both are set already.
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
            # Cleared before taking the items, so that an item added meanwhile is not missed.
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
    """The machine itself. Its entropy is the operating system's, suitable for secrets."""

    sqlite: Connect | None = None

    def __init__(self) -> None:
        # It has no state, so one object serves every purpose.
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
        """Do nothing: the file system has set the time."""


SYSTEM = SystemWorld()


def url_token(entropy: Random, size: int) -> str:
    """Return `size` random bytes as text that needs no quoting in a URL."""
    return base64.urlsafe_b64encode(entropy.randbytes(size)).rstrip(b"=").decode("ascii")
