"""What a journal tells without a replay, and the call that goes on from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.call import Call
from hookflash.core.commands import (
    AnswerCarrier,
    ConnectAgent,
    EndLeg,
    GiveDigits,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    ResumeCarrierRecording,
)
from hookflash.core.conversation.consent import ConsentState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal import Journals, JournalState
from hookflash.runtime.journal_facts import (
    INTERRUPTED,
    PARTED,
    JournalFacts,
    bridge_completed,
    call_from_facts,
    legs_to_end,
    read_facts,
    read_setup,
)
from hookflash.runtime.journal_lines import Said
from hookflash.runtime.settled_lines import SettledLines

WARM = HandoffPlan(targets=(Target.phone("+15550100002"),), manner="warm")
SETUP = CallSetup(
    agent="desk", greeting="Hello.", destinations=(Destination(key="desk", when="now", plan=WARM),)
)
TRANSFER = '{"destination":"desk","reason":"a refund"}'

BEGUN: list[tuple[float, e.AnyEvent | None]] = [
    (1000.0, e.CallArrived("CA1", "+15550100009", "+15550100001")),
    (1000.2, e.StreamStarted("MZ1", 1)),
    (1000.25, e.MarkReturned("1:1:probe")),
    (1000.4, e.ModelReady("sess")),
    (1000.5, e.ResponseStarted("r1")),
    (1000.6, e.AgentTranscribed("i1", "Hello, how can I help you?")),
    (1000.6, e.ModelAudio("r1", "i1", "", 8000)),
    (1000.61, e.ModelAudioEnded("r1", "i1")),
    (1000.62, e.ResponseEnded("r1", "completed")),
    (1002.2, None),
    (1003.0, e.CallerSpeechStarted("u1")),
    (1004.0, e.CallerSpeechStopped("u1")),
    (1004.5, e.CallerTranscribed("u1", "My order is late.")),
]
RUNG: list[tuple[float, e.AnyEvent | None]] = [
    *BEGUN,
    (1005.0, e.ResponseStarted("r2")),
    (1005.1, e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r2")),
    (1005.2, e.TargetsChecked(1)),
    (1005.3, e.LegPlaced(1, 0, "CAleg1")),
    (1005.4, e.ResponseEnded("r2", "completed")),
]


def live(folder: Path, events: list[tuple[float, e.AnyEvent | None]], setup: CallSetup = SETUP):
    """Live through events as a driver does; return the call and its journal's bytes."""
    journals = Journals(folder)
    call = Call(setup)
    journal, settled = journals.begin("CA1", setup), SettledLines(call.conversation.transcript)
    for at, event in events:
        commands = call.expire(at) if event is None else call.receive(event, at)
        state = JournalState(call.phase.value, call.handoff.state.value)
        cause: Any = "expired" if event is None else event
        journal.write(at, cause, commands, state, settled.changes())
    journals.close()
    return call, (folder / "CA1.jsonl").read_bytes()


def without_said(data: bytes) -> bytes:
    """Return a journal of a version that did not write settled lines."""
    return b"\n".join(line for line in data.split(b"\n") if b'"said":' not in line)


def recovered(facts: JournalFacts, now: float = 1010.0) -> tuple[Call, list[Any]]:
    """Let a call go on as the switchboard does; return it and what it wants done."""
    call = call_from_facts("CA1", facts, SETUP, now)
    done = list(call.receive(e.CallRecovered(), now))
    for leg in legs_to_end(facts):
        done += call.receive(leg, now)
    return call, done


# --- reading ----------------------------------------------------------------------------------


def test_who_called_and_what_was_heard_is_told_without_a_replay(tmp_path: Path) -> None:
    call, data = live(tmp_path, BEGUN)
    facts = read_facts(data)
    assert facts.arrived == BEGUN[0][1] and facts.arrived_at == 1000.0
    assert (facts.phase, facts.handoff, facts.step) == ("talking", "idle", 1)
    again = call_from_facts("CA1", facts, SETUP, 1010.0)
    assert again.conversation.transcript.utterances(
        1000.0
    ) == call.conversation.transcript.utterances(1000.0)
    assert again.conversation.transcript.history() == call.conversation.transcript.history()
    assert (again.info.caller, again.info.called) == ("+15550100009", "+15550100001")
    assert again.info.arrived_at == 1000.0 and again.setup == SETUP


