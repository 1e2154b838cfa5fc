"""The connection to an MCP server, with real servers of the `mcp` package in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp_types import Tool as ListedTool

from hookflash import Agent, CallContext, ToolError
from hookflash.mcp_client import transports
from hookflash.mcp_client.connection import McpConnection
from hookflash.mcp_client.mcp_tool import make_tool

from .servers import Silent, Switched, orders


@contextlib.asynccontextmanager
async def connected(server: Any = None, **options: Any) -> AsyncIterator[McpConnection]:
    agent = Agent("shop", instructions="We sell bicycles.")
    agent.mcp(server, **options)
    connection = McpConnection(agent.mcp_servers[0], taken=("end_call",))
    connection.start()
    try:
        yield connection
    finally:
        await connection.aclose()


async def use(connection: McpConnection, name: str, arguments: str = "{}", **context: Any) -> Any:
    tool = connection.tools[name]
    return await tool.bind(arguments, CallContext(call_sid="CA1", **context))()  # type: ignore[misc]


async def refusal(connection: McpConnection, name: str, arguments: str = "{}", **more: Any) -> str:
    with pytest.raises(ToolError) as caught:
        await use(connection, name, arguments, **more)
    return str(caught.value)


async def test_the_tools_of_a_server_are_offered_under_names_that_a_model_may_call() -> None:
    async with connected(orders()) as connection:
        await connection.listed()
        names = ["order_status", "slow", "warehouse_close", "huge", "hire"]
        assert list(connection.tools) == names
        spec = connection.tools["order_status"].spec
        assert spec.description == "Look up where an order is."
        assert spec.parameters["properties"]["number"]["type"] == "integer"
        assert spec.parameters["required"] == ["number"]
        assert await use(connection, "order_status", '{"number": 7}') == "Order 7 is on its way."


async def test_allowed_tools_prefix_and_names_that_are_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = orders()
    server.add_tool(lambda: "", name="end_call", description="Not ours.")
    async with connected(server) as connection:
        await connection.listed()
        assert "end_call" not in connection.tools
        assert "pass prefix=" in caplog.text
    only = ("end_call", "order_status", "no_such")
    async with connected(server, prefix="shop_", allowed_tools=only) as connection:
        await connection.listed()
        assert list(connection.tools) == ["shop_order_status", "shop_end_call"]
        assert "no tool named no_such" in caplog.text
        assert "Order 1" in await use(connection, "shop_order_status", '{"number": 1}')


async def test_errors_of_a_tool_are_texts_for_the_model() -> None:
    async with connected(orders()) as connection:
        await connection.listed()
        assert "warehouse.close" in await refusal(connection, "warehouse_close")
        assert "number" in await refusal(connection, "order_status", '{"number": "many"}')
        assert "not valid JSON" in await refusal(connection, "order_status", "{")
        assert "must be a JSON object" in await refusal(connection, "order_status", "[1]")


async def test_a_cancelled_call_is_cancelled_at_the_server() -> None:
    server = orders()
    async with connected(Switched(server)) as connection:
        await connection.listed()
        task = asyncio.create_task(use(connection, "slow", '{"seconds": 40}'))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        assert task.cancelled()
        assert server.cancelled == [40]  # type: ignore[attr-defined]
        assert "Order 2" in await use(connection, "order_status", '{"number": 2}')


async def test_a_server_that_dies_in_a_call_is_connected_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Switched(orders())
    async with connected(server) as connection:
        await connection.listed()
        running = asyncio.create_task(refusal(connection, "slow", '{"seconds": 50}'))
        await asyncio.sleep(1)
        await server.cut()
        assert "the connection was lost" in await running
        await asyncio.sleep(10)
        # The model keeps the tool, and can tell the caller why it does not work.
        assert "cannot be reached right now" in await refusal(connection, "order_status")
        server.up = True
        await asyncio.sleep(31)
        assert "Order 3" in await use(connection, "order_status", '{"number": 3}')
        assert server.opened == 2
        refused = [line for line in caplog.messages if "connection refused" in line]
        assert len(refused) == 1, "the same reason is logged once, not for each attempt"


async def test_a_server_that_is_down_at_first_is_connected_later() -> None:
    server = Switched(orders())
    server.up = False
    async with connected(server) as connection:
        await asyncio.sleep(20)
        assert not connection.tools and not connection.is_up
        server.up = True
        await asyncio.sleep(31)
        assert connection.is_up and "order_status" in connection.tools


async def test_a_server_that_hangs_is_given_up_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Silent()
    async with connected(server) as connection:
        await asyncio.sleep(40)
        assert server.opened > 1
        assert not connection.is_up
        assert "it did not answer in time" in caplog.text


@pytest.mark.parametrize("wrapped", [True, False], ids=["notified", "subscribed or read again"])
async def test_changed_tools_are_noticed(*, wrapped: bool) -> None:
    server = orders()
    async with connected(Switched(server) if wrapped else server) as connection:
        await connection.listed()
        offered = connection.tools
        if wrapped:
            await use(connection, "hire", '{"name": "wrap"}')
        else:
            server.add_tool(lambda: "", name="wrap", description="New.")
        server.remove_tool("slow")
        await asyncio.sleep(62)
        assert "wrap" in offered and "slow" not in offered


async def test_a_tool_that_no_model_can_use_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    server = orders()
    server.add_tool(lambda: "", name="n" * 80, description="Too long a name.")
    schemas = server._tool_manager._tools
    schemas["huge"].parameters = {"type": "object", "properties": {"x": {"$ref": "#/$defs/None"}}}
    schemas["hire"].parameters = {"type": "object", "title": "t" * 40_000}
    schemas["order_status"].parameters = {
        "type": "object",
        "properties": {"number": {"$ref": "#/$defs/Number"}},
        "$defs": {"Number": {"type": "integer"}},
    }
    async with connected(server) as connection:
        await connection.listed()
        assert list(connection.tools) == ["order_status", "slow", "warehouse_close"]
        assert connection.tools["order_status"].spec.parameters == {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
        }
    listed = ListedTool(name="slow", input_schema={"type": "array"})
    assert make_tool(listed, connection.server, connection.call) is None
    for part in ("has no or too many", "not of type object", "does not define", "32000 bytes"):
        assert part in caplog.text


@pytest.mark.parametrize(
    ("answer", "used"), [("Yes, this once.", True), ("No.", False), ("Nobody answered.", False)]
)
async def test_a_human_approves_a_tool(answer: str, *, used: bool) -> None:
    asked = []

    async def ask(question: str, via: object, seconds: float) -> str:
        asked.append(question)
        return answer

    async with connected(orders(), approve=("order_status",)) as connection:
        await connection.listed()
        arguments = '{"number": 7}'
        if used:
            assert "Order 7" in await use(connection, "order_status", arguments, ask=ask)
        else:
            assert answer in await refusal(connection, "order_status", arguments, ask=ask)
        assert asked == ['May the agent use order_status with {"number":7}? Answer yes to approve.']
        assert await use(connection, "slow", '{"seconds": 0}', ask=ask) == "at last"
        assert len(asked) == 1, "only this tool is approved by a human"


@pytest.mark.realtime
async def test_a_server_that_is_a_program(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hookflash.mcp")
    monkeypatch.setattr(transports, "MESSAGE_BYTES", 200_000)
    monkeypatch.setattr(transports, "_EXIT_SECONDS", 0.3)
    command = [sys.executable, "-m", "tests.mcp_client.servers", "stdio"]
    async with asyncio.timeout(30), connected(command=command, label="orders") as connection:
        await connection.listed()
        assert "Order 7" in await use(connection, "order_status", '{"number": 7}')
        lost = await refusal(connection, "huge", '{"size": 900000}')
        assert "connection was lost" in lost or "gave no valid answer" in lost
    assert "5 tools" in caplog.text


@pytest.mark.realtime
async def test_a_server_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MESSAGE_BYTES", 200_000)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mcp_client.servers", "http", str(port)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30), connected(url, headers={"X-Key": "k"}) as connection:
            # It is not up yet when it is first tried.
            await connection.listed()
            assert "Order 7" in await use(connection, "order_status", '{"number": 7}')
            lost = await refusal(connection, "huge", '{"size": 900000}')
            assert "connection was lost" in lost or "gave no valid answer" in lost
            process.kill()
            await process.wait()
            # Whether or not the loss was noticed before, the model gets a sentence.
            assert "The service" in await refusal(connection, "order_status", '{"number": 7}')
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
