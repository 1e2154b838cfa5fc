"""Where the workers of one data folder are found: by their sockets' names.

    DATA/workers/LINE.NAME.ask      where NAME is asked about its calls
    DATA/workers/LINE.NAME.media    where NAME is handed media sockets
    DATA/workers/claims/CALL        who has a call (see `claims`)

LINE stands for the public URL: lines of different numbers may share a data folder. A name belongs
to one process and is never used again, so a socket that nobody answers is that of a process that
is gone. The folder is its owner's alone: who can reach it can speak for a worker.
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
from hookflash.world import SYSTEM

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
_ASK, _MEDIA = ".ask", ".media"
_LONGEST_PATH = 100
"""A socket's path has 104 to 108 bytes, the closing zero among them. Source: unix(7)."""
_LONGEST_FILE = 1 + 8 + 1 + 24 + 6


def new_name(slot: int, entropy: Random = SYSTEM.entropy("worker-names")) -> str:
    """Return a name for the process in place `slot`, like no other before or after."""
    return f"w{slot}-{entropy.randbytes(4).hex()}"


class Places:
    """The folder of the workers of the line at `public_url`.

    Raises `ConfigError` where the folder cannot be made private.
    """

    def __init__(self, data_dir: Path, *, public_url: str) -> None:
        self._line = _mark(public_url.rstrip("/").encode(), 8)
        workers = data_dir.absolute() / "workers"
        self.claims = workers / "claims"
        self._sockets = workers
        if len(os.fsencode(workers)) + _LONGEST_FILE > _LONGEST_PATH:
            # The path of a socket is short by law; all who share the data folder agree on this.
            mark = _mark(os.fsencode(data_dir.resolve()), 16)
            self._sockets = Path(tempfile.gettempdir()) / f"hookflash-{os.getuid()}-{mark}"
        self._borrowed = self._sockets != workers
        for folder in (workers, self.claims, self._sockets):
            _make_private(folder)

    def ask(self, name: str) -> Path:
        """Return the address at which `name` is asked."""
        return self._sockets / f"{self._line}.{name}{_ASK}"

    def media(self, name: str) -> Path:
        """Return the address at which `name` is handed media sockets."""
        return self._sockets / f"{self._line}.{name}{_MEDIA}"

    def names(self) -> list[str]:
        """Return who of the line has an address here, whether or not it still answers.

        Raises `OSError` for a folder that cannot be read.
        """
        ours = re.compile(rf"{self._line}\.({NAME.pattern}){re.escape(_ASK)}")
        try:
            with os.scandir(self._sockets) as entries:
                found = [ours.fullmatch(entry.name) for entry in entries]
        except FileNotFoundError:
            return []
        return sorted(match[1] for match in found if match is not None)

    def prepare(self) -> None:
        """Make sure that there is room for addresses: who left last may have cleared it away."""
        _make_private(self._sockets)

    def remove(self, name: str) -> None:
        """Take the addresses of a process that is gone, or about to go, out of the folder."""
        for path in (self.ask(name), self.media(name)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        if self._borrowed:
            with contextlib.suppress(OSError):
                self._sockets.rmdir()


def _mark(of: bytes, length: int) -> str:
    return hashlib.sha256(of).hexdigest()[:length]


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; set HOOKFLASH_DATA_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(f"{folder} is somebody else's: remove it, or set HOOKFLASH_DATA_DIR")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
