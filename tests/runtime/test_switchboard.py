from __future__ import annotations

import asyncio
import gc
import json
import weakref

import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.context import CallContext
from hookflash.agents.directory import Directory
from hookflash.core import events as e
from hookflash.core.commands import ConnectAgent, HangUp, LeaveQueue, Speak
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals, read_journal
from hookflash.runtime.switchboard import Switchboard, brings_back
from hookflash.standins.simulation.world import EPOCH, SimulatedWorld

from .conftest import Records, Stream, World

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")


def agent() -> Agent:
    desk = Agent("desk", instructions="Be kind.", greeting="Hello.", fallback="people")
    plan = HandoffPlan(targets=(Target.phone("+15550100002"),))
    desk.handoff("people", when="somebody asks", plan=plan)
    return desk


def board(world: World, directory: Directory | None = None, **more) -> Switchboard:
    return Switchboard(
        directory or Directory.of(agent()),
        clock=world.clock,
        control=world.control,
        connector=world.connector,
        records=world.records,
        deliveries=world.deliveries,
        journals=world.journals,
        make_context=lambda agent, call, post, ask: None,
        **more,
    )


async def test_a_call_that_arrives_is_connected_to_its_agent(world: World) -> None:
    switchboard = board(world)
    assert switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert len(switchboard.live) == 1
    assert world.connector.links[0].setup.instructions == "Be kind."
    await switchboard.close()


async def test_texts_of_an_owner_and_of_a_supervisor_are_made_valid(world: World) -> None:
    half = json.loads('"\\ud83d"')
    bad = Agent("desk", instructions=f"Be {half} kind.", greeting=f"Hello {half}.")
    switchboard = board(world, Directory.of(bad))
    switchboard.arrive(ARRIVED)
    assert world.connector.links[0].setup.instructions == "Be \N{REPLACEMENT CHARACTER} kind."
    assert switchboard.post("CA1", e.HintGiven(f"Ask {half}."))
    assert world.journals.flush(60)
    path = world.journals.find("CA1")
    assert path is not None
    head, lines = read_journal(path)
    assert head.setup.greeting == "Hello \N{REPLACEMENT CHARACTER}."
    hint = e.HintGiven("Ask \N{REPLACEMENT CHARACTER}.")
    assert hint in [line.event for line in lines]
    await switchboard.close()


async def test_the_callers_number_reaches_the_model_only_as_a_pseudonym(world: World) -> None:
    switchboard = board(world)
    switchboard.arrive(ARRIVED)
    name = world.connector.links[0].setup.safety_identifier
    assert name is not None and "5550100009" not in name
    await switchboard.close()


async def test_a_line_without_an_agent_says_so(world: World) -> None:
    directory = Directory()
    directory.add(agent(), lines=["+15550100077"])
    switchboard = board(world, directory)
    speak, hang_up = switchboard.arrive(ARRIVED)
    assert isinstance(speak, Speak) and isinstance(hang_up, HangUp)
    assert switchboard.live == []
    await switchboard.close()


async def test_events_of_unknown_calls_are_refused_and_streams_get_nothing(world: World) -> None:
    switchboard = board(world)
    assert not switchboard.post("CA9", e.LegChanged("CA2", "ringing", 1))
    assert not switchboard.post("CA9", e.CallCompleted())
    assert switchboard.attach("CA9", Stream()) is None
    await switchboard.close()


async def test_a_call_of_a_process_that_died_goes_on_with_its_memory(world: World) -> None:
    first = board(world)
    first.arrive(ARRIVED)
    stream = Stream()
    sink = first.attach("CA1", stream)
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    sink(e.CallerTranscribed("u1", "my order is late"))
    world.journals.flush(60)
    # Nothing is closed: a process that dies does not say goodbye.
    second = board(world)
    assert second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    history = world.connector.links[-1].setup.history
    assert [message.text for message in history] == ["my order is late"]
    assert second.attach("CA1", Stream("MZ2")) is not None
    await first.close()
    await second.close()


async def test_the_record_of_a_call_whose_process_died_is_still_made(world: World) -> None:
    first = board(world)
    first.arrive(ARRIVED)
    world.journals.flush(60)
    records = Records()
    second = board(world)
    second._records = records
    assert second.post("CA1", e.CallCompleted())
    assert [record.call_sid for record in records.kept] == ["CA1"]
    await first.close()
    await second.close()


