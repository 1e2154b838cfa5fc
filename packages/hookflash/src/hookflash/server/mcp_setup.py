"""Connect the MCP servers of a line's agents.

resource               acquired          released, in reverse
a connection a server  open_mcp_tools    when its block ends, after the calls
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
from collections import ChainMap
from collections.abc import AsyncIterator, Mapping, MutableMapping
from typing import TYPE_CHECKING

from hookflash.agents.directory import Directory
from hookflash.agents.tool import RESERVED_TOOLS
from hookflash.errors import ConfigError
from hookflash.runtime.agents import AgentLike
from hookflash.runtime.tool_runner import OfferedTool

if TYPE_CHECKING:
    from hookflash.mcp_client.connection import McpConnection

log = logging.getLogger("hookflash.mcp")

_START_SECONDS = 3.0
"""How long the start waits for the lists of tools, so that the first calls have them."""


class McpTools:
    """The tools that agents have from MCP servers, by the agent's name."""

    def __init__(self, connections: Mapping[str, list[McpConnection]]) -> None:
        self._connections = connections

    def __call__(self, agent: AgentLike) -> Mapping[str, OfferedTool]:
        """Return an agent's tools. The mapping changes when a server changes its tools."""
        found: list[MutableMapping[str, OfferedTool]] = [
            # The values of these dicts are only read.
            each.tools  # type: ignore[misc]  # a dict of a subtype
            for each in self._connections.get(agent.name, ())
        ]
        return ChainMap(*found)


@contextlib.asynccontextmanager
async def open_mcp_tools(directory: Directory) -> AsyncIterator[McpTools]:
    """Connect every server. Waits a moment for their tools, and never for one that is down.

    Raises `ConfigError` if the extra is not installed.
    """
    agents = [each for each in directory.agents if each.mcp_servers]
    if not agents:
        yield McpTools({})
        return
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError(
            f"Agent {agents[0].name!r}: agent.mcp(...) needs the package mcp: run"
            " pip install 'mcp>=2.3,<3'"
        )
    # Here and not in a call, because this takes more than a second.
    from hookflash.mcp_client.connection import McpConnection

    connections: dict[str, list[McpConnection]] = {}
    async with contextlib.AsyncExitStack() as stack:
        for agent in agents:
            taken = {*agent.tools, *RESERVED_TOOLS}
            connections[agent.name] = [
                McpConnection(server, taken=taken) for server in agent.mcp_servers
            ]
        every = [each for several in connections.values() for each in several]
        for connection in every:
            connection.start()
        stack.push_async_callback(_close, every)
        await _wait_for_lists(every)
        yield McpTools(connections)


async def _close(connections: list[McpConnection]) -> None:
    await asyncio.gather(*(each.aclose() for each in connections))


async def _wait_for_lists(connections: list[McpConnection]) -> None:
    waiting = [asyncio.create_task(each.listed()) for each in connections]
    try:
        await asyncio.wait(waiting, timeout=_START_SECONDS)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    late = [each.server.label for each in connections if not each.is_up]
    if late:
        log.warning("! no tools yet from MCP servers %s: the line starts without", ", ".join(late))
