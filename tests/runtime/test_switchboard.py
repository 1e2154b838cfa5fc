from __future__ import annotations

import asyncio
import gc
import json
import weakref
from pathlib import Path

import msgspec
import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.context import CallContext
from hookflash.agents.directory import Directory
from hookflash.agents.plans import Cold, Warm
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import ConnectAgent, HangUp, LeaveQueue, Speak
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import JOURNAL_VERSION, Journals
from hookflash.runtime.journal_replay import read_journal
from hookflash.runtime.sliced_work import SLICE_STEPS
from hookflash.runtime.switchboard import Switchboard, restores_call
from hookflash_local.simulation.world import EPOCH, SimulatedWorld

from .conftest import Records, Stream, World

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")


def agent() -> Agent:
    desk = Agent("desk", instructions="Be kind.", greeting="Hello.", fallback="people")
    plan = Cold(Target.phone("+15550100002"))
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
        make_context=lambda agent, call, post, ask, collect: None,
        **more,
    )


async def test_a_call_that_arrives_is_connected_to_its_agent(world: World) -> None:
    switchboard = board(world)
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert len(switchboard.live) == 1
    assert world.connector.links[0].setup.instructions == "Be kind."
    await switchboard.close()


async def test_texts_of_an_owner_and_of_a_supervisor_are_made_valid(world: World) -> None:
    half = json.loads('"\\ud83d"')
    bad = Agent("desk", instructions=f"Be {half} kind.", greeting=f"Hello {half}.")
    switchboard = board(world, Directory.of(bad))
    await switchboard.arrive(ARRIVED)
    assert world.connector.links[0].setup.instructions == "Be \N{REPLACEMENT CHARACTER} kind."
    assert await switchboard.post("CA1", e.HintGiven(f"Ask {half}."))
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
    await switchboard.arrive(ARRIVED)
    name = world.connector.links[0].setup.safety_identifier
    assert name is not None and "5550100009" not in name
    await switchboard.close()


async def test_a_line_without_an_agent_says_so(world: World) -> None:
    directory = Directory()
    directory.add(agent(), lines=["+15550100077"])
    switchboard = board(world, directory)
    speak, hang_up = await switchboard.arrive(ARRIVED)
    assert isinstance(speak, Speak) and isinstance(hang_up, HangUp)
    assert switchboard.live == []
    await switchboard.close()


async def test_events_of_unknown_calls_are_refused_and_streams_get_nothing(world: World) -> None:
    switchboard = board(world)
    assert not await switchboard.post("CA9", e.LegChanged("CA2", "ringing", 1))
    assert not await switchboard.post("CA9", e.CallCompleted())
    assert switchboard.attach("CA9", Stream()) is None
    await switchboard.close()


async def test_a_call_of_a_process_that_died_goes_on_with_its_memory(world: World) -> None:
    first = board(world)
    await first.arrive(ARRIVED)
    stream = Stream()
    sink = first.attach("CA1", stream)
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    sink(e.CallerTranscribed("u1", "my order is late"))
    world.journals.flush(60)
    # Nothing is closed: a process that dies does not say goodbye.
    second = board(world)
    assert await second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    history = world.connector.links[-1].setup.history
    assert [message.text for message in history] == ["my order is late"]
    assert second.attach("CA1", Stream("MZ2")) is not None
    await first.close()
    await second.close()


async def test_the_record_of_a_call_whose_process_died_is_still_made(world: World) -> None:
    first = board(world)
    await first.arrive(ARRIVED)
    world.journals.flush(60)
    records = Records()
    second = board(world)
    second._records = records
    assert await second.post("CA1", e.CallCompleted())
    assert [record.call_sid for record in records.kept] == ["CA1"]
    await first.close()
    await second.close()


async def test_a_call_without_a_journal_goes_on_as_a_new_one(world: World) -> None:
    switchboard = board(world)
    assert await switchboard.ask("CA7", e.InstructionsAsked(3, "connect")) == (ConnectAgent(1),)
    assert await switchboard.ask("CA8", e.InstructionsAsked(3, "dial", "CA9", "bridged")) == (
        HangUp(),
    )
    await switchboard.close()


async def test_a_journal_that_cannot_be_read_is_no_reason_to_drop_the_call(
    world: World, tmp_path
) -> None:
    (tmp_path / "CA1.jsonl").write_text("nonsense\n")
    switchboard = board(world)
    assert await switchboard.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(1),)
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
    await first.arrive(ARRIVED)
    world.journals.flush(60)
    second = board(world)
    assert restores_call(event) is comes
    assert await second.post("CA1", event) is comes
    await first.close()
    await second.close()


