"""Every example answers a call: it greets, its first tool runs, its first hand-off rings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash import Agent
from hookflash.agents.load_agent import load_agent
from hookflash.core.handoff_plan import HandoffPlan
from hookflash_local.carrier import Human, Line

from .conftest import DESK, eventually
from .test_handoff import FAREWELL, GREETING, asked_to, desk, greeted, say

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))

ARGUMENTS = {
    "press_keys": {"keys": "1"},
    "order_status": {"number": 1001},
    "report_accident": {"what_happened": "a bruise"},
    "ask_for_discount": {"percent": 10},
    "book_repair": {"day": "monday", "what_is_broken": "a wheel"},
}


async def listens(line: Line) -> None:
    """A human who hears the agent out, and then talks with the caller."""
    await line.wait_for("joined")
    await line.connected()
    await desk(line)


def human(plan: HandoffPlan) -> Human:
    """Return somebody who takes a call of this plan."""
    if plan.manner == "consult":
        return Human(answer_after=0.5, script=listens)
    if plan.acceptance == "press-1":
        return Human.accepts(0.5, then=desk)
    return Human(answer_after=0.5, script=desk)


def used(s) -> list:
    """Return the uses of tools in the live call."""
    (driver,) = s.line.switchboard.live
    return driver.call.conversation.tool_uses


async def take_from_queue(s, line: Line, plan: HandoffPlan) -> None:
    if plan.targets[0].kind == "queue":
        await line.wait_for("queued")
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)
        await s.carrier.take_from_queue(plan.targets[0].address, DESK)


def test_there_are_examples_and_each_is_short_and_says_how_to_run_it() -> None:
    assert len(EXAMPLES) >= 3
    for path in EXAMPLES:
        text = path.read_text()
        assert len(text.splitlines()) < 80, path.name
        assert "hookflash call" in text.partition('"""')[0], path.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_answers_a_call(stage, path: Path) -> None:
    agent = load_agent(str(path))
    assert isinstance(agent, Agent)
    async with stage(agent) as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("bye", 800, FAREWELL)], where=asked_to("connected to"))
        consulted = {"call_tool": {"name": "connect_caller", "arguments": {}}}
        s.model.on(
            "response.create",
            [say("briefing", 800, FAREWELL), consulted],
            where=asked_to("A human has picked up"),
        )
        s.model.on("response.create", [say("line", 800, FAREWELL)])
        for destination in agent.destinations:
            # A computed address is none for the caller of this test.
            for target in destination.plan.targets:
                prefix = "client:" if target.kind == "client" else ""
                s.carrier.humans[prefix + target.address] = human(destination.plan)
        # A tool that depends on the call is none for the caller of this test.
        has = [name for name in agent.tools if name not in agent.tool_conditions]
        tools = [name for name in has if name in ARGUMENTS]
        assert bool(tools) == bool(has), "say with which arguments its tools are called"

        async def script(line: Line) -> None:
            await greeted(line)
            calls = [{"call_tool": {"name": name, "arguments": ARGUMENTS[name]}} for name in tools]
            for step in calls[: 0 if agent.destinations else 1]:
                hears = {"hears": {"text": "please", "ms": 500, "respond": True}}
                await s.model.perform([hears, step])
                await eventually(lambda: used(s))
            if agent.destinations:
                arguments = {
                    "destination": agent.destinations[0].key,
                    "reason": "wants it",
                    "summary": "nothing else",
                }
                call = {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}
                hears = {"hears": {"text": "a person", "ms": 500, "respond": True}}
                await s.model.perform([hears, call])
                await take_from_queue(s, line, agent.destinations[0].plan)
                await line.connected()
                if agent.destinations[0].plan.afterwards == "return":
                    # The caller would be with the agent again, and stay.
                    await line.wait_for_silence(1.5)
                    await line.hang_up()
            else:
                await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        expected = "handed_off" if agent.destinations else "handled_by_agent"
        assert record.disposition == expected
        assert [use.failed for use in record.tools] == [False] * (
            1 if tools and not agent.destinations else 0
        )