def test_a_journal_without_settled_lines_tells_what_was_said_by_its_events(tmp_path: Path) -> None:
    call, data = live(tmp_path, BEGUN)
    facts = read_facts(without_said(data))
    again = call_from_facts("CA1", facts, SETUP, 1010.0)
    assert again.conversation.transcript.history() == call.conversation.transcript.history()


def test_what_was_cut_stays_cut(tmp_path: Path) -> None:
    events = [*BEGUN[:9], (1001.1, e.CallerSpeechStarted("u1")), (1001.2, e.CallMoved(1))]
    call, data = live(tmp_path, events)
    for journal in (data, without_said(data)):
        (agent,) = call_from_facts(
            "CA1", read_facts(journal), SETUP, 1010.0
        ).conversation.transcript.utterances(1000.0)
        assert 0 < len(agent.text) < len("Hello, how can I help you?") and agent.cut
    assert agent == call.conversation.transcript.utterances(1000.0)[0] or agent.text.startswith(
        "Hello"
    )


def test_of_what_was_being_said_as_much_is_kept_as_can_have_been_heard(tmp_path: Path) -> None:
    _, data = live(tmp_path, [*BEGUN[:9], (1001.1, e.TokensUsed(msgspec.convert({}, e.Tokens)))])
    (said,) = read_facts(data).said
    assert (said.text, said.cut) == ("Hello, how", "can I help you?")
    assert said.ended_at == pytest.approx(1001.1)


def test_what_was_never_heard_is_not_in_the_conversation(tmp_path: Path) -> None:
    _, data = live(tmp_path, [*BEGUN[:5], (1000.6, e.AgentTranscribed("i1", "Hello."))])
    assert read_facts(data).said == []


def test_who_goes_on_settles_what_the_process_before_could_not(tmp_path: Path) -> None:
    _, data = live(tmp_path, BEGUN[:9])
    said = '{"speaker":"agent","text":"Hello,","started_at":1000.6,"ended_at":1000.9,"id":"i1"}'
    more = f'{{"at":1005.0,"version":2}}\n{{"at":1005.0,"said":{said}}}\n'.encode()
    assert [each.text for each in read_facts(data + more).said] == ["Hello,"]


def test_a_line_that_is_told_again_replaces_the_first(tmp_path: Path) -> None:
    first = (
        '{"at":1.0,"said":{"speaker":"agent","text":"One","started_at":1,"ended_at":2,"id":"a"}}'
    )
    facts = read_facts("\n".join((first, first.replace("One", "One moment"))).encode())
    assert [each.text for each in facts.said] == ["One moment"]


def test_notes_and_humans_keep_their_place(tmp_path: Path) -> None:
    events: list[tuple[float, e.AnyEvent | None]] = [
        *BEGUN,
        (1005.0, e.HintGiven("They are a member.")),
        (1006.0, e.HumanSaid("human", "I have it here.", 1002.5, 1002.9)),
        (1007.0, e.CallerTranscribed("u2", "Thank you.")),
    ]
    _, data = live(tmp_path, events)
    history = call_from_facts(
        "CA1", read_facts(data), SETUP, 1010.0
    ).conversation.transcript.history()
    assert [(each.role, each.text.rpartition(": ")[2]) for each in history] == [
        ("assistant", "Hello, how can I help you?"),
        ("system", "I have it here."),
        ("user", "My order is late."),
        ("system", "They are a member."),
        ("user", "Thank you."),
    ]
    texts = [each.text for each in read_facts(without_said(data)).said]
    assert texts == [
        "Hello, how can I help you?",
        "I have it here.",
        "My order is late.",
        "Thank you.",
    ]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    _, data = live(tmp_path, BEGUN)
    odd = [
        b"nonsense",
        b'"a text"',
        b'{"hello":1}',
        b'{"at":1001.0,"event":{"type":"LegPlaced","wave":"one"}}',
        b'{"at":1001.0,"event":{"type":"CallArrived","call_sid":7}}',
        b'{"at":1001.0,"said":{"speaker":"nobody"}}',
        b'{"at":1001.0,"event":{"type":"Unheard of"}}',
        b'{"at":1001.0,"event":{"type":"Stre',
    ]
    clean, facts = read_facts(data), read_facts(data + b"\n".join(odd))
    assert facts.lines == clean.lines + 1
    facts.lines = clean.lines
    assert facts == clean
    assert read_facts(b"nonsense\n").lines == 0