async def test_a_call_without_a_journal_goes_on_as_a_new_one(world: World) -> None:
    switchboard = board(world)
    assert switchboard.ask("CA7", e.InstructionsAsked(3, "connect")) == (ConnectAgent(1),)
    assert switchboard.ask("CA8", e.InstructionsAsked(3, "dial", "CA9", "bridged")) == (HangUp(),)
    await switchboard.close()


async def test_a_journal_that_cannot_be_read_is_no_reason_to_drop_the_call(
    world: World, tmp_path
) -> None:
    (tmp_path / "CA1.jsonl").write_text("nonsense\n")
    switchboard = board(world)
    assert switchboard.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(1),)
    await switchboard.close()


@pytest.mark.parametrize(
    ("event", "comes"),
    [
        (e.CallCompleted(), True),
        (e.RecordingReady(4, e.Recording("https://api.twilio.com/RE1")), True),
        (e.VoicemailTranscribed(4, "Call me."), True),
        (e.LegChanged("CA9", "completed", 1, "busy", 0), True),
        (e.LegChanged("CA9", "completed", 1, "busy"), False),
        (e.RoomChanged(1, "joined"), False),
        (e.StreamStopped("MZ1"), False),
    ],
)
async def test_a_call_is_brought_back_for_what_must_not_be_lost(
    world: World, event: e.AnyEvent, comes: bool
) -> None:
    first = board(world)
    first.arrive(ARRIVED)
    world.journals.flush(60)
    second = board(world)
    assert brings_back(event) is comes
    assert second.post("CA1", event) is comes
    await first.close()
    await second.close()


async def test_a_call_knows_how_it_came_also_after_a_restart(world: World) -> None:
    first = board(world)
    first.arrive(ARRIVED)
    assert first.arrived("CA1") == ARRIVED
    assert first.arrived("CA9") is None
    world.journals.flush(60)
    second = board(world)
    second.post("CA1", e.CallCompleted())
    assert second.arrived("CA1") == ARRIVED
    await first.close()
    await second.close()


async def test_a_call_that_went_on_without_its_journal_does_not_know_how_it_came(
    world: World,
) -> None:
    first = board(world)
    first.ask("CA7", e.InstructionsAsked(3, "connect"))
    assert first.arrived("CA7") is None
    world.journals.flush(60)
    second = board(world)
    second.post("CA7", e.CallCompleted())
    assert second.arrived("CA7") is None
    await first.close()
    await second.close()


async def test_whoever_belongs_to_no_call_is_sent_home(world: World) -> None:
    switchboard = board(world)
    asked = e.HumanAsked(1, 0, "CA9", "answered")
    assert switchboard.ask("CA8", asked, leg_sid="CA9") == (HangUp(),)
    assert switchboard.ask("CA8", e.InstructionsAsked(1, "connect"), leg_sid="CA9") == (HangUp(),)
    assert switchboard.ask("CA8", e.QueueAsked(1)) == (LeaveQueue(),)
    assert switchboard.live == []
    await switchboard.close()


async def test_draining_waits_for_calls_to_end(world: World) -> None:
    switchboard = board(world)
    switchboard.arrive(ARRIVED)
    draining = asyncio.create_task(switchboard.drain(1000))
    await asyncio.sleep(0)
    assert switchboard.draining
    switchboard.post("CA1", e.CallCompleted())
    async with asyncio.timeout(5):
        await draining
    assert switchboard.live == []
    await switchboard.close()


