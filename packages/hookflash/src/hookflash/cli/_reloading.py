"""Run a server in a child process, and start it again when a file changes.

A change ends the child with SIGTERM and without waiting for calls: the next child continues them
from their journals. Looked at are Python files in a folder, `.env` and `hookflash.toml`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import click

LOOK_SECONDS = 0.5
_pause = threading.Event()
"""Is never set: waiting for it is a pause, which Ctrl-C ends."""
_MOST_FILES = 2000
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


def run_reloading(
    program: list[str], folder: Path, *, sleep: Callable[[float], object] = _pause.wait
) -> int:
    """Run `program` until it is interrupted, and return its exit code.

    A program that fails is started again after the next change.
    """
    environ = os.environ | {"HOOKFLASH_DRAIN_SECONDS": "0"}
    while True:
        before = stamps(folder)
        child = subprocess.Popen(program, env=environ)
        try:
            changed = None
            while changed is None:
                sleep(LOOK_SECONDS)
                changed = first_change(before, stamps(folder))
        except KeyboardInterrupt:
            # The terminal has sent the signal to the child, too.
            return child.wait()
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                child.wait()
        click.echo(f"hookflash: {changed} has changed: the server starts again", err=True)


def stamps(folder: Path) -> dict[str, int]:
    """Return the modification times of the files that are looked at, in nanoseconds."""
    found: dict[str, int] = {}
    files = [Path(".env"), Path("hookflash.toml")]
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in _SKIPPED and not each.startswith(".")]
        files += [Path(root, name) for name in names if name.endswith(".py")]
        if len(files) > _MOST_FILES:
            break
    for file in files:
        try:
            found[str(file)] = file.stat().st_mtime_ns
        except OSError:
            continue
    return found


def first_change(before: dict[str, int], after: dict[str, int]) -> str | None:
    """Return the first file that was changed, added or removed, or None."""
    return next(
        (
            name
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ),
        None,
    )
