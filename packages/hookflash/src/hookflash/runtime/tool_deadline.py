"""The deadline of a running tool. It is paused while the tool waits for a human.

    RUNNING --a wait begins--> PAUSED --the last wait ends--> RUNNING --> ENDED

A context variable holds the tool's deadline. It follows the tool into its thread and its tasks.
When the tool ends, its waits are cancelled, because their answers are no longer needed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from hookflash.errors import ToolError


class _ToolDeadline:
    """The remaining time of one tool. Use it in the event loop's thread."""

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self._deadline = deadline
        self._left = 0.0
        self._waits: set[asyncio.Task[object]] = set()
        self._over = False

    def stop(self, wait: asyncio.Task[object]) -> None:
        if self._over or self._deadline.expired():
            raise ToolError("The tool has already ended, so no answer can be used.")
        if not self._waits:
            due = self._deadline.when()
            assert due is not None
            self._left = due - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)
        self._waits.add(wait)

    def go_on(self, wait: asyncio.Task[object]) -> None:
        self._waits.discard(wait)
        if not self._waits and not self._over:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._left)

    def end(self) -> None:
        self._over = True
        for wait in self._waits:
            wait.cancel()


_current: ContextVar[_ToolDeadline | None] = ContextVar("hookflash_tool_time", default=None)


@contextlib.contextmanager
def tool_deadline(deadline: asyncio.Timeout) -> Iterator[None]:
    """Run a tool in this block with `deadline` as its deadline."""
    time = _ToolDeadline(deadline)
    token = _current.set(time)
    try:
        yield
    finally:
        _current.reset(token)
        time.end()


@contextlib.contextmanager
def paused_deadline() -> Iterator[None]:
    """Pause the current tool's deadline in this block, if a tool is running.

    Raises `ToolError` if that tool has ended, and cancels the wait if it ends meanwhile.
    """
    time, task = _current.get(), asyncio.current_task()
    if time is None or task is None:
        yield
        return
    time.stop(task)
    try:
        yield
    finally:
        time.go_on(task)
