"""Worker threads of libraries, run at once where the running loop is virtual.

`VirtualLoop.run_in_executor` covers what goes through asyncio. anyio, on which Starlette reads
files, has threads of its own: a virtual clock would run on while they work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import anyio.to_thread

from hookflash.standins.simulation.loop import VirtualLoop


@contextlib.contextmanager
def inline_worker_threads() -> Iterator[None]:
    """Within the block, `anyio.to_thread.run_sync` runs its function at once on a virtual loop."""
    in_a_thread = anyio.to_thread.run_sync

    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            return await loop.run_in_executor(None, func, *args)
        return await in_a_thread(func, *args, **options)

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]  # the same, less exactly typed
    try:
        yield
    finally:
        anyio.to_thread.run_sync = in_a_thread