# --- the setup --------------------------------------------------------------------------------


def test_a_setup_is_read_as_far_as_it_can_be() -> None:
    now = CallSetup(agent="now", greeting="Good day.", fallback="people", lead_ms=7000)
    written = msgspec.to_builtins(SETUP)
    assert read_setup({**written, "added_later": [1]}, now) == SETUP
    del written["lead_ms"]
    assert read_setup(written, now) == SETUP
    odd = {**written, "destinations": [{"key": 7}], "fallback": None}
    found = read_setup(odd, now)
    assert (found.agent, found.greeting, found.fallback) == ("desk", "Hello.", None)
    assert found.destinations == now.destinations
    assert call_from_facts("CA1", JournalFacts(), now, 5.0).setup == now


def test_a_caller_who_has_refused_is_not_recorded_again(tmp_path: Path) -> None:
    setup = msgspec.structs.replace(SETUP, record=True)
    _, recorded = live(tmp_path / "one", BEGUN, setup)
    call = call_from_facts("CA1", read_facts(recorded), setup, 1010.0)
    assert (
        call.conversation.consent.state is ConsentState.ON
        and call.conversation.consent.since == 1000.2
    )
    _, refused = live(tmp_path / "two", [*BEGUN, (1005.0, e.RecordingRefused())], setup)
    assert not call_from_facts("CA1", read_facts(refused), setup, 1010.0).setup.record
    asked = e.ToolCallRequested("c1", "stop_recording", "{}", "r2")
    events = [*BEGUN, (1005.0, e.ResponseStarted("r2")), (1005.1, asked)]
    _, told = live(tmp_path / "three", events, setup)
    assert not call_from_facts("CA1", read_facts(told), setup, 1010.0).setup.record


# --- going on ---------------------------------------------------------------------------------


def test_the_carriers_next_question_leads_to_the_agent_which_knows_the_talk(
    tmp_path: Path,
) -> None:
    _, data = live(tmp_path, BEGUN)
    call, done = recovered(read_facts(data))
    assert done == []
    opened, answer = call.receive(e.InstructionsAsked(1, "connect"), 1011.0)
    assert answer == AnswerCarrier((ConnectAgent(2),))
    assert isinstance(opened, OpenModel)
    assert [each.text for each in opened.history] == [
        "Hello, how can I help you?",
        "My order is late.",
    ]


def test_a_call_for_which_the_carrier_does_not_ask_is_given_up(tmp_path: Path) -> None:
    _, data = live(tmp_path, BEGUN)
    call, _ = recovered(read_facts(data))
    assert call.deadline == 1025.0
    call.expire(1025.0)
    assert call.phase is Phase.ENDED


def test_a_caller_comes_back_from_a_transfer_that_was_under_way(tmp_path: Path) -> None:
    before, data = live(tmp_path, RUNG)
    assert before.handoff.state.value == "ringing"
    call, done = recovered(read_facts(data))
    assert done == [EndLeg("CAleg1")]
    opened, answer = call.receive(e.InstructionsAsked(1, "connect"), 1011.0)
    assert answer == AnswerCarrier((ConnectAgent(2),))
    assert isinstance(opened, OpenModel) and opened.history[-1].text == INTERRUPTED
    assert "interrupted" in str(call.conversation.opening)
    # The next hand-off is told apart from the one before by its wave.
    assert call.handoff.wave == 1
    late = call.receive(e.HumanAsked(1, 0, "CAleg1", "answered"), 1012.0)
    assert isinstance(late[0], AnswerCarrier) and late[0].instructions[-1] == HangUp()


