"""The time that a tool has, which stands still while it waits for a human.

    RUNNING --a wait begins--> STANDING --the last wait ends--> RUNNING --> OVER

The tool whose time it is, is known by a context variable, which follows the tool into its thread
and into the tasks that it makes. When the tool is over, so are its waits: nobody would hear them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from hookflash.errors import ToolError


class _ToolTime:
    """What is left of the time of one tool. Used in the event loop's thread."""

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self._deadline = deadline
        self._left = 0.0
        self._waits: set[asyncio.Task[object]] = set()
        self._over = False

    def stop(self, wait: asyncio.Task[object]) -> None:
        if self._over or self._deadline.expired():
            raise ToolError("Nobody waits for this any more.")
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


_current: ContextVar[_ToolTime | None] = ContextVar("hookflash_tool_time", default=None)


@contextlib.contextmanager
def timed_by(deadline: asyncio.Timeout) -> Iterator[None]:
    """A tool runs in this block, and its time is that of `deadline`."""
    time = _ToolTime(deadline)
    token = _current.set(time)
    try:
        yield
    finally:
        _current.reset(token)
        time.end()


@contextlib.contextmanager
def standing_still() -> Iterator[None]:
    """The tool that we are in, if we are in one, waits for a human in this block.

    Raises `ToolError` when that tool is over, and cancels the wait when it ends meanwhile.
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
