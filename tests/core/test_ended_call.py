"""The end of a call: what is released, what the record says, and its disposition."""

from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    CancelTool,
    CloseModel,
    HangUp,
    StoreRecord,
)
from hookflash.core.phases import Phase
from hookflash.core.record import HandoffAttempt, ToolUse, Utterance


def test_an_ended_call_releases_everything_once(scene: Any) -> None:
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    cancel, close, stored = line(e.CallCompleted())
    assert (cancel, close, type(stored)) == (CancelTool("t1"), CloseModel(), StoreRecord)
    assert line.call.deadline is None
    assert line(e.CallCompleted()) == []
    assert line(e.CallRecovered()) == []
    assert line.asks(1) == [AnswerCarrier((HangUp(),))]
    assert line.call.phase is Phase.ENDED


def test_a_record_tells_who_said_what_as_heard(scene: Any) -> None:
    line = scene(agent="reception").greet()
    line.speaks()
    line.now += 1.0
    line.pauses()
    line(e.CallerTranscribed("c1", "Where is my parcel?"))
    line(e.ResponseStarted("r0"))
    line(e.ToolCallRequested("t1", "track", '{"n": 7}', "r0"))
    line(e.ResponseEnded("r0", "completed"))
    line.now += 0.5
    line(e.ToolFinished("t1", "In Berlin."))
    line.say("a", "r1", 4000, text="It is in Berlin and comes tomorrow.")
    line.now += 2.0
    line.speaks("c2")
    line(e.CallerTranscribed("c2", "Thanks!"))
    line.now += 0.5
    line(e.CallCompleted())
    record = line.record
    assert (record.call_sid, record.agent) == ("CA1", "reception")
    assert (record.caller, record.called) == ("+15550100", "+15550101")
    assert record.disposition == "handled_by_agent"
    assert record.barge_ins == 1
    assert record.seconds == 5.0
    assert record.utterances == (
        Utterance(speaker="agent", text="Hello.", started_at=0.0, ended_at=1.0),
        Utterance(speaker="caller", text="Where is my parcel?", started_at=1.0, ended_at=2.0),
        Utterance(
            speaker="agent",
            text="It is in Berlin",
            started_at=2.5,
            ended_at=4.5,
            cut="and comes tomorrow.",
        ),
        Utterance(speaker="caller", text="Thanks!", started_at=4.5, ended_at=4.5),
    )
    assert record.tools == (
        ToolUse(
            name="track",
            arguments='{"n": 7}',
            output="In Berlin.",
            failed=False,
            started_at=2.0,
            seconds=0.5,
        ),
    )


def test_a_caller_who_leaves_before_the_agent_was_heard_has_abandoned(scene: Any) -> None:
    line = scene().talk()
    line.say("a", "r1", 2000, text="Hello.")
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"
    assert line.record.utterances[0].text == ""
    assert line.record.utterances[0].cut == "Hello."


def test_a_caller_who_leaves_during_the_farewell_was_waiting_for_a_human(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    line.now += 1.0
    line(e.StreamStopped("MZ1", "stop"))
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"
    assert line.record.handoffs == (
        HandoffAttempt(
            destination="billing",
            reason="a refund",
            source="tool",
            started_at=1.0,
            outcome="caller-gone",
        ),
    )


def test_a_call_that_came_back_and_went_well_was_handled_by_the_agent(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    line(e.HandoffRequested("billing", ""))
    line.wait(8.1)
    line(e.CallMoved(2))
    line.asks(2, "dial", "busy")
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line(e.CallCompleted())
    assert line.record.disposition == "handled_by_agent"
    assert [each.outcome for each in line.record.handoffs] == ["busy"]
