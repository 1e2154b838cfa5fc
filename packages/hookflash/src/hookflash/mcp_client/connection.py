"""A connection to one MCP server, opened again whenever it is lost.

    DOWN --connected, tools listed--> UP --the list fails, or the server is gone--> DOWN --> ...

The tools of the last list stay while the server is down, so that the model keeps them; each then
answers with an error. The list is read again once a minute, when the server says that it has
changed, and when a call has failed. So a server that hangs is noticed by the next list.

resource                     acquired             released
the connecting task          start()              aclose()
the client and transport     the task             when the connection is lost, or aclose()
the task that hears changes  when connected       when the connection is lost
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from typing import Any

import anyio
import httpx2
from mcp import MCPError
from mcp.client.client import Client
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolResult,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from hookflash.agents.mcp_servers import McpServer
from hookflash.errors import ToolError
from hookflash.mcp_client.mcp_tool import McpTool, make_tool, without_doubles
from hookflash.mcp_client.transports import http_transport, program_transport

log = logging.getLogger("hookflash.mcp")

_CONNECT_SECONDS = 10.0
_LIST_SECONDS = 10.0
_REFRESH_SECONDS = 60.0
_CLOSE_SECONDS = 8.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_CHANGE_SECONDS = 1.0
"""How long to wait before the list is read again: a server may report every single change."""

_PAGES = 20
_TOOLS = 128
"""How many tools of one server are offered. A model chooses badly among more."""

_BROKEN_CONNECTION = (
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    httpx2.HTTPError,
    httpx2.StreamError,
)


class McpConnection:
    """The tools of one server. Use it in the event loop's thread.

    `tools` is always the same dict: what is connected to it sees each change. `taken` are names
    that its tools must not have.
    """

    def __init__(self, server: McpServer, *, taken: Collection[str] = ()) -> None:
        self.server = server
        self.tools: dict[str, McpTool] = {}
        self._taken = set(taken)
        self._client: Client | None = None
        self._changed = asyncio.Event()
        self._listed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wait = _FIRST_WAIT
        self._fault = ""

    @property
    def is_up(self) -> bool:
        """Whether the server is connected."""
        return self._client is not None

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._task = asyncio.create_task(self._stay_connected())

    async def listed(self) -> None:
        """Wait until the tools are known for the first time."""
        await self._listed.wait()

    async def aclose(self) -> None:
        """Disconnect, and end a server that was started as a program."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=_CLOSE_SECONDS)

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool. Raises `ToolError`, whose text is for the model.

        A call that is cancelled is cancelled at the server, too.
        """
        client = self._client
        if client is None:
            raise ToolError(f"The service {self.server.label} cannot be reached right now.")
        try:
            return await client.call_tool(name, arguments)
        except MCPError as error:
            self._changed.set()
            if error.error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
                raise ToolError(
                    f"The service {self.server.label} did not answer: the connection was lost."
                ) from error
            raise ToolError(
                f"The service {self.server.label} refused: {error.error.message[:500]}"
            ) from error
        except ValidationError as error:
            raise ToolError(
                f"The service {self.server.label} gave an answer that cannot be read."
            ) from error
        except (*_BROKEN_CONNECTION, RuntimeError) as error:
            # The package reports an answer that breaks the tool's own schema as a RuntimeError.
            log.warning("! MCP server %r: tool %s failed: %s", self.server.label, name, error)
            self._changed.set()
            raise ToolError(
                f"The service {self.server.label} gave no valid answer to this."
            ) from error

    # --- the connecting task ------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while True:
            try:
                await self._connect()
            except asyncio.CancelledError:
                # The package also cancels by itself what it has started in this task.
                if task.cancelling():
                    raise
                self._report("the connection was cancelled")
            except Exception as error:
                # The connection ends here. It is opened again.
                self._report(_reason(error))
            finally:
                self._client = None
            await asyncio.sleep(self._wait)
            self._wait = min(2 * self._wait, _LONGEST_WAIT)

    async def _connect(self) -> None:
        """Connect, and return never: what ends the connection is raised."""
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await stack.enter_async_context(self._make_client())
            await self._list(client)
            self._client = client
            self._wait, self._fault = _FIRST_WAIT, ""
            log.info("= MCP server %r: %d tools", self.server.label, len(self.tools))
            async with self._hearing_changes(client):
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_REFRESH_SECONDS):
                            await self._changed.wait()
                    await asyncio.sleep(_CHANGE_SECONDS)
                    self._changed.clear()
                    await self._list(client)

    def _make_client(self) -> Client:
        server = self.server
        target: Any = server.program
        if server.url:
            target = http_transport(server.url, server.headers)
        elif server.command:
            target = program_transport(server.command, server.env, server.folder)
        return Client(target, message_handler=self._heard, cache=None)

    async def _heard(self, message: object) -> None:
        """Take a message that the server has sent by itself (up to protocol 2025-11-25)."""
        if isinstance(message, ToolListChangedNotification):
            self._changed.set()

    @contextlib.asynccontextmanager
    async def _hearing_changes(self, client: Client) -> AsyncIterator[None]:
        """Subscribe to changes of the list (since protocol 2026-07-28)."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            yield
            return
        hearing = asyncio.create_task(self._hear_changes(client))
        try:
            yield
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear_changes(self, client: Client) -> None:
        try:
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._changed.set()
        except Exception as error:
            # The task ends here. A server need not offer this, and the list is read again anyway.
            log.debug("= MCP server %r: reports no changes (%s)", self.server.label, error)

    async def _list(self, client: Client) -> None:
        """Read the list of tools. Raises if the server does not answer in time."""
        listed, cursor = [], None
        async with asyncio.timeout(_LIST_SECONDS):
            for _ in range(_PAGES):
                page = await client.list_tools(cursor=cursor)
                listed += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
        allowed = self.server.allowed_tools
        if allowed is not None:
            self._warn_of_missing(set(allowed) - {each.name for each in listed})
            listed = [each for each in listed if each.name in allowed]
        if len(listed) > _TOOLS:
            log.warning(
                "! MCP server %r: only %d of its %d tools are offered; pass allowed_tools= to"
                " agent.mcp",
                *(self.server.label, _TOOLS, len(listed)),
            )
        made = [make_tool(each, self.server, self.call) for each in listed[:_TOOLS]]
        tools = without_doubles([each for each in made if each is not None], self._taken)
        # In place: calls that are running look their tools up here.
        self.tools.clear()
        self.tools.update(tools)
        self._listed.set()

    def _warn_of_missing(self, names: set[str]) -> None:
        if names:
            log.warning(
                "! MCP server %r: it has no tool named %s, which allowed_tools names",
                *(self.server.label, " or ".join(sorted(names))),
            )

    def _report(self, fault: str) -> None:
        # Once for each reason, not for each attempt.
        if fault != self._fault:
            self._fault = fault
            log.warning(
                "! MCP server %r is not connected: %s; calls go on without it, and it is tried"
                " again",
                *(self.server.label, fault),
            )


def _reason(error: BaseException) -> str:
    """Return what went wrong in words; of a group, its first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return str(error)[:300] or type(error).__name__
