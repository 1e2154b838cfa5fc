"""Waiting for what an owner wrote, for a bounded time: an owner's hook may be slow, may fail, and
may refuse to be cancelled, and none of that may hold a call up.

    resource            acquired    released
    a task for a hook   within()    when it ends; one that is late is cancelled and not waited for
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

_leaving: set[asyncio.Task[Any]] = set()
"""Tasks that were cancelled and have not ended yet: the event loop alone would lose them."""


async def within(awaitable: Awaitable[_T], seconds: float) -> _T:
    """Return what `awaitable` returns, or raise what it raises.

    Raises `TimeoutError` when it takes longer than `seconds`, whether or not it ends when it is
    cancelled.
    """
    task = asyncio.ensure_future(_awaited(awaitable))
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            dismiss(task)
    if not done:
        raise TimeoutError
    if task.cancelled():
        # It cancelled itself, or something inside it was: a failure like any other, not our end.
        raise RuntimeError("it was cancelled from within")
    return task.result()


def dismiss(task: asyncio.Task[Any]) -> None:
    """Cancel `task`, and keep it until it has really ended."""
    task.cancel()
    _leaving.add(task)
    task.add_done_callback(_left)


def _left(task: asyncio.Task[Any]) -> None:
    _leaving.discard(task)
    if not task.cancelled():
        # Looked at, so that a failure after its time is not reported as lost.
        task.exception()


def _awaited(awaitable: Awaitable[_T]) -> Coroutine[Any, Any, _T]:
    async def run() -> _T:
        return await awaitable

    return run()
