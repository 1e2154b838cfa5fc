"""Threads of libraries, whose work is done at once where the running loop is virtual.

`VirtualLoop.run_in_executor` covers what goes through asyncio. anyio, on which Starlette reads
files, and aiosqlite have threads of their own: a virtual clock would run on while they work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import aiosqlite
import anyio.to_thread

from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.world import InlineConnection


@contextlib.contextmanager
def inline_worker_threads() -> Iterator[None]:
    """Within the block, anyio's worker functions and SQLite run at once on a virtual loop."""
    in_a_thread = anyio.to_thread.run_sync
    with_a_thread = aiosqlite.connect

    def connect(database: Any, **options: Any) -> aiosqlite.Connection:
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            return InlineConnection(str(database), {})
        return with_a_thread(database, **options)

    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            return await loop.run_in_executor(None, func, *args)
        return await in_a_thread(func, *args, **options)

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]  # the same, less exactly typed
    aiosqlite.connect = connect
    try:
        yield
    finally:
        aiosqlite.connect = with_a_thread
        anyio.to_thread.run_sync = in_a_thread
