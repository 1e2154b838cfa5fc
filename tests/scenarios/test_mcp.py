"""An agent uses the tools of an MCP server on whole calls, whatever happens to the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.mcp_client.servers import Silent, Switched, orders

from hookflash import Agent, CallView, ConfigError
from hookflash.agents.load_agent import load_agent
from hookflash.server import mcp_setup
from hookflash_local.carrier import Line

from .conftest import Stage, samples, shop
from .test_handoff import asked_to, greeted, say, script_agent
from .test_owner_hooks import COMPANY, calls, hears, tool_output

AFTER = 0x77
SECOND = bytes([0xFF]) * 8000
"""One second of silence."""
EXAMPLES = Path(__file__).parents[2] / "examples"


def caller(s: Any, talk: Callable[[Line], Awaitable[None]]) -> Callable[[Line], Any]:
    async def script(line: Line) -> None:
        await greeted(line)
        await talk(line)
        while samples(line.heard, AFTER) < 400 * 8:
            await line.pause(0.2)
        await line.hang_up()

    return script


def offered(s: Stage) -> list[str]:
    """Return the names of the functions that the last session was offered."""
    updates = s.model.received.of("session.update")
    return [tool.get("name") or tool["server_label"] for tool in updates[-1]["session"]["tools"]]


async def test_a_tool_of_a_server_is_used_and_is_in_the_record(stage: Any) -> None:
    agent = shop()
    agent.mcp(orders())
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("after", 400, AFTER)])

        async def talk(line: Line) -> None:
            await s.model.perform([hears("my order"), calls("order_status", number=7)])
            assert await tool_output(s) == "Order 7 is on its way."

        record = await s.record(await s.call(caller(s, talk)))
        assert [(use.name, use.failed) for use in record.tools] == [("order_status", False)]
        assert {"order_status", "warehouse_close", "transfer_to_human"} <= set(offered(s))


async def test_a_slow_server_does_not_leave_the_caller_in_silence(stage: Any) -> None:
    agent = shop()
    agent.mcp(orders(), timeout_seconds=6)
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("after", 400, AFTER)])

        async def talk(line: Line) -> None:
            await s.model.perform([hears("my order"), calls("slow", seconds=60)])
            assert await tool_output(s) == "slow did not answer within 6 seconds."

        call = await s.call(caller(s, talk))
        record = await s.record(call)
        heard = call.recording().heard[len(SECOND) :]
        assert SECOND * 4 not in heard
        assert [(use.name, use.failed) for use in record.tools] == [("slow", True)]


async def test_a_server_that_is_down_or_dies_harms_no_call(stage: Any) -> None:
    server = Switched(orders())
    server.up = False
    agent = shop()
    agent.mcp(server)
    agent.mcp(Silent())
    outputs: list[str] = []
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("after", 400, AFTER)])

        async def without(line: Line) -> None:
            await s.model.perform([hears("my order"), calls("order_status", number=7)])
            outputs.append(await tool_output(s))

        record = await s.record(await s.call(caller(s, without)))
        assert "order_status" not in offered(s)
        assert record.disposition == "handled_by_agent"
        server.up = True
        await asyncio.sleep(40)

        async def dying(line: Line) -> None:
            assert "order_status" in offered(s)
            await s.model.perform([hears("my order"), calls("slow", seconds=5)])
            await line.pause(1.0)
            await server.cut()
            while len(outputs) < 2:
                items = [each["item"] for each in s.model.received.of("conversation.item.create")]
                told = [each["output"] for each in items if each["type"].endswith("call_output")]
                outputs.extend(told[1:2])
                await line.pause(0.2)

        record = await s.record(await s.call(caller(s, dying)))
        assert record.disposition == "handled_by_agent"
    assert outputs[0].startswith("There is no tool named order_status")
    assert "the connection was lost" in outputs[1]


async def test_a_human_approves_while_the_agent_talks_on(stage: Any) -> None:
    agent = shop()
    agent.mcp(orders(), timeout_seconds=2, approve="human")
    asked: list[str] = []

    @agent.answers
    async def answer(question: str, call: CallView) -> str:
        asked.append(question)
        # Longer than the tool's own time, which does not run meanwhile.
        await asyncio.sleep(8)
        return "yes"

    async with stage(agent) as s:
        script_agent(s)
        s.model.on(
            "response.create", [say("company", 700, COMPANY)], where=asked_to("asking a colleague")
        )
        s.model.on("response.create", [say("after", 400, AFTER)])

        async def talk(line: Line) -> None:
            await s.model.perform([hears("my order"), calls("order_status", number=7)])
            assert await tool_output(s) == "Order 7 is on its way."

        call = await s.call(caller(s, talk))
        await s.record(call)
        assert samples(call.recording().heard, COMPANY) == 700 * 8
    assert asked == ['May the agent use order_status with {"number":7}? Answer yes to approve.']


async def test_the_models_service_gets_a_server_that_it_calls_itself(stage: Any) -> None:
    agent = shop()
    agent.mcp("https://tools.example.com", run_by="model", label="orders", headers={"X": "1"})
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("after", 400, AFTER)])

        async def talk(line: Line) -> None:
            await s.model.perform([hears("hello")])

        await s.record(await s.call(caller(s, talk)))
        (update, *_) = s.model.received.of("session.update")
        assert update["session"]["tools"][-1] == {
            "type": "mcp",
            "server_label": "orders",
            "server_url": "https://tools.example.com",
            "headers": {"X": "1"},
            "require_approval": "never",
        }


async def test_the_example_looks_up_an_order_and_refunds_it(stage: Any) -> None:
    agent = load_agent(str(EXAMPLES / "11_mcp.py"))
    assert isinstance(agent, Agent)
    async with stage(agent) as s:
        s.model.on("response.create", [say("hi", 800, 0x12)], where=asked_to("just begun"))
        s.model.on("response.create", [say("after", 200, AFTER)])

        async def talk(line: Line) -> None:
            await s.model.perform([hears("my order"), calls("order_status", number=1001)])
            await line.pause(3)
            await s.model.perform([hears("refund it"), calls("refund", number=1001)])

        record = await s.record(await s.call(caller(s, talk)))
        assert [use.output for use in record.tools] == [
            "Order 1001 is on its way, and arrives tomorrow.",
            "Order 1001 is refunded.",
        ]


async def test_a_line_without_the_extra_says_how_to_install_it(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_setup.importlib.util, "find_spec", lambda name: None)
    agent = shop()
    agent.mcp("https://tools.example.com")
    with pytest.raises(ConfigError, match=r"pip install 'mcp>=2\.3,<3'"):
        async with stage(agent):
            pass
