"""Run the worker threads of anyio and aiosqlite inline on a virtual loop.

`VirtualLoop.run_in_executor` covers asyncio's threads. anyio (with which Starlette reads files) and
aiosqlite start their own threads: the virtual clock would advance while those work.
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
    """Run anyio's worker functions and SQLite inline on virtual loops while the block runs."""
    original_run_sync = anyio.to_thread.run_sync
    original_connect = aiosqlite.connect

    def connect(database: Any, **options: Any) -> aiosqlite.Connection:
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            return InlineConnection(str(database), {})
        return original_connect(database, **options)

    async def run_sync(func: Any, *args: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            return await loop.run_in_executor(None, func, *args)
        return await original_run_sync(func, *args, **options)

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]  # the same, less exactly typed
    aiosqlite.connect = connect
    try:
        yield
    finally:
        aiosqlite.connect = original_connect
        anyio.to_thread.run_sync = original_run_sync
