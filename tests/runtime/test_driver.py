from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.caller_leg.states import CallerLegState
from hookflash.core.commands import (
    CallRecord,
    CheckTargets,
    ClearAudio,
    ConnectAgent,
    Deliver,
    DialHumans,
    HangUp,
    Message,
    MoveCall,
    RequestResponse,
    RingHuman,
    RunTool,
    SendCallerAudio,
    SendToolOutput,
)
from hookflash.core.delivery import Delivery
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup, ModelSetup
from hookflash.errors import CarrierError
from hookflash.runtime.call_ports import CallPorts
from hookflash.runtime.driver import Driver
from hookflash.runtime.journal_replay import read_journal
from hookflash.runtime.live_audio import Listener
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.stream_watch import FIRST_CHECKS
from hookflash.runtime.tool_runner import ToolRunner, ToolThreads

from .conftest import Stream, World

SETUP = CallSetup(
    greeting="Hello.",
    farewell_seconds=0.5,
    destinations=(
        Destination(
            key="desk", when="always", plan=HandoffPlan(targets=(Target.phone("+15550100002"),))
        ),
    ),
)


class Order:
    """A tool of the owner's, as the tool runner knows it."""

    name = "order"
    timeout_seconds = 5.0
    blocking = False

    def bind(self, arguments: str, context: object):
        return lambda: f"order {arguments}"


def drive(
    world: World, setup: CallSetup = SETUP, recordings: Recordings | None = None
) -> tuple[Driver, list[Driver]]:
    ended: list[Driver] = []

    def model_setup(history: tuple[Message, ...]) -> ModelSetup:
        return ModelSetup(instructions="Be kind.", history=history)

    ports = CallPorts(
        clock=world.clock,
        control=world.control,
        checks=world.checks,
        consults=world.consults,
        deliveries=world.deliveries,
        connector=world.connector,
        model_setup=model_setup,
        make_tools=lambda post, digits, keys: ToolRunner(
            {"order": Order()}, None, post, threads=ToolThreads()
        ),
        records=world.records,
        journal=world.journals.begin("CA1", setup),
        recordings=recordings,
    )
    return Driver("CA1", Call(setup), ports, on_ended=ended.append), ended


def talking(world: World) -> tuple[Driver, Stream]:
    driver, _ = drive(world)
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    stream = Stream()
    sink = driver.attach(stream)
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    world.connector.links[-1].on_event(e.ModelReady())
    return driver, stream


async def test_asking_returns_the_cores_answer(world: World) -> None:
    driver, _ = drive(world)
    answer = driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    assert answer == (ConnectAgent(1),)
    assert driver.ask(e.LegChanged("CA2", "ringing", 1)) == ()
    await driver.close()


async def test_the_model_is_opened_by_the_webhook_and_greets_when_both_are_there(
    world: World,
) -> None:
    driver, stream = talking(world)
    (greeting,) = world.connector.links[-1].sent
    assert isinstance(greeting, RequestResponse)
    assert "Hello." in (greeting.instructions or "")
    assert stream.sent == [("mark", "1:1:probe")]
    await driver.close()
    assert stream.closed
    assert world.connector.links[-1].closed


async def test_a_second_socket_for_the_same_call_gets_no_voice(world: World) -> None:
    driver, _ = talking(world)
    assert driver.attach(Stream("MZ2")) is None
    await driver.close()


@pytest.mark.parametrize(("frames", "seconds"), [(0, 2.0), (2, 2.4), (10, 1.6)])
async def test_a_stream_that_carries_nothing_is_given_up_also_if_it_has_hardly_begun(
    world: World, monkeypatch: pytest.MonkeyPatch, frames: int, seconds: float
) -> None:
    monkeypatch.setattr("hookflash.runtime.stream_watch.FIRST_CHECKS", FIRST_CHECKS)
    driver, stream = talking(world)
    for _ in range(frames):
        driver.post(e.CallerAudio("/////w==", 4, 0))
    await asyncio.sleep(seconds - 0.1)
    assert driver.call.caller_leg.state is CallerLegState.STREAM
    await asyncio.sleep(0.2)
    assert driver.call.caller_leg.state is CallerLegState.CONNECTING
    await driver.close()


