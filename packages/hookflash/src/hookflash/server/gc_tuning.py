"""Reduce the pauses of Python's garbage collector.

With default settings and 150 calls, the collector stops the process for 0.1 s every few seconds.
Objects that a call makes for a frame are freed by reference counting, so the collector may run
rarely. Objects that existed before the first call are not scanned at all.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_YOUNG, _MIDDLE, _OLD = 5_000, 10, 10
"""Collection thresholds of the three generations, for `gc.set_threshold`."""


@contextlib.contextmanager
def reduced_gc() -> Iterator[None]:
    """Collect less often while the block runs, and only objects that were made in it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
