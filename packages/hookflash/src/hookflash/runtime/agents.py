"""Protocols for agents and the directory: what the runtime needs from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hookflash.agents.hooks import AnswerHook, CallHook, Policy, PresenceHook
from hookflash.core.call_events import EventKind
from hookflash.core.commands import Message
from hookflash.core.handoff_plan import Destination
from hookflash.core.setup import CallSetup, Consult, ModelSetup
from hookflash.runtime.tool_runner import ToolDefinition


class AgentLike(Protocol):
    """An agent as the runtime uses it. `hookflash.agents.agent.Agent` satisfies it."""

    @property
    def name(self) -> str: ...

    @property
    def tools(self) -> Mapping[str, ToolDefinition]: ...

    @property
    def destinations(self) -> tuple[Destination, ...]: ...

    @property
    def address_functions(self) -> Mapping[str, Mapping[int, Callable[..., object]]]:
        """The functions that return whom to ring: by destination, and by the target's place."""
        ...

    @property
    def text_functions(self) -> Mapping[str, Callable[..., object]]:
        """The functions of the call that return `instructions` and `greeting`."""
        ...

    @property
    def tool_conditions(self) -> Mapping[str, Callable[..., object]]:
        """The functions that say whether a call has a tool, by the tool's name."""
        ...

    @property
    def colleagues(self) -> Mapping[str, AgentLike]:
        """The agents that may take the call, by key."""
        ...

    @property
    def language(self) -> str | None: ...

    @property
    def voice(self) -> str | None: ...

    @property
    def prepared(self) -> Mapping[str, tuple[str, ...]]:
        """The owner's texts for prepared lines, by line name."""
        ...

    @property
    def tool_lines(self) -> Mapping[str, tuple[str, ...]]:
        """The lines that a caller hears while a tool runs, by tool name."""
        ...

    @property
    def presence_hook(self) -> PresenceHook | None: ...

    @property
    def answer_hook(self) -> AnswerHook | None: ...

    @property
    def call_hooks(self) -> Mapping[EventKind, CallHook]:
        """The owner's functions that are told about calls, by the kind of event."""
        ...

    @property
    def policies(self) -> Sequence[Policy]: ...

    def call_setup(self, *, lead_ms: int, max_call_seconds: float) -> CallSetup: ...

    def model_setup(
        self, history: tuple[Message, ...], *, safety_identifier: str | None, recorded: bool
    ) -> ModelSetup: ...

    def consult_setup(
        self,
        consult: Consult,
        conversation: tuple[Message, ...],
        history: tuple[Message, ...],
        *,
        instructions: str | None,
        safety_identifier: str | None,
    ) -> ModelSetup:
        """Return the model setup for a session in which the agent consults a human about a caller.

        `conversation` is the conversation with the caller so far; `history` is the one with the
        human. `instructions` replace the agent's own, if they depend on the call.
        """
        ...


class DirectoryLike(Protocol):
    """Finds the agent that answers a line at a given time."""

    @property
    def agents(self) -> tuple[AgentLike, ...]: ...

    @property
    def answering(self) -> tuple[AgentLike, ...]: ...

    def find(self, called: str, at: datetime) -> AgentLike | None: ...

    def get(self, name: str) -> AgentLike | None: ...
