"""Run the owner's code (tools, policies and hooks of an agent) so that it cannot end the process.

`SystemExit` (also from `exit()`) and `KeyboardInterrupt` end a Python program: asyncio raises them
out of the task, and with the event loop every call would end. So all of the owner's code runs in
`run_owner_code`, which turns them into `OwnerCodeError`. Only a cancellation of the current task
passes through.

Limit: asyncio runs a task that the owner's code starts by itself, so that task is not protected.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


class OwnerCodeError(Exception):
    """The owner's code raised something that is not an `Exception`: see `__cause__`."""


async def run_owner_code(function: Callable[..., Any], /, *args: Any) -> Any:
    """Call `function`, await its result if it is awaitable, and return the result.

    Raises an `Exception`, whatever the function raises, or `CancelledError` if the current task is
    cancelled.
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
            # An abandoned coroutine is being closed. That is not a failure of its code.
            ours = isinstance(error, GeneratorExit) and not _runs(task)
        if ours:
            raise
        raise as_exception(error) from error


def as_exception(error: BaseException) -> Exception:
    """Return `error` as an `Exception` that a future and a task can carry.

    A future refuses `StopIteration`, because it would end the coroutine that awaits it.
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
        # No event loop is running.
        return False
