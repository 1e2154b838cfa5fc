"""The owner's own function as an outlet: `@agent.on_delivery`, plain or async.

A coroutine function is awaited for a bounded time; another function runs in a thread, which
cannot be stopped, so one that is late goes on, and the delivery is made again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_tracking import TrackedDelivery
from hookflash.runtime.fence import fenced
from hookflash.runtime.tool_runner import ToolThreads

DeliveryHook = Callable[[Delivery], object]

HOOK_SECONDS = 30.0


class HookOutlet:
    """Delivers to the hook of the agent that took the call. See `delivery_worker.Outlet`.

    `find` returns the hook of an agent by the agent's name, None if it has none. Hooks that
    block run in `threads`.
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

    async def send(self, kept: TrackedDelivery) -> None:
        hook = self._find(kept.delivery.agent)
        if hook is None:
            return
        await fenced(self._call, functools.partial(hook, kept.delivery))

    async def _call(self, hook: Callable[[], object]) -> None:
        if inspect.iscoroutinefunction(hook):
            await hook()
            return
        result = await self._threads.call(hook, "delivery")
        if inspect.isawaitable(result):
            # A decorator around a coroutine function is a plain function.
            await result
