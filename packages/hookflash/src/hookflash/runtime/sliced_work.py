"""Run long work in slices between turns of the event loop, and run what depends on it afterwards.

Rebuilding an hour-long call takes a second of CPU time. Done at once it would block the audio of
every other call. So each turn of the loop does a few milliseconds of it.

    resource     acquired       released
    the task     RestoreTask()  its end, or close()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

_T = TypeVar("_T")

SLICE_STEPS = 250
"""The largest number of steps in one turn of the loop."""

SLICE_SECONDS = 0.002
"""The time to work in one turn of the loop. A started step is finished."""


async def in_slices(work: Generator[None, None, _T]) -> _T:
    """Run a generator to its end, one slice per turn of the loop. Return its return value."""
    time = asyncio.get_running_loop().time
    while True:
        until = time() + SLICE_SECONDS
        for _ in range(SLICE_STEPS):
            try:
                next(work)
            except StopIteration as done:
                result: _T = done.value
                return result
            if time() >= until:
                break
        await asyncio.sleep(0)


class RestoreTask:
    """A call that is being restored. Use it in the event loop's thread.

    `restore` runs in its own task, independent of its waiters, and must not raise. Functions passed
    to `then` run in order, in the same turn of the loop in which `restore` ends. So nothing that
    arrives later can overtake them.
    """

    def __init__(
        self, restore: Coroutine[Any, Any, None], *, name: str, on_end: Callable[[], None]
    ) -> None:
        self._waiting: list[tuple[Callable[[], None], asyncio.Future[Any]]] = []
        self._on_end = on_end
        self._task = asyncio.get_running_loop().create_task(self._run(restore), name=name)

    def then(self, act: Callable[[], _T]) -> Awaitable[_T]:
        """Run `act` when the call is restored, even if nothing awaits its result any more.

        The awaitable returns what `act` returns and raises what it raises.
        """
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                result = act()
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self._waiting.append((run, future))
        return future

    async def close(self) -> None:
        """Cancel the restore and its waiters, when the process ends. No waiting function runs."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, restore: Coroutine[Any, Any, None]) -> None:
        try:
            await restore
        except BaseException:
            self._on_end()
            for _, future in self._waiting:
                future.cancel()
            raise
        self._on_end()
        for run, _ in self._waiting:
            run()
