"""The agent talks with a human on their own leg, beside the caller's call."""

from __future__ import annotations

import asyncio

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.agents.plans import Consult
from hookflash.core import events as e
from hookflash.core.commands import ConnectAgent, HangUp, JoinRoom
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase
from hookflash.runtime.switchboard import Switchboard

from .conftest import Link, Stream, World

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")
TRANSFER = '{"destination": "people", "reason": "a refund", "summary": "Order 7 is late."}'


def board(world: World) -> Switchboard:
    desk = Agent("desk", instructions="The shop opens at nine.", greeting="Hello.")
    plan = Consult(Target.phone("+15550100002"))
    desk.handoff("people", when="somebody asks", plan=plan)
    desk.tool(lookup)
    return Switchboard(
        Directory.of(desk),
        clock=world.clock,
        control=world.control,
        connector=world.connector,
        records=world.records,
        deliveries=world.deliveries,
        journals=world.journals,
        make_context=lambda agent, call, post, ask, collect: None,
    )


def lookup(order: str) -> str:
    """Look up an order."""
    return order


async def until(true) -> None:
    for _ in range(3_000):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that within a minute")


async def ringing(switchboard: Switchboard, world: World) -> None:
    """A caller talks with the agent, which has asked for a human, who is being rung."""
    await switchboard.arrive(ARRIVED)
    sink = switchboard.attach("CA1", Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    link = world.connector.links[-1]
    link.on_event(e.ModelReady())
    link.on_event(e.CallerTranscribed("u1", "my order is late"))
    link.on_event(e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r1"))
    await until(lambda: world.control.rung)
    await asyncio.sleep(0.01)


async def talking(switchboard: Switchboard, world: World) -> Link:
    """The human has answered, and the agent talks with them too. Return that model's link."""
    await ringing(switchboard, world)
    asked = e.HumanAsked(1, 0, "CAleg1", "answered")
    answer = await switchboard.ask("CA1", asked, leg_sid="CAleg1")
    assert answer == (ConnectAgent(1),)
    sink = switchboard.attach("CAleg1", Stream("MZ2"))
    assert sink is not None
    sink(e.StreamStarted("MZ2", 1))
    link = world.connector.links[-1]
    link.on_event(e.ModelReady())
    return link


async def test_the_human_gets_a_stream_and_a_model_that_knows_what_it_is_about(
    world: World,
) -> None:
    switchboard = board(world)
    link = await talking(switchboard, world)
    said = link.setup.instructions
    assert "Order 7 is late." in said
    assert "Caller: my order is late" in said
    assert "The shop opens at nine." in said
    assert [tool.name for tool in link.setup.tools] == [
        "connect_caller",
        "decline",
        "left_voicemail",
    ]
    assert len(switchboard.live) == 1, "a talk is nobody's call"
    await switchboard.close()


async def test_asked_again_the_talk_is_the_same(world: World) -> None:
    switchboard = board(world)
    await talking(switchboard, world)
    links = len(world.connector.links)
    asked = e.HumanAsked(1, 0, "CAleg1", "answered")
    (again,) = await switchboard.ask("CA1", asked, leg_sid="CAleg1")
    assert isinstance(again, ConnectAgent)
    assert len(world.connector.links) == links
    await switchboard.close()


async def test_what_was_settled_reaches_the_callers_call_and_the_leg_goes_to_the_room(
    world: World,
) -> None:
    switchboard = board(world)
    link = await talking(switchboard, world)
    link.on_event(e.ToolCallRequested("c2", "connect_caller", "{}", "r9"))
    await until(lambda: world.control.moves)
    assert world.control.moves[0] == ("CAleg1", (JoinRoom("CA1", 1, leg=0),))
    parent = switchboard.find("CA1")
    assert parent is not None
    await until(lambda: parent.call.handoff.state.value not in ("ringing", "screening"))
    assert world.records.kept == []
    await switchboard.close()


async def test_the_end_of_the_humans_leg_ends_the_talk(world: World) -> None:
    switchboard = board(world)
    link = await talking(switchboard, world)
    talk = switchboard.find("CAleg1")
    assert talk is not None
    await switchboard.post("CA1", e.LegChanged("CAleg1", "completed", 1, None, 0))
    assert talk.call.phase is Phase.ENDED
    assert link.closed
    assert world.records.kept == [], "the record of a talk is not kept"
    await switchboard.close()


async def test_the_end_of_the_callers_call_ends_the_talk(world: World) -> None:
    switchboard = board(world)
    link = await talking(switchboard, world)
    await switchboard.post("CA1", e.CallCompleted())
    assert link.closed
    assert [record.call_sid for record in world.records.kept] == ["CA1"]
    await until(lambda: world.control.ended)
    assert world.control.ended == ["CAleg1"]
    await switchboard.close()


async def test_after_a_restart_the_talk_goes_on_with_its_call(world: World) -> None:
    first = board(world)
    await talking(first, world)
    world.journals.flush(60)
    second = board(world)
    answer = await second.ask("CA1", e.InstructionsAsked(1, "connect"), leg_sid="CAleg1")
    assert answer == (ConnectAgent(2),)
    said = world.connector.links[-1].setup.instructions
    assert "Order 7 is late." in said and "Caller: my order is late" in said
    assert {driver.call_sid for driver in second.live} == {"CA1"}
    assert second.arrived("CAleg1") == second.arrived("CA1") == ARRIVED
    await first.close()
    await second.close()


async def test_a_talk_without_its_call_is_over(world: World, tmp_path) -> None:
    first = board(world)
    await talking(first, world)
    world.journals.flush(60)
    (tmp_path / "CA1.jsonl").unlink()
    second = board(world)
    asked = e.InstructionsAsked(1, "connect")
    assert await second.ask("CA1", asked, leg_sid="CAleg1") == (HangUp(),)
    assert second.attach("CAleg1", Stream("MZ3")) is None
    await first.close()
    await second.close()


async def test_a_talk_of_another_version_is_over_and_its_call_goes_on(
    world: World, tmp_path
) -> None:
    first = board(world)
    await talking(first, world)
    world.journals.flush(60)
    for path in tmp_path.glob("CA*.jsonl"):
        path.write_text(path.read_text().replace('"journal":', '"journal":9', 1))
    second = board(world)
    asked = e.InstructionsAsked(1, "connect")
    assert await second.ask("CA1", asked, leg_sid="CAleg1") == (HangUp(),)
    assert await second.ask("CA1", asked) == (ConnectAgent(2),)
    await until(lambda: world.control.ended)
    assert world.control.ended == ["CAleg1"]
    await first.close()
    await second.close()
