"""Python's garbage collector, kept from stopping the calls.

Left to itself it looks at every object of the process again and again: with a hundred and fifty
calls that is a pause of a tenth of a second every few seconds, for all of them at once. What a
call makes for a frame is gone with the frame, without the collector, so it may come seldom; and
what was there before the first call is not looked at at all.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_YOUNG, _MIDDLE, _OLD = 5_000, 10, 10
"""New objects that stay, per look at the new ones; such looks per look at more of them."""


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """While the block runs, look at what it makes only, and less often than Python would."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