async def test_a_call_knows_how_it_came_also_after_a_restart(world: World) -> None:
    first = board(world)
    await first.arrive(ARRIVED)
    assert first.arrived("CA1") == ARRIVED
    assert first.arrived("CA9") is None
    world.journals.flush(60)
    second = board(world)
    await second.post("CA1", e.CallCompleted())
    assert second.arrived("CA1") == ARRIVED
    await first.close()
    await second.close()


async def test_a_call_that_went_on_without_its_journal_does_not_know_how_it_came(
    world: World,
) -> None:
    first = board(world)
    await first.ask("CA7", e.InstructionsAsked(3, "connect"))
    assert first.arrived("CA7") is None
    world.journals.flush(60)
    second = board(world)
    await second.post("CA7", e.CallCompleted())
    assert second.arrived("CA7") is None
    await first.close()
    await second.close()


async def test_whoever_belongs_to_no_call_is_sent_home(world: World) -> None:
    switchboard = board(world)
    asked = e.HumanAsked(1, 0, "CA9", "answered")
    assert await switchboard.ask("CA8", asked, leg_sid="CA9") == (HangUp(),)
    assert await switchboard.ask("CA8", e.InstructionsAsked(1, "connect"), leg_sid="CA9") == (
        HangUp(),
    )
    assert await switchboard.ask("CA8", e.QueueAsked(1)) == (LeaveQueue(),)
    assert switchboard.live == []
    await switchboard.close()


async def test_draining_waits_for_calls_to_end(world: World) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
    draining = asyncio.create_task(switchboard.drain(1000))
    await asyncio.sleep(0)
    assert switchboard.draining
    await switchboard.post("CA1", e.CallCompleted())
    async with asyncio.timeout(5):
        await draining
    assert switchboard.live == []
    await switchboard.close()


async def test_a_call_whose_media_does_not_begin_is_waited_for_only_briefly(world: World) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await switchboard.drain(1000)
    assert loop.time() - began < 6
    assert [each.call_sid for each in switchboard.live] == ["CA1"]
    await switchboard.close()


async def test_a_call_that_outlives_the_drain_is_brought_to_a_human(world: World) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
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


async def test_a_call_whose_media_begins_while_others_are_handed_over_is_handed_over_too(
    world: World,
) -> None:
    switchboard = board(world)
    sinks = {}
    for sid in ("CA1", "CA2"):
        await switchboard.arrive(msgspec.structs.replace(ARRIVED, call_sid=sid))
        sinks[sid] = switchboard.attach(sid, Stream())
    sinks["CA1"](e.StreamStarted("MZ1", 1))
    draining = asyncio.create_task(switchboard.drain(6))
    # The first call is being handed over, and a phone rings.
    await asyncio.sleep(8)
    assert not draining.done()
    late = switchboard.find("CA2")
    assert late is not None and late.call.phase is Phase.RINGING
    sinks["CA2"](e.StreamStarted("MZ2", 8))
    await asyncio.sleep(2)
    assert late.call.phase is Phase.HANDING_OFF
    draining.cancel()
    await switchboard.close()


async def test_a_caller_who_comes_back_from_a_human_is_no_new_call(world: World) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
    sink = switchboard.attach("CA1", Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    sink(e.StreamStopped("MZ1", 2))
    driver = switchboard.find("CA1")
    assert driver is not None
    await switchboard.ask("CA1", e.InstructionsAsked(2, "connect"))
    assert driver.call.phase is Phase.RINGING
    draining = asyncio.create_task(switchboard.drain(1))
    await asyncio.sleep(3)
    assert not draining.done()
    assert driver.call.phase is Phase.HANDING_OFF
    draining.cancel()
    await switchboard.close()


async def test_every_event_and_command_can_be_watched(world: World) -> None:
    seen: list[str] = []

    def watch(call_sid: str, event: e.AnyEvent | None, commands: list) -> None:
        seen.append(f"{call_sid} {type(event).__name__} {len(commands)}")

    switchboard = board(world, watch=watch)
    await switchboard.arrive(ARRIVED)
    assert seen == ["CA1 CallArrived 2"]
    await switchboard.close()


async def test_an_ended_call_is_forgotten_after_a_while_but_its_journal_is_not(
    world: World,
) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
    await switchboard.post("CA1", e.CallCompleted())
    await asyncio.sleep(59)
    assert switchboard.find("CA1") is not None
    await asyncio.sleep(2)
    assert switchboard.find("CA1") is None
    world.journals.flush(60)
    assert await switchboard.ask("CA1", e.InstructionsAsked(1, "connect")) == (HangUp(),)
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
        make_context=lambda agent, call, post, ask, collect: CallContext(
            call_sid="CA1", post=post, ask=ask
        ),
    )
    gc.collect()
    gc.disable()
    try:
        await switchboard.arrive(ARRIVED)
        switchboard.attach("CA1", Stream())
        gone, driver = asyncio.Event(), switchboard.find("CA1")
        call = weakref.ref(driver.call)
        weakref.finalize(driver, gone.set)
        del driver
        await switchboard.post("CA1", e.CallCompleted())
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
    await switchboard.arrive(ARRIVED)
    driver = switchboard.find("CA1")
    assert driver is not None and driver.call.setup.record
    tools = [tool.name for tool in world.connector.links[0].setup.tools]
    assert "stop_recording" in tools
    await switchboard.close()