@pytest.mark.parametrize("over", [e.LegChanged("CAleg1", "completed", 1, "busy", 0)])
def test_legs_that_are_over_are_not_ended(tmp_path: Path, over: e.AnyEvent) -> None:
    _, data = live(tmp_path, [*RUNG, (1006.0, over)])
    assert legs_to_end(read_facts(data)) == []


def test_a_leg_is_known_by_its_status_where_its_order_was_not_answered(tmp_path: Path) -> None:
    ringing = e.LegChanged("CAleg1", "ringing", 1, None, 0)
    _, data = live(tmp_path, [*RUNG[:-2], (1005.3, ringing)])
    assert legs_to_end(read_facts(data)) == [e.LegPlaced(1, 0, "CAleg1")]


@pytest.mark.parametrize(
    "acts",
    [
        e.HumanAsked(2, 1, "CAleg2", "answered"),
        e.ConsultDecided("CAleg2", "connect"),
        e.RoomChanged(2, "joined", "CAleg2"),
    ],
)
def test_a_leg_is_known_by_what_it_does_where_the_lines_that_placed_it_were_lost(
    tmp_path: Path, acts: e.AnyEvent
) -> None:
    journals = Journals(tmp_path)
    journal = journals.begin("CA1", SETUP)
    over = e.LegChanged("CAleg1", "completed", 1, "no-answer", 0)
    for event in (
        over,
        e.RoomChanged(1, "left", "CAleg1"),
        acts,
        e.RoomChanged(2, "joined", "CA1"),
    ):
        journal.write(1006.0, event, [])
    journals.close()
    facts = read_facts(journal.path.read_bytes())
    call, _ = recovered(facts)
    (leg,) = legs_to_end(facts)
    assert call.receive(leg, 1010.1) == [EndLeg("CAleg2")]


def met(tmp_path: Path, *, waits: bool) -> bytes:
    """Return the journal of a caller who went to the room: to wait there, or to a human."""
    events: list[tuple[float, e.AnyEvent | None]] = [
        *RUNG,
        (1006.0, e.HumanAsked(1, 0, "CAleg1", "answered")),
        (1007.0, e.HumanAsked(1, 0, "CAleg1", "pressed", "1")),
        (1007.5, e.ResponseStarted("r3")),
        (1007.6, e.ModelAudio("r3", "i3", "", 800)),
        (1007.7, e.ModelAudioEnded("r3", "i3")),
        (1007.8, e.ResponseEnded("r3", "completed")),
        (1016.0, None),
        (1016.2, e.CallMoved(2)),
    ]
    if not waits:
        events.append((1017.0, e.RoomChanged(1, "started")))
    call, data = live(tmp_path, events)
    assert call.handoff.state.value == ("bridging" if waits else "with human")
    return data


def test_a_caller_who_waits_in_a_room_is_taken_out_of_it(tmp_path: Path) -> None:
    call, done = recovered(read_facts(met(tmp_path, waits=True)), 1020.0)
    move, end = done
    assert end == EndLeg("CAleg1")
    assert isinstance(move, MoveCall) and move.instructions == (ConnectAgent(3),)
    opened = call.receive(e.StreamStarted("MZ2", 3), 1021.0)[0]
    assert isinstance(opened, OpenModel) and opened.history[-1].text == INTERRUPTED


def test_a_caller_who_is_with_a_human_is_left_there(tmp_path: Path) -> None:
    facts = read_facts(met(tmp_path, waits=False))
    assert facts.with_human
    call = call_from_facts("CA1", facts, SETUP, 1020.0)
    assert call.receive(e.CallRecovered(), 1020.0) == []
    assert call.deadline is not None and call.deadline > 1020.0 + 3600
    opened, answer = call.receive(e.InstructionsAsked(2, "room"), 1900.0)
    assert answer == AnswerCarrier((ConnectAgent(3),))
    assert isinstance(opened, OpenModel) and opened.history[-1].text == PARTED


