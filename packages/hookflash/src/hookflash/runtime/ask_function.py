"""Ask the owner's functions of a call: what they return depends on who calls, and why.

A plain function runs in a thread, an async one in the event loop. Either has a limited time, and
what it raises reaches only the one who asks.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.runtime.wait_within import wait_within


async def ask_function(
    function: Callable[..., object], context: object, *, threads: ToolThreads, seconds: float
) -> Any:
    """Return what `function` returns for the call of `context`, awaited if it is awaitable.

    Raises `TimeoutError` after `seconds` of the event loop, or what the function raises.
    """
    name = getattr(function, "__name__", type(function).__name__)

    async def ask() -> object:
        if is_async(function):
            answer = function(context)
        else:
            answer = await threads.call(functools.partial(function, context), name)
        return await answer if inspect.isawaitable(answer) else answer

    return await wait_within(run_owner_code(ask), seconds)


def is_async(function: Any) -> bool:
    """Whether calling `function` gives a coroutine; an object may be async by its method."""
    method = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(method)