async def test_a_socket_that_the_carrier_gave_up_makes_room_for_the_next(world: World) -> None:
    driver, first = talking(world)
    assert driver.ask(e.InstructionsAsked(1, "connect")) == (ConnectAgent(2),)
    second = Stream("MZ2")
    sink = driver.attach(second)
    assert sink is not None and first.closed
    sink(e.StreamStarted("MZ2", 2))
    driver.post(e.StreamStopped("MZ1", "late"))
    driver.post(e.ModelReady())
    driver.post(e.ResponseStarted("r1"))
    driver.post(e.ModelAudio("r1", "i1", "AAAA", 3))
    assert ("play", "AAAA") in second.sent
    await driver.close()


async def test_the_callers_sound_goes_to_the_model_as_it_came(world: World) -> None:
    driver, _ = talking(world)
    driver.post(e.CallerAudio("/v7+", 3, 20))
    sent = world.connector.links[-1].sent[-1]
    assert (sent.payload, sent.size) == ("/v7+", 3)
    await driver.close()


async def test_a_turn_that_no_session_could_hear_is_reported_once(world: World) -> None:
    driver, _ = talking(world)
    voice, silence = (base64.b64encode(bytes([code]) * 160).decode() for code in (0x22, 0xFF))

    async def caller(payload: str, seconds: float) -> None:
        for number in range(round(seconds * 50)):
            driver.post(e.CallerAudio(payload, 160, number * 20))
            await asyncio.sleep(0.02)

    await caller(voice, 1.0)
    await caller(silence, 2.5)
    assert not driver.call.conversation.owes_answer, "the model decides what it hears"
    driver.post(e.ModelLost("gone"))
    for sound in (silence, voice, silence, silence):
        await caller(sound, 2.5)
    assert driver.call.conversation.owes_answer
    await driver.close()
    journal = world.journals.find("CA1")
    assert journal is not None and world.journals.flush(60)
    events = [line.event for line in read_journal(journal)[1]]
    assert events.count(e.CallerQuiet(unheard=True)) == 1


async def test_no_sound_is_lost_when_a_turn_is_ended_for_the_model(world: World) -> None:
    driver, _ = talking(world)
    link = world.connector.links[-1]
    driver.post(e.CallerSpeechStarted("c1"))
    payload = base64.b64encode(b"\xff" * 160).decode()
    for number in range(110):
        driver.post(e.CallerAudio(payload, 160, number * 20))
    kinds = [type(each).__name__ for each in link.sent]
    assert kinds.count("SendCallerAudio") == 110
    assert kinds.index("CommitCallerAudio") > 100, "after two seconds, behind what was heard"
    await driver.close()


@pytest.mark.parametrize("payload", ["A", "!!!!", "="])
async def test_sound_that_is_no_base64_goes_by(world: World, payload: str) -> None:
    driver, _ = talking(world)
    driver.post(e.CallerAudio(payload, 160, 20))
    assert world.connector.links[-1].sent[-1].payload == payload
    await driver.close()


async def test_a_capture_exists_only_while_it_has_a_sink(
    world: World,
) -> None:
    driver, _ = talking(world)
    assert driver.audio_capture is None
    listener = Listener(driver.start_capture())
    assert driver.start_capture() is driver.audio_capture
    driver.post(e.CallerAudio("/v7+", 3, 20))
    listener.close()
    assert driver.audio_capture is None
    driver.post(e.CallerAudio("/v7+", 3, 40))
    await driver.close()


async def test_both_sides_reach_who_listens_also_while_no_model_hears_the_caller(
    world: World,
) -> None:
    driver, _ = talking(world)
    Listener(driver.start_capture())
    heard: list[e.CallerAudio] = []
    capture = driver.start_capture()
    capture.add_caller_audio = heard.append  # type: ignore[method-assign]
    driver.post(e.CallerAudio("AQEB", 3, 0))
    driver.post(e.ModelLost("gone"))
    driver.post(e.CallerAudio("AgIC", 3, 20))
    driver.post(e.CallCompleted())
    assert [event.payload for event in heard] == ["AQEB", "AgIC"]
    assert driver.audio_capture is None, "the call is over"
    await driver.close()