def test_who_has_met_a_human_meanwhile_is_not_told_of_an_interruption(tmp_path: Path) -> None:
    _, data = live(tmp_path, RUNG)
    call, _ = recovered(read_facts(data))
    bridge_completed(call)
    opened, _ = call.receive(e.InstructionsAsked(1, "dial", "CAleg1", "bridged"), 1011.0)
    assert isinstance(opened, OpenModel) and opened.history[-1].text == PARTED
    assert "interrupted" not in str(call.conversation.opening)
    other = Call(SETUP)
    bridge_completed(other)
    assert other.conversation.opening is None


def test_a_call_that_is_over_stays_over(tmp_path: Path) -> None:
    _, data = live(tmp_path, [*BEGUN, (1006.0, e.CallCompleted())])
    call, done = recovered(read_facts(data))
    assert call.phase is Phase.ENDED and done == []
    assert call.receive(e.CallCompleted(), 1011.0) == []
    asked = call.receive(e.InstructionsAsked(1, "connect"), 1011.0)
    assert asked == [AnswerCarrier((HangUp(),))]


def test_a_message_that_is_being_left_reaches_its_owner(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(WARM, otherwise="voicemail", offers=("voicemail",))
    setup = CallSetup(destinations=(Destination(key="desk", when="now", plan=plan),))
    events: list[tuple[float, e.AnyEvent | None]] = [
        *BEGUN,
        (1005.0, e.ResponseStarted("r2")),
        (1005.1, e.ToolCallRequested("c1", "take_voicemail", "{}", "r2")),
        (1005.2, e.ResponseEnded("r2", "completed")),
        (1015.0, None),
    ]
    before, data = live(tmp_path, events, setup)
    assert before.phase is Phase.ENDING and before.caller_leg.voicemail_step == 2
    facts = read_facts(data)
    call = call_from_facts("CA1", facts, setup, 1020.0)
    call.receive(e.CallRecovered(), 1020.0)
    assert (call.phase, call.caller_leg.voicemail_step) == (Phase.ENDING, 2)
    left = e.Recording("https://api.twilio.com/RE1", 9.0)
    commands = call.receive(e.InstructionsAsked(2, "voicemail", "", None, left), 1030.0)
    (delivery,) = [each.delivery for each in commands if hasattr(each, "delivery")]
    assert delivery.id == "CA1-voicemail-2" and delivery.recording_url == left.url


def test_said_is_written_in_the_journal_as_it_is_settled(tmp_path: Path) -> None:
    _, data = live(tmp_path, BEGUN)
    said = [
        msgspec.convert(line["said"], Said)
        for line in map(msgspec.json.decode, data.splitlines())
        if "said" in line
    ]
    assert [(each.speaker, each.text) for each in said] == [
        ("agent", "Hello, how can I help you?"),
        ("caller", "My order is late."),
    ]


# --- digits that a tool collects ------------------------------------------------------------------

SECRET = e.DigitsWanted("D1", 4, secret=True, prompt="Your card?")


def restored(folder: Path, *events: e.AnyEvent) -> Call:
    """Return the call that continues from a journal in which these events came last."""
    lived = [*BEGUN, *((1005.0 + number, event) for number, event in enumerate(events))]
    _, data = live(folder, lived)
    return call_from_facts("CA1", read_facts(data), SETUP, 1020.0)


def test_a_collection_that_a_crash_has_interrupted_is_ended_and_told(tmp_path: Path) -> None:
    busy = e.DigitsWanted("D2", 1)
    call = restored(tmp_path, SECRET, e.DigitPressed(), busy)
    commands = call.receive(e.CallRecovered(), 1021.0)
    assert GiveDigits("D1", 0, "interrupted") in commands
    assert ResumeCarrierRecording() in commands
    told = call.conversation.transcript.history()
    assert Message("system", prompts.DIGITS_INTERRUPTED) in told
    assert not call.private


def test_a_collection_that_has_ended_before_is_not_told(tmp_path: Path) -> None:
    call = restored(tmp_path, SECRET, e.DigitPressed(ends=True))
    assert not [
        each for each in call.receive(e.CallRecovered(), 1021.0) if isinstance(each, GiveDigits)
    ]
