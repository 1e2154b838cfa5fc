"""Wait for the owner's code for a limited time.

A hook may be slow, may raise, and may ignore its cancellation. None of these delays a call.

    resource            acquired        released
    a task for a hook   wait_within()   when it ends; a late one is cancelled, but not awaited
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

_cancelled: set[asyncio.Task[Any]] = set()
"""Cancelled tasks that have not ended yet. The event loop holds only weak references to tasks."""


async def wait_within(awaitable: Awaitable[_T], seconds: float) -> _T:
    """Return what `awaitable` returns, or raise what it raises.

    Raises `TimeoutError` if it takes longer than `seconds`, even if it ignores its cancellation.
    """
    task = asyncio.ensure_future(_awaited(awaitable))
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            cancel_without_waiting(task)
    if not done:
        raise TimeoutError
    if task.cancelled():
        # The awaitable cancelled itself. That is its failure, not a cancellation of this task.
        raise RuntimeError("the awaited code cancelled itself")
    return task.result()


def cancel_without_waiting(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and hold a reference to it until it has ended."""
    task.cancel()
    _cancelled.add(task)
    task.add_done_callback(_left)


def _left(task: asyncio.Task[Any]) -> None:
    _cancelled.discard(task)
    if not task.cancelled():
        # Retrieve the exception, so that asyncio does not log it as never retrieved.
        task.exception()


def _awaited(awaitable: Awaitable[_T]) -> Coroutine[Any, Any, _T]:
    async def run() -> _T:
        return await awaitable

    return run()
