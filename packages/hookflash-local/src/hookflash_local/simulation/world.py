"""Implement the world port on a virtual clock, with randomness from a seed.

No thread is started. Work for threads runs inline at the call: the work of queues, blocking
functions of the owner, and SQLite operations.

    resource              acquired               released
    a queue's files       `queue`                the queue's `close`, or `SimulatedWorld.close`
    an SQLite connection  `sqlite`, awaited      its `close`, or `SimulatedWorld.close`
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

import aiosqlite

from hookflash.stores.database import open_database

EPOCH = 1_800_000_000.0
"""The wall-clock time at which simulations begin, in seconds since 1970."""

_T = TypeVar("_T")


class InlineQueue(Generic[_T]):
    """A `WorkQueue` without a thread: `put` runs the work inline.

    Items that come after `close` are dropped, as they are when the thread has ended.
    """

    def __init__(
        self,
        work: Callable[[list[_T]], None],
        begin: Callable[[], None] | None,
        end: Callable[[], None] | None,
    ) -> None:
        self._work = work
        self._end = end
        self._closed = False
        if begin is not None:
            begin()

    def put(self, item: _T, *, urgent: bool = False) -> None:
        if not self._closed:
            self._work([item])

    def flush(self, seconds: float) -> bool:
        return True

    def close(self) -> None:
        closed, self._closed = self._closed, True
        if not closed and self._end is not None:
            self._end()


class SimulatedWorld:
    """The world of one simulated process. See `hookflash.world.World`.

    `loop` is the virtual loop, by default the running one. `epoch` is the wall time in seconds
    since 1970 at loop time 0. The same `seed` gives the same random numbers; each name has its own.
    """

    def __init__(
        self,
        seed: int | str,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        epoch: float = EPOCH,
    ) -> None:
        self._seed = seed
        self._epoch = epoch
        # Stored, because work that runs as if in a thread finds no running loop.
        self.monotonic = (loop or asyncio.get_running_loop()).time
        self._streams: dict[str, Random] = {}
        self._queues: list[InlineQueue[Any]] = []
        self._connections: dict[InlineConnection, None] = {}

    def wall(self) -> float:
        """Return the wall-clock time in seconds since 1970."""
        return self._epoch + self.monotonic()

    def entropy(self, name: str) -> Random:
        """Return the random generator of a name; the same name gives the same generator."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Random(f"{self._seed}/{name}")
        return stream

    def start_thread(self, run: Callable[[], None], name: str) -> None:
        """Run a function inline. Inside it no loop is running, as in a thread."""
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            run()
        finally:
            asyncio._set_running_loop(loop)

    def queue(
        self,
        name: str,
        work: Callable[[list[_T]], None],
        *,
        batch_seconds: float,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> InlineQueue[_T]:
        """Return a queue that runs its work inline. `put` raises what the work raises."""
        made = InlineQueue(work, begin, end)
        self._queues.append(made)
        return made

    def stamp(self, path: Path) -> None:
        """Set a file's modification time to the virtual wall-clock time."""
        # The work on the file may have deleted it.
        with contextlib.suppress(OSError):
            os.utime(path, (self.wall(), self.wall()))

    def sqlite(self, path: str) -> InlineConnection:
        """Return an awaitable connection to an SQLite file whose operations run inline."""
        return InlineConnection(path, self._connections)

    def close(self) -> None:
        """Close all open files and connections, as the end of a process does.

        Uncommitted transactions are rolled back.
        """
        for queue in self._queues:
            queue.close()
        for connection in list(self._connections):
            connection.abandon()


class _InlineExecutor:
    """Replaces the queue of a connection's thread: runs each function inline."""

    def put_nowait(self, entry: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = entry
        try:
            result = function()
        except BaseException as error:
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class InlineConnection(aiosqlite.Connection):
    """A connection whose thread is never started. Made by `SimulatedWorld.sqlite`.

    aiosqlite and SQLAlchemy pass functions to the thread through `_tx`, each with a future that
    they await. Here the future is done before it is awaited, so nothing else runs in between.
    """

    def __init__(self, path: str, opened: dict[InlineConnection, None]) -> None:
        super().__init__(lambda: sqlite3.connect(path), iter_chunk_size=64)
        self._tx = _InlineExecutor()  # type: ignore[assignment]  # only `put_nowait` is used
        self._opened = opened

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        connected = yield from self._connect().__await__()
        self._opened[self] = None
        return connected

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # As in aiosqlite, but without a future for each operation.
        if self._connection is None:
            raise ValueError("Connection closed")
        return fn(*args, **kwargs)

    def stop(self) -> asyncio.Future[Any] | None:
        self._opened.pop(self, None)
        return super().stop()

    def abandon(self) -> None:
        """Close the connection without the help of its owner."""
        self._opened.pop(self, None)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


_template: list[bytes] = []


async def make_database(path: Path) -> None:
    """Create an SQLite file at `path` with up-to-date tables.

    It is a copy of a template that is migrated once per process: a migration takes 0.1 s, which is
    almost as long as a simulated call.
    """
    if not _template:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "template.db"
            world = SimulatedWorld(0)
            engine = await open_database(f"sqlite:///{file}", connect=world.sqlite)
            await engine.dispose()
            _template.append(file.read_bytes())
    _write(path, _template[0])


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
