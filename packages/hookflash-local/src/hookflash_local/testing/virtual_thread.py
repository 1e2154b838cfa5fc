"""A thread with a virtual clock. A caller waits for its work without an event loop.

A test may have any event loop, or none. The clock moves only while a piece of work runs, so nothing
happens in a call between two lines of a test.

resource        | acquired   | released
thread and loop | `__init__` | `close`
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.threads import inline_worker_threads

T = TypeVar("T")


class VirtualThread:
    """Runs coroutines on one virtual loop, one after another. Tasks that they start stay."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="hookflash-virtual-clock")
        self._runner = asyncio.Runner(loop_factory=lambda: self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` until it is done, and return its result or raise its error."""
        return self._pool.submit(self._run, work).result()

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        with self._pool, contextlib.closing(self.loop):
            self._pool.submit(self._runner.close).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        # The threads that libraries start would work while the virtual clock goes on.
        with inline_worker_threads():
            return self._runner.run(work)
