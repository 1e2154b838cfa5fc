"""The owner of every task of the stand-in carrier.

A task that fails is not lost: its error is stored, and `close` raises it. So a mistake in
a test's script or in this package fails the test that made it.

resource | acquired   | released
task     | `start`    | when it ends by itself, or by `close`, which cancels and awaits the rest
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self.errors: list[Exception] = []

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    @property
    def names(self) -> list[str]:
        """What is running, for messages."""
        return sorted(task.get_name() for task in self._running)

    async def settle(self, prefix: str, real_seconds: float) -> None:
        """Wait until no task named `prefix...` is running, at most `real_seconds`."""
        try:
            async with asyncio.timeout(real_seconds):
                while waiting := [t for t in self._running if t.get_name().startswith(prefix)]:
                    await asyncio.wait(waiting)
        except TimeoutError:
            return

    async def close(self) -> None:
        """Cancel and await everything; raise the stored errors, as one group."""
        while self._running:
            running = list(self._running)
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            # Done callbacks run one turn of the loop later.
            await asyncio.sleep(0)
        if self.errors:
            errors, self.errors = self.errors, []
            raise ExceptionGroup("the stand-in carrier or a script failed", errors)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            self.errors.append(error)


async def first_of(*works: Awaitable[Any]) -> int:
    """Wait until one of `works` is done, cancel the others, and return its number."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return min(tasks.index(task) for task in done)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
