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

        Asked for all targets of a plan at once before anybody is rung, for at most a second. Who
        is not known to be busy counts as free.
        """
        self._only("presence", self.presence_hook)
        self._check("presence", hook, "async def is_free(target) -> bool")
        self.presence_hook = hook
        return hook

    def on_delivery(self, hook: _F, /) -> _F:
        """Take what calls leave: `@agent.on_delivery` on `def deliver(delivery)`, plain or async.

        Called with a `Delivery` (a voicemail, a wish to be called back, a message) until it
        returns without raising; the same one may come twice, and is known by its `id`.
        """
        self._only("on_delivery", self.delivery_hook)
        self._check("on_delivery", hook, "def deliver(delivery) -> None")
        self.delivery_hook = hook
        return hook

    def answers(self, hook: _F, /) -> _F:
        """Answer tools that ask a human: `@agent.answers` on
        `async def answer(question, call) -> str`. See `CallContext.ask_human`."""
        self._only("answers", self.answer_hook)
        self._check("answers", hook, "async def answer(question, call) -> str")
        self.answer_hook = hook
        return hook

    def policy(self, policy: _P, /) -> _P:
        """Bring in a human when the model does not: `@agent.policy` on an async function of a
        `CallView`, or `agent.policy(Frustration("support"))`, the one that is built in.

        A function is called whenever the caller has said something, and returns None, or
        (destination, reason). It runs beside the call and for at most two seconds. There may be
        several policies; the first that wants a human has its way.
        """
        if not isinstance(policy, Frustration):
            self._check("policy", policy, "async def policy(call) -> tuple[str, str] | None")
        self.policies = (*self.policies, policy)
        return policy

    def check_policies(self, destinations: tuple[str, ...]) -> None:
        """Raise `ConfigError` for a policy that brings callers to a destination there is not."""
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