async def test_a_call_that_outlives_the_drain_is_brought_to_a_human(world: World) -> None:
    switchboard = board(world)
    switchboard.arrive(ARRIVED)
    sink = switchboard.attach("CA1", Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    draining = asyncio.create_task(switchboard.drain(1))
    async with asyncio.timeout(5):
        await world.control.moved.wait()
        driver = switchboard.find("CA1")
        assert driver is not None and driver.call.phase is Phase.HANDING_OFF
        assert not draining.done()
        driver.post(e.LegChanged("CA2", "answered", 2))
        await draining
    assert driver.call.phase is Phase.WITH_HUMAN
    assert len(world.control.moves) == 1
    await switchboard.close()


async def test_every_event_and_command_can_be_watched(world: World) -> None:
    seen: list[str] = []

    def watch(call_sid: str, event: e.AnyEvent | None, commands: list) -> None:
        seen.append(f"{call_sid} {type(event).__name__} {len(commands)}")

    switchboard = board(world, watch=watch)
    switchboard.arrive(ARRIVED)
    assert seen == ["CA1 CallArrived 2"]
    await switchboard.close()


async def test_an_ended_call_is_forgotten_after_a_while_but_its_journal_is_not(
    world: World,
) -> None:
    switchboard = board(world)
    switchboard.arrive(ARRIVED)
    switchboard.post("CA1", e.CallCompleted())
    await asyncio.sleep(59)
    assert switchboard.find("CA1") is not None
    await asyncio.sleep(2)
    assert switchboard.find("CA1") is None
    world.journals.flush(60)
    assert switchboard.ask("CA1", e.InstructionsAsked(1, "connect")) == (HangUp(),)
    await switchboard.close()


async def test_a_call_that_was_let_go_leaves_nothing_for_the_garbage_collector(
    world: World,
) -> None:
    switchboard = Switchboard(
        Directory.of(agent()),
        clock=world.clock,
        control=world.control,
        connector=world.connector,
        records=world.records,
        deliveries=world.deliveries,
        journals=world.journals,
        make_context=lambda agent, call, post, ask: CallContext(call_sid="CA1", post=post, ask=ask),
    )
    gc.collect()
    gc.disable()
    try:
        switchboard.arrive(ARRIVED)
        switchboard.attach("CA1", Stream())
        gone, driver = asyncio.Event(), switchboard.find("CA1")
        call = weakref.ref(driver.call)
        weakref.finalize(driver, gone.set)
        del driver
        switchboard.post("CA1", e.CallCompleted())
        # The link is the connector's here, and holds what it was given.
        world.connector.links.clear()
        await asyncio.wait_for(gone.wait(), 120)
        assert call() is None
    finally:
        gc.enable()
    await switchboard.close()


async def test_the_clock_begins_at_the_calendars_time_and_runs_at_its_speed() -> None:
    clock = SystemClock(10.0, world=SimulatedWorld(0, epoch=5000.0))
    assert clock.now() == 5000.0
    await asyncio.sleep(0.5)
    assert clock.now() == 5005.0
    assert clock.delay(5.0) == 0.5


async def test_the_clock_goes_on_evenly_when_the_calendar_is_set_back() -> None:
    machine = SimulatedWorld(0)
    clock = SystemClock(world=machine)
    machine._epoch -= 3600
    await asyncio.sleep(1)
    assert clock.now() == EPOCH + 1


def test_journals_of_two_processes_share_a_folder(tmp_path) -> None:
    one, two = Journals(tmp_path), Journals(tmp_path)
    one.close()
    two.close()


async def test_the_owners_setting_outranks_the_agents(world: World) -> None:
    switchboard = board(world, record=True)
    switchboard.arrive(ARRIVED)
    driver = switchboard.find("CA1")
    assert driver is not None and driver.call.setup.record
    tools = [tool.name for tool in world.connector.links[0].setup.tools]
    assert "stop_recording" in tools
    await switchboard.close()


# --- who is rung --------------------------------------------------------------------------------


async def test_it_is_known_which_telephones_are_rung_and_what_they_may_show(world: World) -> None:
    switchboard = board(world)
    switchboard.arrive(ARRIVED)
    desk = "+15550100002".__eq__
    assert not switchboard.rings(desk, "+15550100001", call_sid="CA9"), "nobody is rung yet"
    switchboard.find("CA1").post(e.ShutdownRequested())
    assert switchboard.find("CA1").call.handoff.running
    shown = ("+15550100001", "+15550100009", "+15550100002", "anonymous", "", "+266696687")
    for caller in shown:
        assert switchboard.rings(desk, caller, call_sid="CA9"), caller
    assert not switchboard.rings(desk, "+15550100077", call_sid="CA9"), (
        "somebody else who called that telephone"
    )
    assert not switchboard.rings(desk, "+15550100009", call_sid="CA1"), "it is that call itself"
    assert not switchboard.rings("+15550100003".__eq__, "+15550100001", call_sid="CA9")
    switchboard.post("CA1", e.CallCompleted("completed"))
    assert not switchboard.rings(desk, "+15550100001", call_sid="CA9")
    await switchboard.close()


@pytest.mark.parametrize("caller", ["", "anonymous", "RESTRICTED", "+266696687"])
async def test_callers_who_withhold_their_number_have_no_name_in_common(
    world: World, caller: str
) -> None:
    switchboard = board(world)
    switchboard.arrive(e.CallArrived("CA1", caller, "+15550100001"))
    assert world.connector.links[0].setup.safety_identifier is None
    await switchboard.close()