# --- who is rung --------------------------------------------------------------------------------


async def test_it_is_known_which_telephones_are_rung_and_what_they_may_show(world: World) -> None:
    switchboard = board(world)
    await switchboard.arrive(ARRIVED)
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
    await switchboard.post("CA1", e.CallCompleted("completed"))
    assert not switchboard.rings(desk, "+15550100001", call_sid="CA9")
    await switchboard.close()


@pytest.mark.parametrize("caller", ["", "anonymous", "RESTRICTED", "+266696687"])
async def test_callers_who_withhold_their_number_have_no_name_in_common(
    world: World, caller: str
) -> None:
    switchboard = board(world)
    await switchboard.arrive(e.CallArrived("CA1", caller, "+15550100001"))
    assert world.connector.links[0].setup.safety_identifier is None


# --- calls of other processes ------------------------------------------------------------------


TRANSFER = '{"destination":"people","reason":"a refund"}'


def warm_agent() -> Agent:
    desk = Agent("desk", instructions="Be kind.", greeting="Hello.")
    plan = Warm(Target.phone("+15550100002"))
    desk.handoff("people", when="somebody asks", plan=plan)
    return desk


async def left_behind(world: World, *events: e.AnyEvent) -> Switchboard:
    """Let a process have a call, and die without a word."""
    first = board(world, Directory.of(warm_agent()))
    await first.arrive(ARRIVED)
    sink = first.attach("CA1", Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    sink(e.ModelReady())
    sink(e.CallerTranscribed("u1", "my order is late"))
    for event in events:
        sink(event)
    await asyncio.sleep(1)
    assert world.journals.flush(60)
    return first


def make_foreign(path: Path, version: str = "1") -> None:
    """Let a journal be that of another version, with a setup that has another field."""
    head = f'"journal":{JOURNAL_VERSION},'
    other = f'"journal":{version},' if version else ""
    text = path.read_text().replace(head, other, 1)
    path.write_text(text.replace('"setup":{', '"setup":{"invented":[1],', 1))


@pytest.mark.parametrize("version", ["1", "99", ""])
async def test_a_journal_of_another_version_is_not_replayed_but_gone_on_from(
    world: World, tmp_path: Path, version: str
) -> None:
    first = await left_behind(world)
    make_foreign(tmp_path / "CA1.jsonl", version)
    second = board(world, Directory.of(warm_agent()))
    assert await second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    driver = second.find("CA1")
    assert driver is not None and driver.call.setup.greeting == "Hello."
    assert (driver.call.info.caller, driver.call.info.called) == (ARRIVED.caller, ARRIVED.called)
    assert second.arrived("CA1") == ARRIVED
    history = world.connector.links[-1].setup.history
    assert [message.text for message in history] == ["my order is late"]
    sink = second.attach("CA1", Stream("MZ2"))
    assert sink is not None
    sink(e.StreamStarted("MZ2", 2))
    assert driver.call.phase is Phase.TALKING
    await first.close()
    await second.close()


async def test_what_a_process_of_another_version_added_is_not_replayed(
    world: World, tmp_path: Path
) -> None:
    first = await left_behind(world)
    with (tmp_path / "CA1.jsonl").open("a") as file:
        file.write('{"at":1790000009.0,"event":{"type":"CallRecovered"}}\n')
        said = '"speaker":"caller","text":"are you there","started_at":1790000009.5'
        file.write(f'{{"at":1790000010.0,"said":{{{said},"ended_at":1790000010.0}}}}\n')
    second = board(world, Directory.of(warm_agent()))
    await second.ask("CA1", e.InstructionsAsked(1, "connect"))
    history = world.connector.links[-1].setup.history
    assert {message.text for message in history} == {"my order is late", "are you there"}
    await first.close()
    await second.close()


async def test_a_call_that_went_on_without_a_replay_can_go_on_again(
    world: World, tmp_path: Path
) -> None:
    first = await left_behind(world)
    make_foreign(tmp_path / "CA1.jsonl")
    second = board(world, Directory.of(warm_agent()))
    await second.ask("CA1", e.InstructionsAsked(1, "connect"))
    sink = second.attach("CA1", Stream("MZ2"))
    assert sink is not None
    sink(e.StreamStarted("MZ2", 2))
    sink(e.CallerTranscribed("u2", "are you there"))
    assert world.journals.flush(60)
    third = board(world, Directory.of(warm_agent()))
    assert await third.ask("CA1", e.InstructionsAsked(2, "connect")) == (ConnectAgent(3),)
    history = world.connector.links[-1].setup.history
    assert [message.text for message in history] == ["my order is late", "are you there"]
    for switchboard in (first, second, third):
        await switchboard.close()


async def test_legs_of_an_interrupted_transfer_are_ended(world: World, tmp_path: Path) -> None:
    transfer = e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r1")
    first = await left_behind(world, e.ResponseStarted("r1"), transfer)
    assert [leg for _, leg in world.control.rung]
    make_foreign(tmp_path / "CA1.jsonl")
    second = board(world, Directory.of(warm_agent()))
    assert await second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    await asyncio.sleep(1)
    assert world.control.ended == ["CAleg1"]
    history = world.connector.links[-1].setup.history
    assert "transfer of the caller to a human was interrupted" in history[-1].text
    await first.close()
    await second.close()


async def test_a_human_who_is_with_the_caller_stays_until_the_caller_comes_back(
    world: World, tmp_path: Path
) -> None:
    transfer = e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r1")
    first = await left_behind(world, e.ResponseStarted("r1"), transfer)
    path = tmp_path / "CA1.jsonl"
    make_foreign(path)
    with path.open("a") as file:
        file.write('{"at":1.0,"state":{"phase":"with a human","handoff":"with human"}}\n')
    second = board(world, Directory.of(warm_agent()))
    await first.close()
    # News of another leg brings the call back, and must not part who talks.
    assert await second.post("CA1", e.LegChanged("CAold", "completed", 1, "busy", 1))
    await asyncio.sleep(600)
    assert world.control.ended == []
    assert len(second.live) == 1
    assert await second.ask("CA1", e.InstructionsAsked(1, "room")) == (ConnectAgent(2),)
    await asyncio.sleep(1)
    assert world.control.ended == ["CAleg1"]
    await second.close()


async def test_a_human_whose_caller_hangs_up_is_ended_too(world: World, tmp_path: Path) -> None:
    transfer = e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r1")
    first = await left_behind(world, e.ResponseStarted("r1"), transfer)
    path = tmp_path / "CA1.jsonl"
    make_foreign(path)
    with path.open("a") as file:
        file.write('{"at":1.0,"state":{"phase":"with a human","handoff":"with human"}}\n')
    second = board(world, Directory.of(warm_agent()))
    assert await second.post("CA1", e.CallCompleted())
    await asyncio.sleep(1)
    assert world.control.ended == ["CAleg1"]
    assert [record.call_sid for record in world.records.kept] == ["CA1"]
    await first.close()
    await second.close()


async def test_a_core_that_cannot_live_through_a_journal_drops_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await left_behind(world)
    live_through = Call.receive

    def broken(call: Call, event: e.AnyEvent, now: float) -> list:
        if isinstance(event, e.CallerTranscribed):
            raise AssertionError("this cannot be")
        return live_through(call, event, now)

    monkeypatch.setattr(Call, "receive", broken)
    second = board(world, Directory.of(warm_agent()))
    assert await second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    history = world.connector.links[-1].setup.history
    assert [message.text for message in history] == ["my order is late"]
    await first.close()
    await second.close()


# --- restoring beside other calls --------------------------------------------------------------


async def long_call(world: World, turns: int = 400) -> Switchboard:
    events: list[e.AnyEvent] = []
    for number in range(turns):
        events += [
            e.CallerSpeechStarted(f"w{number}"),
            e.CallerSpeechStopped(f"w{number}"),
            e.CallerTranscribed(f"w{number}", f"line {number}"),
            e.ResponseStarted(f"r{number}"),
            e.ModelAudio(f"r{number}", f"a{number}", "", 80),
            e.ModelAudioEnded(f"r{number}", f"a{number}"),
            e.ResponseEnded(f"r{number}", "completed"),
        ]
    return await left_behind(world, *events)


async def test_restoring_a_long_call_does_not_block_the_event_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await long_call(world)
    lived = [0]
    live_through = Call.receive

    def counted(call: Call, event: e.AnyEvent, now: float) -> list:
        lived[0] += 1
        return live_through(call, event, now)

    monkeypatch.setattr(Call, "receive", counted)
    second = board(world, Directory.of(warm_agent()))
    asking = asyncio.create_task(second.ask("CA1", e.InstructionsAsked(1, "connect")))
    turns = []
    while not asking.done():
        turns.append(lived[0])
        await asyncio.sleep(0)
    assert asking.result() == (ConnectAgent(2),)
    assert turns[-1] > 2000
    most = max(after - before for before, after in zip(turns, turns[1:], strict=False))
    # The last turn also takes what has waited.
    assert most <= SLICE_STEPS + 2
    assert second.has("CA1") and not second.has("CA2")
    await first.close()
    await second.close()


async def test_events_during_a_restore_keep_their_order(
    world: World,
) -> None:
    seen: list[str] = []
    there = asyncio.Event()

    def watch(call_sid: str, event: e.AnyEvent | None, commands: list) -> None:
        seen.append(type(event).__name__)
        there.set()

    first = await long_call(world)
    second = board(world, Directory.of(warm_agent()), watch=watch)
    tasks = [
        asyncio.create_task(second.ask("CA1", e.InstructionsAsked(1, "connect"))),
        asyncio.create_task(second.post("CA1", e.HintGiven("They are a member."))),
        asyncio.create_task(second.post("CA1", e.RecordingRefused())),
        asyncio.create_task(second.arrive(ARRIVED)),
    ]
    await asyncio.sleep(0)
    assert second.find("CA1") is None and second.has("CA1")
    await there.wait()
    # What comes in the first turn in which the call is there is the last.
    assert await second.post("CA1", e.SayRequested("One moment."))
    assert await asyncio.gather(*tasks) == [(ConnectAgent(2),), True, True, (ConnectAgent(2),)]
    assert seen == [
        "CallRecovered",
        "InstructionsAsked",
        "HintGiven",
        "RecordingRefused",
        "CallArrived",
        "SayRequested",
    ]
    await first.close()
    await second.close()


async def test_a_call_is_restored_once_however_many_ask_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    first = await long_call(world)
    monkeypatch.setattr(Path, "read_bytes", counted)
    second = board(world, Directory.of(warm_agent()))
    asked = e.InstructionsAsked(1, "connect")
    answers = await asyncio.gather(*(second.ask("CA1", asked) for _ in range(5)))
    assert answers == [(ConnectAgent(2),)] * 5
    assert len(read) == 1
    await first.close()
    await second.close()


async def test_who_stops_waiting_does_not_stop_the_restoring(world: World) -> None:
    first = await long_call(world)
    second = board(world, Directory.of(warm_agent()))
    asking = asyncio.create_task(second.ask("CA1", e.InstructionsAsked(1, "connect")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await second.ask("CA1", e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    await first.close()
    await second.close()


async def test_a_process_that_ends_gives_up_what_it_restores(world: World) -> None:
    first = await long_call(world)
    second = board(world, Directory.of(warm_agent()))
    asking = asyncio.create_task(second.ask("CA1", e.InstructionsAsked(1, "connect")))
    await asyncio.sleep(0)
    await second.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not second.has("CA1") and second.live == []
    await first.close()


async def test_a_call_that_cannot_be_restored_is_let_go(world: World, tmp_path: Path) -> None:
    gone: list[str] = []
    (tmp_path / "CA1.jsonl").write_text("nonsense\n")
    switchboard = board(world)
    switchboard.on_released = gone.append
    assert not await switchboard.post("CA1", e.CallCompleted())
    await asyncio.sleep(0)
    assert gone == ["CA1"]
    await switchboard.close()
