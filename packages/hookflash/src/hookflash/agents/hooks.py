"""What an owner's own code decides, takes or is told: who is free, who is needed, what happened.

Each hook is a function that the agent is given by a decorator. What can be wrong with one is found
then, when the agent is made, and not in the middle of a call.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hookflash.agents.view import CallView
from hookflash.core.call_events import EventKind
from hookflash.core.delivery import Delivery
from hookflash.core.frustration import Frustration
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError

_F = TypeVar("_F", bound=Callable[..., Any])
_P = TypeVar("_P", bound=Callable[..., Any] | Frustration)

PresenceHook = Callable[[Target], Awaitable[bool]]
DeliveryHook = Callable[[Delivery], object]
AnswerHook = Callable[[str, CallView], Awaitable[str]]
CallHook = Callable[[Any], object]
"""Takes a `CallStarted`, `TranscriptLine`, `HandoffEnded` or `CallRecord`; plain or async."""
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
        self.call_hooks: dict[EventKind, CallHook] = {}

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

    def on_call_started(self, hook: _F, /) -> _F:
        """Be told of each call: `@agent.on_call_started` on `def started(call)`, plain or async.

        It is called with a `CallStarted` when the agent answers a call. It has 10 seconds. The call
        never waits for it, and what it raises is logged. Raises `ConfigError` if the function has
        another shape, or if there is a hook already.
        """
        return self._add_call_hook("on_call_started", "call.started", hook, "call")

    def on_transcript(self, hook: _F, /) -> _F:
        """Be told of each line that is said: `@agent.on_transcript` on `def said(line)`.

        It is called with a `TranscriptLine`, in the order in which they were said. The rest is as
        for `on_call_started`.
        """
        return self._add_call_hook("on_transcript", "transcript.line", hook, "line")

    def on_handoff(self, hook: _F, /) -> _F:
        """Be told how each hand-off ended: `@agent.on_handoff` on `def ended(outcome)`.

        It is called with a `HandoffEnded` for each attempt to reach a human. The rest is as for
        `on_call_started`.
        """
        return self._add_call_hook("on_handoff", "handoff.ended", hook, "outcome")

    def on_call_ended(self, hook: _F, /) -> _F:
        """Be told of each call that is over: `@agent.on_call_ended` on `def ended(record)`.

        It is called with a `CallRecord`, last of the hooks of a call. It is called again if a
        voicemail or a human's words complete the record later. The rest is as for
        `on_call_started`.
        """
        return self._add_call_hook("on_call_ended", "call.ended", hook, "record")

    def _add_call_hook(self, name: str, kind: EventKind, hook: _F, parameter: str) -> _F:
        self._only(name, self.call_hooks.get(kind))
        self._check(name, hook, f"def {name}({parameter}) -> None")
        self.call_hooks[kind] = hook
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
