"""What an owner's own code decides or takes: who is free, what is delivered, who is needed when.

Each hook is a function that the agent is given by a decorator. What can be wrong with one is found
then, when the agent is made, and not in the middle of a call.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hookflash.agents.view import CallView
from hookflash.core.delivery import Delivery
from hookflash.core.frustration import Frustration
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError

_F = TypeVar("_F", bound=Callable[..., Any])
_P = TypeVar("_P", bound=Callable[..., Any] | Frustration)

PresenceHook = Callable[[Target], Awaitable[bool]]
DeliveryHook = Callable[[Delivery], object]
AnswerHook = Callable[[str, CallView], Awaitable[str]]
PolicyHook = Callable[[CallView], Awaitable[tuple[str, str] | None]]
Policy = PolicyHook | Frustration


class Hooked:
    """The part of an agent that has hooks; None where the owner has given none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.presence_hook: PresenceHook | None = None
        self.delivery_hook: DeliveryHook | None = None
        self.answer_hook: AnswerHook | None = None
        self.policies: tuple[Policy, ...] = ()

    def presence(self, hook: _F, /) -> _F:
        """Say who is free: `@agent.presence` on `async def is_free(target) -> bool`.

        It is called for all targets of a plan at once, before anybody is rung. A target counts as
        free unless the hook returns False within one second. Raises `ConfigError` if the function
        has another shape, or if there is a hook already.
        """
        self._only("presence", self.presence_hook)
        self._check("presence", hook, "async def is_free(target) -> bool")
        self.presence_hook = hook
        return hook

    def on_delivery(self, hook: _F, /) -> _F:
        """Take what calls leave: `@agent.on_delivery` on `def deliver(delivery)`, plain or async.

        It is called with a `Delivery` until it returns without raising, and has 30 seconds. It may
        get the same delivery twice, with the same `id`. Raises `ConfigError` if the function has
        another shape, or if there is a hook already.
        """
        self._only("on_delivery", self.delivery_hook)
        self._check("on_delivery", hook, "def deliver(delivery) -> None")
        self.delivery_hook = hook
        return hook

    def answers(self, hook: _F, /) -> _F:
        """Answer a tool that asks a human: `@agent.answers` on an async function.

        It is called with the question and a `CallView`, and returns the answer as a text; see
        `CallContext.ask_human`. Raises `ConfigError` if the function has another shape, or if there
        is a hook already.
        """
        self._only("answers", self.answer_hook)
        self._check("answers", hook, "async def answer(question, call) -> str")
        self.answer_hook = hook
        return hook

    def policy(self, policy: _P, /) -> _P:
        """Add a policy that brings in a human when the model does not.

        Use `@agent.policy` on an async function, or `agent.policy(Frustration("support"))`. The
        function is called with a `CallView` after each turn of the caller. It returns None, or the
        key of a destination and the reason. It has two seconds; one that raises or takes longer
        counts as None. Policies are asked in the order in which they were added, and the first
        request counts. Raises `ConfigError` if the function has another shape.
        """
        if not isinstance(policy, Frustration):
            self._check("policy", policy, "async def policy(call) -> tuple[str, str] | None")
        self.policies = (*self.policies, policy)
        return policy

    def check_policies(self, destinations: tuple[str, ...]) -> None:
        """Raise `ConfigError` for a policy whose destination does not exist."""
        for policy in self.policies:
            if isinstance(policy, Frustration) and policy.destination not in destinations:
                known = ", ".join(destinations) or "none"
                raise ConfigError(
                    f"Agent {self.name!r}: Frustration({policy.destination!r}) is not about one of"
                    f" its destinations ({known}); add agent.handoff({policy.destination!r}, ...)"
                )

    def _only(self, name: str, present: object) -> None:
        if present is not None:
            raise ConfigError(
                f"Agent {self.name!r}: @agent.{name} was given two functions; make them one"
            )

    def _check(self, name: str, function: Any, shape: str) -> None:
        """Raise `ConfigError` unless `function` can be called as `shape` says."""
        where = f"Agent {self.name!r}: @agent.{name} expected `{shape}`"
        if not callable(function):
            raise ConfigError(f"{where}, got {type(function).__name__}")
        if shape.startswith("async") and not _is_async(function):
            raise ConfigError(f"{where}, got a function that is not async; write async def")
        parameters = shape.partition("(")[2].partition(")")[0].split(", ")
        try:
            inspect.signature(function).bind(*parameters)
        except TypeError as error:
            raise ConfigError(f"{where}, got other parameters: {error}") from error


def _is_async(function: Any) -> bool:
    # An object may be async by its method.
    method = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(method)
