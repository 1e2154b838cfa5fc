"""A bounded queue of items that one thread writes to files, with a count of lost items.

A slow disk never delays a call. Items that do not fit into the queue are refused. Items that the
disk cannot take are lost, and the call continues. Both are counted in the unit of `size`.

    resource     acquired       released
    the thread   DiskQueue()    close()
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from hookflash.world import WorkQueue, World


class DiskItem(Protocol):
    """An item to write to a file. An item of size 0 is always accepted."""

    @property
    def path(self) -> Path: ...

    @property
    def size(self) -> int: ...


_Item = TypeVar("_Item", bound=DiskItem)


class DiskQueue(Generic[_Item]):
    """Queue for one writing thread. `put` is called in one thread only and never waits.

    `write` is called in the queue's thread with items of one file: all those of a batch if
    `together`, otherwise one. It may raise `OSError`. `room` is the largest total size that may
    wait. `what` names the kind of file in log lines.
    """

    def __init__(
        self,
        world: World,
        write: Callable[[Path, list[_Item]], None],
        *,
        what: str,
        log: logging.Logger,
        room: int,
        batch_seconds: float,
        together: bool = False,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        self.error: OSError | None = None
        """The last error of the disk, or None."""
        self._write = write
        self._what = what
        self._log = log
        self._room = room
        self._together = together
        self._stamp = world.stamp
        # Each counter is written by one thread only, so no lock is needed.
        self._taken = self._refused = self._done = self._failed = 0
        self._overfull = False
        self._queue: WorkQueue[_Item] = world.queue(
            f"hookflash-{what}", self._work, batch_seconds=batch_seconds, begin=begin, end=end
        )

    @property
    def lost(self) -> int:
        """Return the total size that never reached its file."""
        return self._refused + self._failed

    def put(self, item: _Item, *, urgent: bool = False) -> bool:
        """Queue an item for its file. Return whether there was room for it."""
        size = item.size
        if size:
            if self._taken - self._done + size > self._room:
                if not self._overfull:
                    self._overfull = True
                    self._log.warning("! the disk is too slow: parts of a %s are lost", self._what)
                self._refused += size
                return False
            self._overfull = False
            self._taken += size
        self._queue.put(item, urgent=urgent)
        return True

    def flush(self, seconds: float) -> bool:
        """Wait until every queued item is written. Return False after `seconds`."""
        return self._queue.flush(seconds)

    def close(self) -> None:
        """Write what is queued, then end the thread."""
        self._queue.close()

    def _work(self, batch: list[_Item]) -> None:
        if not self._together:
            for item in batch:
                self._write_some(item.path, [item])
            return
        by_path: dict[Path, list[_Item]] = {}
        for item in batch:
            by_path.setdefault(item.path, []).append(item)
        for path, items in by_path.items():
            self._write_some(path, items)

    def _write_some(self, path: Path, items: list[_Item]) -> None:
        size = sum(item.size for item in items)
        try:
            self._write(path, items)
            self._stamp(path)
        except OSError as error:
            if self.error is None:
                self._log.warning(
                    "! a %s cannot be written, its call continues: %s", self._what, error
                )
            self.error = error
            self._failed += size
        self._done += size
