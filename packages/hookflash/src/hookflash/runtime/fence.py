"""The fence around the owner's code: tools, policies, and the hooks of an agent.

Whatever that code raises is a failure of that code alone. Python's errors that end a program
(`SystemExit`, also by `exit()`, and `KeyboardInterrupt`) would end the event loop, and with it
every call: asyncio raises them again out of the task in which they arise. So all code of an owner
runs in `fenced`, which turns them into `OwnerCodeError`. Only a cancellation of the task itself
goes through.

Not covered is a task that the owner's code starts by itself: asyncio runs it, not the fence.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


class OwnerCodeError(Exception):
    """Code of the owner raised something that is no `Exception`: its `__cause__`."""


async def fenced(function: Callable[..., Any], /, *args: Any) -> Any:
    """Call `function`, await what it returns if that can be awaited, and return the result.

    Raises an `Exception`, whatever the function raises, or `CancelledError` when the current task
    is cancelled.
    """
    task = asyncio.current_task()
    try:
        result = function(*args)
        return await result if inspect.isawaitable(result) else result
    except Exception:
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError):
            ours = task is None or task.cancelling() > 0
        else:
            # A coroutine that nobody runs any more is closed, which is no failure of its code.
            ours = isinstance(error, GeneratorExit) and not _runs(task)
        if ours:
            raise
        raise failure(error) from error


def failure(error: BaseException) -> Exception:
    """Return `error` as an `Exception` that a future and a task can carry.

    A future refuses `StopIteration`, which would end the coroutine that awaits it.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    what = OwnerCodeError(f"the owner's code raised {type(error).__name__}")
    what.__cause__ = error
    return what


def _runs(task: asyncio.Task[Any] | None) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:
        # No event loop runs.
        return False
