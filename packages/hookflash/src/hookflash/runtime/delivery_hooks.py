"""Deliver messages to the owner's function: `@agent.on_delivery`, plain or async.

A coroutine function is awaited for a limited time. Any other function runs in a thread. A thread
cannot be stopped, so a late function keeps running while the delivery is retried.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.tool_runner import ToolThreads

DeliveryHook = Callable[[Delivery], object]

HOOK_SECONDS = 30.0


class HookOutlet:
    """Delivers to the hook of the agent that took the call. See `delivery_worker.Outlet`.

    `find` returns the hook of an agent by its name, or None. Blocking hooks run in `threads`.
    """

    name = "hook"

    def __init__(
        self,
        find: Callable[[str], DeliveryHook | None],
        *,
        seconds: float = HOOK_SECONDS,
        threads: ToolThreads | None = None,
    ) -> None:
        self._find = find
        self._threads = threads or ToolThreads()
        self.seconds = seconds

    def wants(self, delivery: Delivery) -> bool:
        return self._find(delivery.agent) is not None

    async def send(self, stored: TrackedDelivery) -> None:
        hook = self._find(stored.delivery.agent)
        if hook is None:
            return
        await run_owner_code(self._call, functools.partial(hook, stored.delivery))

    async def _call(self, hook: Callable[[], object]) -> None:
        if inspect.iscoroutinefunction(hook):
            await hook()
            return
        result = await self._threads.call(hook, "delivery")
        if inspect.isawaitable(result):
            # A decorated coroutine function may look like a plain function.
            await result
