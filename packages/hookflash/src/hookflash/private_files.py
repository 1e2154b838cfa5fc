"""Create the files and folders of the data folder, so that only their owner can read them.

Folders have mode 0700 and files 0600, whatever the umask and whatever they had before. No other
module of Hookflash creates a file or folder: `tests/test_private_files.py` reads all of them.

    make_folder(folder)        a folder of the data folder, private even if it exists already
    create_folder(folder)      a folder anywhere else; one that exists is left alone
    open_file(path, mode)      a file, created if the mode allows it
    make_file(path)            an empty file for a library that opens it by its name (SQLite)
    restrict(path)             a file, folder or socket that exists
    restrict_trees(paths)      what an earlier version has created with wider modes

Windows has no such modes: there, the folder's own access list counts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

log = logging.getLogger("hookflash.files")

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_HAS_MODES = os.name == "posix"


def make_folder(folder: Path) -> bool:
    """Create `folder` and its missing parents, each with mode 0700. Raises `OSError`.

    A folder that exists is restricted, with a log line. If that is not possible, or if the folder
    belongs to another user, a warning says what to do. Parents that exist are left alone.

    Return whether others could read what was in it: then `restrict_trees` is due.
    """
    return not create_folder(folder) and _restrict_existing(folder)


def create_folder(folder: Path) -> bool:
    """Create `folder` and its missing parents, each with mode 0700.

    Return False if it exists already; then nothing is changed. Raises `OSError`.
    """
    if folder.is_dir():
        return False
    if not folder.parent.is_dir():
        create_folder(folder.parent)
    try:
        folder.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():
            raise
        # Another process has just created it.
        return False
    # The umask may have taken away what the owner needs.
    folder.chmod(FOLDER_MODE)
    return True


def _restrict_existing(folder: Path) -> bool:
    if not _HAS_MODES:
        return False
    found = folder.stat()
    if found.st_uid != os.geteuid() != 0:
        log.warning(
            "! %s belongs to user %d, who can read the calls in it; change its owner to user %d, or"
            " set HOOKFLASH_DATA_DIR to another folder",
            *(folder, found.st_uid, os.geteuid()),
        )
        return True
    before = stat.S_IMODE(found.st_mode)
    try:
        changed = restrict(folder)
    except OSError as error:
        log.warning(
            "! %s can be read by other users of this machine (mode %04o), and its mode cannot be"
            " changed: %s; set HOOKFLASH_DATA_DIR to a folder that allows mode 0700",
            *(folder, before, error.strerror),
        )
        return True
    if changed:
        log.warning(
            "! %s could be read by other users of this machine (mode %04o); its mode is now %04o",
            *(folder, before, FOLDER_MODE),
        )
    return changed


def open_file(path: Path, mode: str, buffering: int = -1) -> IO[Any]:
    """Open a file as `open` does; a file that is created has mode 0600. Raises `OSError`.

    A file that exists with a wider mode is restricted. Text is UTF-8.
    """
    return open(
        path,
        mode,
        buffering,
        encoding=None if "b" in mode else "utf-8",
        opener=lambda name, flags: open_descriptor(Path(name), flags),
    )


def open_descriptor(path: Path, flags: int) -> int:
    """Open a file as `os.open` does, with mode 0600. Return its descriptor. Raises `OSError`."""
    number = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
    if _HAS_MODES:
        found = os.fstat(number).st_mode
        if stat.S_ISREG(found) and stat.S_IMODE(found) != FILE_MODE:
            # It belongs to another user: `make_folder` has warned of the folder.
            with contextlib.suppress(OSError):
                os.fchmod(number, FILE_MODE)
    return number


def write_file(path: Path, data: bytes | str) -> None:
    """Write a whole file; text is UTF-8. Raises `OSError`."""
    with open_file(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def make_file(path: Path) -> None:
    """Create an empty file if there is none, else restrict it. Raises `OSError`.

    An existing file is not opened: closing it would release the locks that this process has on it
    (fcntl(2)), such as those of SQLite.
    """
    try:
        os.close(open_descriptor(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        # It belongs to another user, who decides about it.
        with contextlib.suppress(PermissionError):
            restrict(path)


def restrict(path: Path) -> bool:
    """Restrict a folder to mode 0700, anything else to 0600. Return whether that changed it.

    Links are followed. A mode that is narrower stays. Raises `OSError`.
    """
    if not _HAS_MODES:
        return False
    found = path.stat().st_mode
    allowed = FOLDER_MODE if stat.S_ISDIR(found) else FILE_MODE
    mode = stat.S_IMODE(found)
    if mode & ~allowed == 0:
        return False
    path.chmod(mode & allowed)
    return True


def restrict_trees(paths: Iterable[Path]) -> int:
    """Restrict these files and folders and everything in them. Return how many were changed.

    Paths that do not exist are skipped, links in a folder are not followed. One log line says how
    many were changed, one warning how many could not be. All of it is read, so do not call it in
    the event loop's thread.
    """
    if not _HAS_MODES:
        return 0
    changed = 0
    refused: list[str] = []
    first: Path | None = None
    for path in (found for each in paths for found in _tree(each)):
        try:
            if restrict(path):
                changed += 1
                first = first or path
        except FileNotFoundError:
            continue
        except OSError as error:
            refused.append(f"{path}: {error.strerror}")
    if changed:
        log.warning(
            "! %d files and folders could be read by other users of this machine, such as %s; they"
            " are private now",
            *(changed, first),
        )
    if refused:
        log.warning(
            "! %d files and folders can be read by other users of this machine and cannot be made"
            " private (%s); change their owner to user %d",
            *(len(refused), refused[0], os.geteuid()),
        )
    return changed


def _tree(path: Path) -> Iterator[Path]:
    """Yield a path and, if it is a folder, what is in it. A folder that cannot be read counts as
    empty."""
    yield path
    if not path.is_dir():
        return
    try:
        with os.scandir(path) as entries:
            found = [Path(entry.path) for entry in entries if not entry.is_symlink()]
    except OSError:
        return
    for each in found:
        yield from _tree(each)
