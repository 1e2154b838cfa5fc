"""Claim a call for one process.

    FREE --take()--> HELD by a process --release(), or its death--> FREE

A claim is a lock on a file that is named by the call and contains the holder's name. The kernel
releases the locks of a dead process. So another process can take the call at once, and only one
does. Source: flock(2).

A file is removed while its lock is held. A process that opened it just before then locks a file
that has no name any more; it notices and tries again.

    resource      acquired             released
    a file        take()               release(), close(), or the end of the process
    the thread    entering ClaimThread leaving it

All methods of `Claims` access the disk, which may be slow: the event loop uses a `ClaimThread`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from hookflash.errors import ConfigError
from hookflash.private_files import open_descriptor

if sys.platform != "win32":
    import fcntl

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Claims:
    """The claims of process `name` in `folder`. Use it in one thread at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._held: dict[str, int] = {}

    def take(self, call_sid: str) -> str:
        """Claim a call. Return the name of the holder: this process's, if the call was free.

        An empty name means that another process has just taken it. Raises `ConfigError` if
        `call_sid` is invalid, `OSError` if the disk fails.
        """
        if call_sid in self._held:
            return self._name
        path = self._path(call_sid)
        while True:
            # Not inherited by a child process, which would hold the lock.
            file = open_descriptor(path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(file, path):
                    os.ftruncate(file, 0)
                    os.pwrite(file, self._name.encode(), 0)
                    self._held[call_sid], file = file, -1
                    return self._name
            except BlockingIOError:
                return os.pread(file, 64, 0).decode("ascii", "replace")
            finally:
                if file >= 0:
                    os.close(file)

    def release(self, call_sid: str) -> None:
        """Release a call. Ignored if this process does not hold it."""
        file = self._held.pop(call_sid, -1)
        if file >= 0:
            try:
                with contextlib.suppress(FileNotFoundError):
                    self._path(call_sid).unlink()
            finally:
                os.close(file)

    def sweep(self) -> int:
        """Remove the files of dead processes. Return their number."""
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if _SID.fullmatch(entry.name)]
        mine = set(self._held)
        swept = [name for name in names if name not in mine and self.take(name) == self._name]
        for name in swept:
            self.release(name)
        return len(swept)

    def close(self) -> None:
        """Release all calls."""
        for call_sid in list(self._held):
            self.release(call_sid)

    def _path(self, call_sid: str) -> Path:
        if not _SID.fullmatch(call_sid):
            raise ConfigError(
                "a call SID is at most 64 letters, digits, _ and -; got"
                f" {call_sid[:80]!r}: the request does not come from a carrier"
            )
        return self._folder / call_sid


class ClaimThread:
    """Runs `Claims` in its own thread, in order.

    Entering sweeps the files of dead processes; leaving releases all calls.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._thread = ThreadPoolExecutor(1, "hookflash-claims")

    def __enter__(self) -> ClaimThread:
        self._thread.submit(self._claims.sweep)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.submit(self._claims.close)
        self._thread.shutdown()

    def take(self, call_sid: str) -> asyncio.Future[str]:
        """Start to claim a call. The result and the errors are those of `Claims.take`."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._claims.take, call_sid)

    def release(self, call_sid: str) -> None:
        """Release a call, after all earlier requests."""
        self._thread.submit(self._claims.release, call_sid)


def _is_at(file: int, path: Path) -> bool:
    """Return whether `path` still names the open `file`."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    opened = os.fstat(file)
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