async def test_a_call_is_recorded_until_somebody_refuses(world: World, tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "recordings")
    setup = msgspec.structs.replace(SETUP, record=True)
    driver, _ = drive(world, setup, recordings)
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    sink = driver.attach(Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    capture = driver.audio_capture
    assert capture is not None
    driver.call.caller_leg.stream_sid = None
    sink(e.StreamStarted("MZ2", 1))
    assert driver.audio_capture is capture, "one recording, whatever the streams"
    driver.post(e.CallerAudio("AQEB", 3, 0))
    driver.post(e.RecordingRefused())
    assert driver.audio_capture is None
    assert await asyncio.to_thread(recordings.flush, 60)
    assert list((tmp_path / "recordings").iterdir()) == []
    await driver.close()
    recordings.close()


async def test_where_nothing_is_recorded_a_wish_for_it_changes_nothing(world: World) -> None:
    driver, _ = drive(world, msgspec.structs.replace(SETUP, record=True))
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    sink = driver.attach(Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    driver.post(e.RecordingRefused())
    assert driver.audio_capture is None
    await driver.close()


async def test_a_carrier_that_floods_the_call_loses_its_stream(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    driver, stream = talking(world)
    link = world.connector.links[-1]
    before = len(link.sent)
    for number in range(20_000):
        driver.post(e.CallerAudio("/v7+" * 54, 160, number))
        if stream.closed:
            break
    assert stream.closed
    assert 500 <= len(link.sent) - before < 10_000
    assert "sends audio too fast" in caplog.text
    await driver.close()


async def test_the_stream_sends_the_callers_sound_itself_unless_it_is_captured(
    world: World,
) -> None:
    driver, stream = talking(world)
    link = world.connector.links[-1]
    assert stream.take is not None
    before = len(link.sent)
    stream.take(b"/v7+", bytes([0xFE] * 3))
    assert link.sent[before:] == [SendCallerAudio("/v7+", 3)]
    capture = driver.start_capture()
    assert stream.take is None
    driver.post(e.CallerAudio("/v7+", 3, 20))
    assert link.sent[before:] == [SendCallerAudio("/v7+", 3)] * 2
    capture.close()
    assert stream.take is not None
    driver.post(e.HangUpRequested("closing time"))
    driver.post(e.CallCompleted())
    assert stream.take is None
    await driver.close()


async def test_sound_is_counted_and_everything_else_is_watched(world: World) -> None:
    driver, stream = talking(world)
    seen: list[object] = []
    driver._watch = lambda call_sid, event, commands: seen.append(event)
    for at_ms in range(20, 120, 20):
        driver.post(e.CallerAudio("/v7+", 3, at_ms))
    driver.post(e.ResponseStarted("r1"))
    spoken = e.ModelAudio("r1", "i1", "AAAA", 3)
    driver.post(spoken)
    assert seen == [e.ResponseStarted("r1"), spoken]
    assert (driver._traffic.up, driver._traffic.down) == (5, 1)
    await driver.close()


async def test_sound_that_comes_when_nobody_listens_is_passed_over(world: World) -> None:
    driver, _ = talking(world)
    link = world.connector.links[-1]
    before = len(link.sent)
    driver.post(e.StreamStopped("MZ1", "stop"))
    driver.post(e.CallerAudio("/v7+", 3, 20))
    assert len(link.sent) == before
    await driver.close()


async def test_an_event_that_a_command_causes_is_taken_right_after_it(world: World) -> None:
    driver, _ = drive(world)
    opened = world.connector.open

    def lost_at_once(setup, on_event):
        link = opened(setup, on_event)
        on_event(e.ModelLost("refused", "none"))
        return link

    world.connector.open = lost_at_once  # type: ignore[method-assign]
    assert driver.ask(e.CallArrived("CA1", "a", "b")) == (ConnectAgent(1),)
    assert driver.call.phase is Phase.ENDING
    await driver.close()


async def test_a_tool_runs_and_its_answer_reaches_the_model(world: World) -> None:
    driver, _ = talking(world)
    answered = asyncio.Event()
    link = world.connector.links[-1]
    carry_out = link.carry_out

    def noticed(command):
        carry_out(command)
        if isinstance(command, SendToolOutput):
            answered.set()

    link.carry_out = noticed  # type: ignore[method-assign]
    driver.post(e.ToolCallRequested("c1", "order", "7", "r1"))
    async with asyncio.timeout(5):
        await answered.wait()
    assert SendToolOutput("c1", "order 7") in link.sent
    await driver.close()


async def test_the_timer_ends_a_silent_farewell_and_moves_the_call(world: World) -> None:
    driver, _ = talking(world)
    driver.post(e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r1"))
    async with asyncio.timeout(5):
        await world.control.moved.wait()
    ((call_sid, (dial,)),) = world.control.moves
    assert call_sid == "CA1"
    assert isinstance(dial, DialHumans)
    assert driver.call.phase is Phase.HANDING_OFF
    await driver.close()


@pytest.mark.parametrize(
    "trouble", [CarrierError("no", status=500), RuntimeError("a bug in the adapter")]
)
async def test_a_move_that_fails_uses_the_connect_action(world: World, trouble: Exception) -> None:
    driver, stream = talking(world)
    world.control.answers = [trouble]
    closed = asyncio.Event()
    stream.close = closed.set  # type: ignore[method-assign]
    driver.post(e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r1"))
    async with asyncio.timeout(5):
        await closed.wait()
    answer = driver.ask(e.InstructionsAsked(1, "connect"))
    assert isinstance(answer[0], DialHumans)
    await driver.close()


async def test_a_human_with_whom_the_agent_talks_is_answered_by_that_talk(world: World) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550100002"),), manner="consult")
    desk = Destination(key="desk", when="always", plan=plan)
    driver, _ = drive(world, replace(SETUP, destinations=(desk,)))
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    sink = driver.attach(Stream())
    assert sink is not None
    sink(e.StreamStarted("MZ1", 1))
    driver.post(e.ModelReady())
    driver.post(e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r1"))
    driver.post(e.LegPlaced(1, 0, "CA9"))
    assert driver.ask(e.HumanAsked(1, 0, "CA9", "answered")) == (ConnectAgent(1),)
    ((parent_sid, wanted),) = world.consults.opened
    assert (parent_sid, wanted.leg_sid) == ("CA1", "CA9")
    driver.post(e.CallCompleted())
    await asyncio.sleep(0)
    assert "CA9" in world.control.ended
    await driver.close()


async def test_a_message_goes_to_whoever_takes_messages(world: World, caplog) -> None:
    driver, _ = drive(world)
    message = Delivery(
        id="d1", kind="message", call_sid="CA1", agent="a", destination="desk", created_at=1.0
    )
    driver._deliver(Deliver(message))
    assert world.deliveries.taken == [message]
    driver.ports.deliveries = None
    driver._deliver(Deliver(message))
    assert "no outbox is configured" in caplog.text
    await driver.close()


async def test_the_record_is_handed_over_once(world: World) -> None:
    driver, ended = drive(world)
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    driver.post(e.CallCompleted())
    driver.post(e.CallCompleted())
    (record,) = world.records.kept
    assert isinstance(record, CallRecord)
    assert record.disposition == "abandoned"
    assert ended == [driver]
    assert driver.attach(Stream()) is None
    await driver.close()


# --- what fails -------------------------------------------------------------------------------


class Broken(Exception):
    """What a port raises."""


def breaks(*args: object, **named: object) -> None:
    raise Broken("as the test says")


async def events_of(world: World, driver: Driver) -> list[e.AnyEvent]:
    """The events in the call's journal, once the call is let go."""
    await driver.close()
    assert world.journals.flush(60)
    path = world.journals.find("CA1")
    assert path is not None
    return [line.event for line in read_journal(path)[1] if line.event is not None]


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged with the traceback of a port that breaks."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.exc_info is not None and record.exc_info[0] is Broken
    ]


async def test_a_session_that_cannot_be_opened_is_one_that_was_lost(world: World, caplog) -> None:
    driver, _ = drive(world)
    opened = world.connector.open

    def breaks_once(*args: object) -> None:
        world.connector.open = opened  # type: ignore[method-assign]
        breaks()

    world.connector.open = breaks_once  # type: ignore[method-assign, assignment]
    assert driver.ask(e.CallArrived("CA1", "a", "b")) == (ConnectAgent(1),)
    assert failures(caplog) == ["CA1 ! OpenModel failed"]
    await asyncio.sleep(5)
    assert len(world.connector.links) == 1
    lost = e.ModelLost("opening the model's session: it failed: see the log")
    assert lost in await events_of(world, driver)


@pytest.mark.parametrize(
    ("command", "failed"),
    [
        (MoveCall(3, (), 2.0), e.CarrierRefused(3)),
        (
            RingHuman(1, 0, Target.phone("+15550100002"), 20),
            e.LegRefused(1, 0, reason="ringing: it failed: see the log"),
        ),
        (CheckTargets(4, "desk"), e.TargetsChecked(4)),
        (
            RunTool("c1", "order", "7"),
            e.ToolFinished("c1", "This did not work because of a technical problem.", failed=True),
        ),
        (ClearAudio(), None),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_command_that_fails_becomes_the_event_that_the_core_has_for_it(
    world: World, caplog, command, failed
) -> None:
    driver, stream = talking(world)
    receive = driver.call.receive
    taken: list[e.AnyEvent] = []

    def wants(event: e.AnyEvent, now: float) -> list[object]:
        taken.append(event)
        return [command] if isinstance(event, e.DigitPressed) else receive(event, now)

    driver.call.receive = wants  # type: ignore[method-assign, assignment]
    stream.clear = breaks  # type: ignore[method-assign]
    for name in ("move", "ring", "check"):
        setattr(driver._carrier_requests, name, breaks)
    driver._tools.run = breaks  # type: ignore[method-assign]
    driver.post(e.DigitPressed("1"))
    assert taken == [e.DigitPressed()] + ([failed] if failed is not None else [])
    assert failures(caplog) == [f"CA1 ! {type(command).__name__} failed"]
    assert (await events_of(world, driver))[-len(taken) :] == taken


async def test_a_talk_that_cannot_begin_hangs_up_the_humans_leg(world: World, caplog) -> None:
    driver, _ = talking(world)
    world.consults.open = breaks  # type: ignore[method-assign]
    plan = HandoffPlan(targets=(Target.phone("+15550100002"),), manner="consult")
    driver.post(e.HandoffRequested("desk", "why", plan=plan))
    await asyncio.sleep(3)
    answer = driver.ask(e.HumanAsked(1, 0, "CAleg1", "answered", answered_by="human"))
    assert answer == (HangUp(),)
    assert failures(caplog) == ["CA1 ! OpenConsult failed"]
    await driver.close()


async def test_a_session_that_takes_no_sound_is_lost_and_logged_once(world: World, caplog) -> None:
    driver, _ = talking(world)
    link = world.connector.links[-1]
    link.send_sound = breaks  # type: ignore[method-assign]
    driver.post(e.CallerSpeechStopped("u1"))
    for at_ms in (20, 40):
        driver.post(e.CallerAudio("/v7+", 3, at_ms))
    assert link.closed
    assert failures(caplog) == ["CA1 ! the caller's sound failed"]
    await asyncio.sleep(1)
    assert len(world.connector.links) == 2
    await driver.close()


async def test_sessions_that_break_again_and_again_are_not_opened_without_end(
    world: World,
) -> None:
    driver, _ = talking(world)
    for _ in range(5):
        link = world.connector.links[-1]
        link.carry_out = breaks  # type: ignore[method-assign]
        driver.post(e.ModelReady())
        driver.post(e.HintGiven("Be describe."))
        await asyncio.sleep(2)
    assert len(world.connector.links) == 3
    assert driver.call.phase is Phase.ENDING
    await driver.close()


async def test_a_stream_that_plays_nothing_is_logged_once_and_the_sound_is_journalled(
    world: World, caplog
) -> None:
    watched: list[e.AnyEvent | None] = []
    driver, stream = talking(world)
    driver._watch = lambda call_sid, event, commands: watched.append(event)
    stream.play = breaks  # type: ignore[method-assign]
    sound = e.ModelAudio("r1", "i1", "/v7+" * 200, 600)
    driver.post(e.ResponseStarted("r1"))
    for _ in range(3):
        driver.post(sound)
    assert failures(caplog) == ["CA1 ! PlayAudio failed (logged once per call)"]
    assert watched.count(sound) == 1, "the first piece stands for all"
    assert driver._timer is not None
    kept = await events_of(world, driver)
    assert sum(isinstance(event, e.ModelAudio) for event in kept) == 3


async def test_a_watch_a_tap_and_a_journal_that_break_keep_nothing_from_happening(
    world: World, tmp_path: Path, caplog
) -> None:
    driver, stream = talking(world)
    capture = driver.start_capture()
    capture.add_caller_audio = capture.follow = breaks  # type: ignore[method-assign, assignment]
    driver._watch = breaks
    driver._journal.write = driver._journal.write_sound = breaks  # type: ignore[method-assign]
    link = world.connector.links[-1]
    before = len(link.sent)
    driver.post(e.CallerAudio("/v7+", 3, 20))
    assert len(link.sent) == before + 1
    driver.post(e.ResponseStarted("r1"))
    driver.post(e.ModelAudio("r1", "i1", "/v7+" * 200, 600))
    assert ("play", "/v7+" * 200) in stream.sent
    assert driver._timer is not None
    assert {each.removeprefix("CA1 ! ") for each in failures(caplog)} == {
        "recording the caller failed (logged once per call)",
        "recording the agent failed (logged once per call)",
        "writing the journal failed",
        "writing the journal failed (logged once per call)",
        "watching the call failed",
        "watching the audio failed (logged once per call)",
    }
    capture.close = breaks  # type: ignore[method-assign]
    await driver.close()


async def test_a_call_whose_record_is_refused_has_ended(world: World, caplog) -> None:
    driver, ended = drive(world)
    driver.ask(e.CallArrived("CA1", "a", "b"))
    driver.start_capture().close = breaks  # type: ignore[method-assign]
    world.records.put = breaks  # type: ignore[method-assign]
    driver.post(e.CallCompleted())
    assert ended == [driver]
    assert failures(caplog) == [
        "CA1 ! closing the audio capture failed",
        "CA1 ! storing the record failed",
    ]
    driver.audio_capture = None
    await driver.close()


async def test_releasing_a_call_releases_everything_of_it(world: World, caplog) -> None:
    driver, stream = talking(world)
    world.connector.links[-1].close = breaks  # type: ignore[method-assign]
    await driver.close()
    assert stream.closed
    assert failures(caplog) == ["CA1 ! releasing the call failed"]


# --- journal and log --------------------------------------------------------------------------


async def test_everything_is_in_the_journal(world: World) -> None:
    driver, _ = talking(world)
    await driver.close()
    assert world.journals.flush(60)
    path = world.journals.find("CA1")
    assert path is not None
    _, lines = read_journal(path)
    assert [type(line.event).__name__ for line in lines if line.event is not None] == [
        "CallArrived",
        "StreamStarted",
        "ModelReady",
    ]
    assert [line.state.phase for line in lines if line.state is not None] == ["ringing", "talking"]


async def test_the_log_has_no_sound_and_no_whole_number(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hookflash.call")
    driver, _ = talking(world)
    driver.post(e.CallerAudio("QUFB", 3, 20))
    driver.post(e.ResponseStarted("r1"))
    driver.post(e.ModelAudio("r1", "i1", "QUJD", 3))
    driver.post(e.CallerTranscribed("u1", "my number is +1 555 010 0009"))
    text = caplog.text
    assert "< CallArrived" in text and "> OpenModel" in text
    assert "QUFB" not in text and "QUJD" not in text
    assert "5550100009" not in text and "555 010 0009" not in text
    await driver.close()
