"""MCP servers made with the `mcp` package, for tests: in this process, or run as a program.

python -m tests.mcp_client.servers stdio
python -m tests.mcp_client.servers http PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import anyio
from mcp.client._memory import InMemoryTransport
from mcp.server.mcpserver import Context, MCPServer


def orders() -> MCPServer[Any]:
    """A server with a tool that answers, one that is slow, one that fails and one that is huge."""
    server = MCPServer("orders")
    server.cancelled = []  # type: ignore[attr-defined]

    @server.tool()
    def order_status(number: int) -> str:
        """Look up where an order is."""
        return f"Order {number} is on its way."

    @server.tool()
    async def slow(seconds: float) -> str:
        """Answer after a while."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            server.cancelled.append(seconds)  # type: ignore[attr-defined]
            raise
        return "at last"

    @server.tool(name="warehouse.close")
    def close() -> str:
        """Fail."""
        raise ValueError("the warehouse is closed already")

    @server.tool()
    def huge(size: int) -> str:
        """Return a long text."""
        return "x" * size

    @server.tool()
    async def hire(name: str, context: Context[Any, Any]) -> str:
        """Add a tool with this name."""
        server.add_tool(lambda: "hired", name=name, description="New.")
        await context.session.send_tool_list_changed()
        return "ok"

    return server


class Switched:
    """A transport to a server in this process that a test can cut, and that can refuse."""

    name = "switched"

    def __init__(self, server: MCPServer[Any]) -> None:
        self.server = server
        self.up = True
        self.opened = 0
        self._streams: Any = None
        self._inner: Any = None

    async def __aenter__(self) -> Any:
        if not self.up:
            raise OSError("connection refused")
        self.opened += 1
        self._inner = InMemoryTransport(self.server)
        self._streams = await self._inner.__aenter__()
        return self._streams

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)

    async def cut(self) -> None:
        """Close the connection from the server's side, and refuse others."""
        self.up = False
        for stream in self._streams:
            with contextlib.suppress(anyio.ClosedResourceError):
                await stream.aclose()


class Silent:
    """A transport on which nothing ever arrives: a server that hangs."""

    name = "silent"

    def __init__(self) -> None:
        self.opened = 0

    async def __aenter__(self) -> Any:
        self.opened += 1
        self._to_client, from_server = anyio.create_memory_object_stream[Any](8)
        to_server, self._from_client = anyio.create_memory_object_stream[Any](8)
        self._ours = from_server, to_server
        return from_server, to_server

    async def __aexit__(self, *error: Any) -> None:
        for stream in (self._to_client, self._from_client, *self._ours):
            stream.close()


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        orders().run("stdio")
    else:
        orders().run("streamable-http", port=int(sys.argv[2]))
