"""What a call has of the agent that speaks now, which may change during the call.

The call itself says who speaks (`Call.setup`), so a restored call has the right agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hookflash.core.commands import CheckTargets
from hookflash.core.events import TargetsChecked
from hookflash.runtime.agents import AgentLike
from hookflash.runtime.ports import Checks
from hookflash.runtime.prepared_speech import Clip, PreparedSpeech
from hookflash.runtime.tool_runner import ToolDefinition

Speaks = Callable[[], AgentLike]
"""Returns the agent that speaks now."""


class CurrentTools(Mapping[str, ToolDefinition]):
    """The tools of the agent that speaks. `of` returns an agent's tools."""

    def __init__(
        self, speaks: Speaks, of: Callable[[AgentLike], Mapping[str, ToolDefinition]]
    ) -> None:
        self._speaks = speaks
        self._of = of

    def __getitem__(self, name: str) -> ToolDefinition:
        return self._of(self._speaks())[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of(self._speaks()))

    def __len__(self) -> int:
        return len(self._of(self._speaks()))


class CurrentChecks:
    """Satisfies `ports.Checks` with the checks of the agent that speaks, made once each."""

    def __init__(self, speaks: Speaks, make: Callable[[AgentLike], Checks]) -> None:
        self._speaks = speaks
        self._make = make
        self._made: dict[str, Checks] = {}

    async def check(self, command: CheckTargets) -> TargetsChecked:
        agent = self._speaks()
        if agent.name not in self._made:
            self._made[agent.name] = self._make(agent)
        return await self._made[agent.name].check(command)


class CurrentSpeech(PreparedSpeech):
    """The prepared lines of the agent that speaks, made once each."""

    def __init__(self, speaks: Speaks, make: Callable[[AgentLike], PreparedSpeech]) -> None:
        super().__init__({})
        self._speaks = speaks
        self._make = make
        self._made: dict[str, PreparedSpeech] = {}

    def find(self, line: str, tool: str = "") -> Clip:
        agent = self._speaks()
        if agent.name not in self._made:
            self._made[agent.name] = self._make(agent)
        return self._made[agent.name].find(line, tool)
