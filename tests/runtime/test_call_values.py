"""An agent whose instructions, greeting and tools depend on the call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.context import CallContext
from hookflash.agents.directory import Directory
from hookflash.core import events as e
from hookflash.core.commands import ConnectAgent
from hookflash.runtime.call_limits import CallLimits, CallRefused
from hookflash.runtime.call_values import CallValues, values_of_call
from hookflash.runtime.journal_replay import read_journal
from hookflash.runtime.switchboard import Switchboard
from hookflash.runtime.tool_runner import ToolThreads

from .conftest import Stream, World

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")


def context_of(agent, call, post, ask, collect) -> CallContext:
    return CallContext(call_sid="CA1", caller="+15550100009", post=post)


def board(world: World, agent: Agent, **more) -> Switchboard:
    return Switchboard(
        Directory.of(agent),
        clock=world.clock,
        control=world.control,
        connector=world.connector,
        records=world.records,
        deliveries=world.deliveries,
        journals=world.journals,
        make_context=context_of,
        **more,
    )


async def told(call: CallContext) -> str:
    await asyncio.sleep(0.5)
    call.state["account"] = "Ada"
    return f"""
        You speak with {call.caller}.
        Be kind.
    """


def hello(call: CallContext) -> str | None:
    return "Good day, Ada."


async def fails(call: CallContext) -> str:
    raise ValueError("the database is down")


async def hangs(call: CallContext) -> str:
    await asyncio.sleep(3600)
    return "Too late."


async def is_number(call: CallContext) -> str:
    return 7  # type: ignore[return-value]  # the mistake is the test


def tools_of(world: World) -> list[str]:
    return [tool.name for tool in world.connector.links[0].setup.tools]


async def test_the_values_are_those_of_the_call_and_are_in_its_journal(
    world: World, tmp_path: Path
) -> None:
    agent = Agent("desk", instructions=told, instructions_fallback="Be kind.", greeting=hello)
    seen: list[object] = []

    @agent.tool(offered=lambda call: call.caller.endswith("9"))
    async def orders(call: CallContext) -> str:
        """Look up the orders."""
        seen.append(call.state["account"])
        return "none"

    @agent.tool(offered=lambda call: False)
    async def refund() -> str:
        """Pay back."""
        return ""

    switchboard = board(world, agent)
    before = asyncio.get_running_loop().time()
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert asyncio.get_running_loop().time() - before == pytest.approx(0.5, abs=0.1)
    driver = switchboard.find("CA1")
    assert driver is not None
    assert driver.call.setup.greeting == "Good day, Ada."
    assert world.connector.links[0].setup.instructions == ("You speak with +15550100009.\nBe kind.")
    assert "orders" in tools_of(world)
    assert "refund" not in tools_of(world)
    switchboard.attach("CA1", Stream())
    await switchboard.post("CA1", e.StreamStarted("MZ1", 1))
    driver.post(e.ModelReady())
    driver.post(e.ResponseStarted("r1"))
    driver.post(e.ToolCallRequested("c1", "orders", "{}", "r1"))
    driver.post(e.ToolCallRequested("c2", "refund", "{}", "r1"))
    await asyncio.sleep(0.1)
    assert seen == ["Ada"], "a tool has what a function of the call has left in `state`"
    await switchboard.close()
    await asyncio.to_thread(world.journals.close)
    head, _ = read_journal(tmp_path / "CA1.jsonl")
    assert head.setup.instructions == "You speak with +15550100009.\nBe kind."
    assert head.setup.tools_left_out == ("refund",)


@pytest.mark.parametrize("function", [fails, hangs, is_number])
async def test_a_function_that_says_nothing_leaves_the_fallback(
    world: World, function, caplog
) -> None:
    agent = Agent(
        "desk", instructions=function, instructions_fallback="Be kind.", greeting=function
    )

    @agent.tool(offered=function)
    async def refund() -> str:
        """Pay back."""
        return ""

    switchboard = board(world, agent)
    before = asyncio.get_running_loop().time()
    await switchboard.arrive(ARRIVED)
    assert asyncio.get_running_loop().time() - before <= 2.1
    driver = switchboard.find("CA1")
    assert driver is not None
    assert (driver.call.setup.instructions, driver.call.setup.greeting) == (None, "")
    assert world.connector.links[0].setup.instructions == "Be kind."
    assert "refund" not in tools_of(world)
    assert "the fallback counts" in caplog.text
    await switchboard.close()


async def test_a_repeated_request_of_the_carrier_asks_no_second_time(world: World) -> None:
    asked: list[str] = []

    async def once(call: CallContext) -> str:
        asked.append(call.call_sid)
        await asyncio.sleep(1)
        return "Be kind to Ada."

    switchboard = board(world, Agent("desk", instructions=once, instructions_fallback="x"))
    first = asyncio.create_task(switchboard.arrive(ARRIVED))
    await asyncio.sleep(0.2)
    first.cancel()
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert asked == ["CA1"]
    assert world.connector.links[0].setup.instructions == "Be kind to Ada."
    await switchboard.close()


async def test_a_call_that_is_refused_asks_no_function(world: World) -> None:
    agent = Agent("desk", instructions=fails, instructions_fallback="x")
    switchboard = board(world, agent, limits=CallLimits(calls=1))
    await switchboard.arrive(ARRIVED)
    with pytest.raises(CallRefused):
        await switchboard.arrive(e.CallArrived("CA2", "", ""))
    await switchboard.close()


async def test_a_line_that_closes_waits_for_no_function(world: World) -> None:
    switchboard = board(world, Agent("desk", instructions=hangs, instructions_fallback="x"))
    arriving = asyncio.create_task(switchboard.arrive(ARRIVED))
    await asyncio.sleep(0.1)
    await switchboard.close()
    with pytest.raises(asyncio.CancelledError):
        await arriving


async def test_a_greeting_may_be_left_to_the_caller() -> None:
    agent = Agent("desk", instructions="x", greeting=lambda call: None)
    values = await values_of_call(
        agent, CallContext(call_sid="CA1"), call_sid="CA1", threads=ToolThreads(), seconds=5
    )
    assert values == CallValues(greeting=None)
