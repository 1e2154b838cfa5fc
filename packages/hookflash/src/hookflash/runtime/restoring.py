"""Work that is done in slices between the turns of the event loop, and what waits for it, in order.

Rebuilding an hour's call takes a second of the processor. Done at once it would silence every other
call of the process; so a few milliseconds of it are done in each turn of the loop.

    resource     acquired       released
    the task     Restoring()    its end, or close()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

_T = TypeVar("_T")

SLICE_STEPS = 250
"""How many steps are done in a turn of the loop, at most."""

SLICE_SECONDS = 0.002
"""How long is worked in a turn of the loop. A step that has begun is finished."""


async def in_slices(work: Generator[None, None, _T]) -> _T:
    """Run a generator to its end, a slice in each turn of the loop, and return what it returns."""
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


class Restoring:
    """A call that is being restored. Used in the event loop's thread.

    `restore` runs in a task of its own and survives whoever waits for it. What `then` is given is
    done in order, in the very turn of the loop in which `restore` has ended: nothing that comes
    later can overtake it. `restore` must not raise.
    """

    def __init__(
        self, restore: Coroutine[Any, Any, None], *, name: str, on_end: Callable[[], None]
    ) -> None:
        self._waiting: list[tuple[Callable[[], None], asyncio.Future[Any]]] = []
        self._on_end = on_end
        self._task = asyncio.get_running_loop().create_task(self._run(restore), name=name)

    def then(self, act: Callable[[], _T]) -> Awaitable[_T]:
        """Do `act` when the call is restored, also if nobody waits for its result any more.

        The result, and what is raised, are those of `act`.
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
        """Give up, for a process that ends: nothing is done, and whoever waits is cancelled."""
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
