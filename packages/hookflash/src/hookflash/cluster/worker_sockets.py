"""The sockets of the workers of one data folder: how workers find each other.

    DATA/workers/LINE.NAME.ask      where worker NAME takes requests
    DATA/workers/LINE.NAME.media    where worker NAME receives media sockets
    DATA/workers/claims/CALL        which worker has a call (see `claims`)

LINE is a digest of the public URL: lines with different numbers may share a data folder. A name
belongs to one process and is never reused. So a socket that nothing answers belongs to a dead
process. The folder is private to its owner, because anyone with access could pose as a worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from random import Random

from hookflash.errors import ConfigError
from hookflash.private_files import create_folder, restrict
from hookflash.world import SYSTEM

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
_ASK, _MEDIA = ".ask", ".media"
_LONGEST_PATH = 100
"""A socket path has at most 104 to 108 bytes including the final zero. Source: unix(7)."""
_LONGEST_FILE = 1 + 8 + 1 + 24 + 6


def new_name(slot: int, entropy: Random = SYSTEM.entropy("worker-names")) -> str:
    """Return a unique name for the process in slot `slot`."""
    return f"w{slot}-{entropy.randbytes(4).hex()}"


class WorkerSockets:
    """The sockets of the workers of the line at `public_url`.

    Raises `ConfigError` if the folder cannot be made private.
    """

    def __init__(self, data_dir: Path, *, public_url: str) -> None:
        self._line = _digest(public_url.rstrip("/").encode(), 8)
        workers = data_dir.absolute() / "workers"
        self.claims = workers / "claims"
        self._sockets = workers
        if len(os.fsencode(workers)) + _LONGEST_FILE > _LONGEST_PATH:
            # The path is too long for a socket: use a temporary folder derived from it.
            mark = _digest(os.fsencode(data_dir.resolve()), 16)
            self._sockets = Path(tempfile.gettempdir()) / f"hookflash-{os.getuid()}-{mark}"
        self._in_temp_dir = self._sockets != workers
        for folder in (workers, self.claims, self._sockets):
            _make_private(folder)

    def request_path(self, name: str) -> Path:
        """Return the path of the socket where worker `name` takes requests."""
        return self._sockets / f"{self._line}.{name}{_ASK}"

    def media_path(self, name: str) -> Path:
        """Return the path of the socket where worker `name` receives media sockets."""
        return self._sockets / f"{self._line}.{name}{_MEDIA}"

    def names(self) -> list[str]:
        """Return the workers of the line that have a socket, whether or not they answer.

        Raises `OSError` if the folder cannot be read.
        """
        ours = re.compile(rf"{self._line}\.({NAME.pattern}){re.escape(_ASK)}")
        try:
            with os.scandir(self._sockets) as entries:
                found = [ours.fullmatch(entry.name) for entry in entries]
        except FileNotFoundError:
            return []
        return sorted(match[1] for match in found if match is not None)

    def prepare(self) -> None:
        """Create the folder again if the last worker has removed it."""
        _make_private(self._sockets)

    def remove(self, name: str) -> None:
        """Remove the sockets of a process that is gone or is ending."""
        for path in (self.request_path(name), self.media_path(name)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        if self._in_temp_dir:
            with contextlib.suppress(OSError):
                self._sockets.rmdir()


def _digest(of: bytes, length: int) -> str:
    return hashlib.sha256(of).hexdigest()[:length]


def _make_private(folder: Path) -> None:
    try:
        create_folder(folder)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; set HOOKFLASH_DATA_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to another user: remove it, or set HOOKFLASH_DATA_DIR")
    restrict(folder)
