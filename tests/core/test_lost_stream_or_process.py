"""The caller's stream or the process of the call is lost, and the call is recovered."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.caller_leg.states import CallerLegState
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    CloseStream,
    ConnectAgent,
    DialHumans,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
)
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase

DIAL = (DialHumans(2, (Target.phone("+15550102"),), 20),)


# --- the stream, the process ------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "seconds"), [("stop", 5.0), ("", 15.0)])
def test_a_caller_who_hung_up_is_one_after_whom_the_carrier_asks_nothing(
    scene: Any, reason: str, seconds: float
) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1", reason))
    assert line.wait(seconds - 0.1) == []
    assert [type(each) for each in line.wait(0.2)] == [CloseModel, StoreRecord]


def test_an_unknown_stream_that_stops_changes_nothing(scene: Any) -> None:
    line = scene().greet()
    assert line(e.StreamStopped("MZ9", "stop")) == []
    assert line.call.caller_leg.stream_sid == "MZ1"


def test_a_process_that_stops_brings_the_caller_to_a_human(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    assert line(e.ShutdownRequested()) == [CloseModel(), MoveCall(2, DIAL, 2.0)]
    assert line(e.ShutdownRequested()) == [], "who is on the way is left alone"


def test_a_process_that_stops_says_so_where_there_is_no_human(scene: Any) -> None:
    line = scene(apology="Sorry.")
    line.arrive()
    assert line(e.ShutdownRequested()) == [CloseModel()]
    assert line.asks(1) == [AnswerCarrier((Speak("Sorry."), HangUp()))]


def test_a_call_that_was_recovered_goes_on_when_the_carrier_asks(scene: Any) -> None:
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    assert line(e.CallRecovered()) == []
    assert line(e.ToolFinished("t1", "42")) == [], "its tools are gone"
    opened, answer = line.asks(1)
    assert opened == OpenModel((Message("assistant", "Hello."),))
    assert answer == AnswerCarrier((ConnectAgent(2),))


def test_a_call_that_was_recovered_and_is_not_asked_for_is_over(scene: Any) -> None:
    line = scene().greet()
    line(e.CallRecovered())
    assert line.wait(14.9) == []
    assert type(line.wait(0.2)[-1]) is StoreRecord


def test_a_stream_that_opens_on_another_process_finds_a_model(scene: Any) -> None:
    """The process died between the first webhook and the stream."""
    line = scene(greeting="Hello.")
    line.arrive()
    line(e.CallRecovered())
    assert line.stream()[0] == OpenModel(())
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.greeting("Hello."))]


def test_a_stream_that_follows_a_broken_one_without_a_question_finds_a_model(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1"))
    assert line.stream("MZ2")[0] == OpenModel((Message("assistant", "Hello."),))
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_a_call_that_was_recovered_with_a_human_stays_there(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    line(e.ShutdownRequested())
    line(e.CallMoved(2))
    line(e.LegChanged("CA2", "answered", 2))
    assert line(e.CallRecovered()) == []
    assert line.call.phase is Phase.WITH_HUMAN


# --- a stream that carries nothing ------------------------------------------------------------


def test_a_stream_that_carries_nothing_is_given_up_for_another(scene: Any) -> None:
    line = scene().greet()
    closed, opened, move = [
        each for each in line(e.StreamStalled("MZ1")) if not isinstance(each, StoreRecord)
    ][-3:]
    assert closed == CloseModel()
    assert isinstance(opened, OpenModel)
    assert move.instructions == (ConnectAgent(2),)
    line(e.ModelReady("S2"))
    assert RequestResponse(prompts.CUT_OFF) in line.stream("MZ2")


def test_a_caller_whose_stream_stalled_hears_a_line_at_once_on_the_next_one(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStalled("MZ1"))
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert line.fetched == ["filler"]
    # Only the stream that stalled: the next one may be lost like any other.
    line(e.StreamStopped("MZ2", "stop"))
    line.returned()
    line(e.ModelReady("S3"))
    line.stream("MZ3")
    assert line.fetched == ["filler"]
    line.wait(0.6)
    assert line.fetched == ["filler", "filler"]


def test_a_caller_is_moved_off_a_stalled_stream_by_rest_again_before_it_is_closed(
    scene: Any,
) -> None:
    """Closing a stream that carries nothing may not reach the carrier."""
    line = scene().greet()
    line(e.StreamStalled("MZ1"))
    (first,) = line.sent(MoveCall)
    assert line(e.CarrierRefused(2, 0)) == [first]
    assert line.wait(first.seconds) == []
    assert line.wait(0.5)[:1] == [CloseStream()]
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line.wait(8.0)
    assert line.sent(MoveCall) == [first, first], "the new stream proves that the caller was moved"


def test_a_stall_of_an_earlier_stream_has_no_effect(scene: Any) -> None:
    line = scene().greet()
    assert line(e.StreamStalled("MZ0")) == []
    line(e.StreamStopped("MZ1", "stop"))
    assert line(e.StreamStalled("MZ1")) == []


def test_a_stalled_stream_while_last_words_are_said_leads_where_they_lead(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    assert line(e.StreamStalled("MZ1"))[-1].instructions == DIAL


# --- a call that another version of the product has left --------------------------------------


def test_a_call_of_another_version_continues_with_the_agent(scene: Any) -> None:
    line = scene()
    line.call.info.call_sid = "CA1"
    line.call.caller_leg.resume(CallerLegState.BROKEN, 4, line.now)
    line.call.conversation.resume(Request(Kind.OPENING, "Say that you are back."))
    line(e.CallRecovered())
    opened, answered = line.asks(4)
    assert type(opened) is OpenModel
    assert answered == AnswerCarrier((ConnectAgent(5),))
    line(e.ModelReady("S1"))
    assert line.stream()[-1] == RequestResponse("Say that you are back.")


def test_a_caller_of_another_version_without_a_webhook_is_moved_by_rest(scene: Any) -> None:
    line = scene()
    line.call.info.call_sid = "CA1"
    line.call.caller_leg.resume(CallerLegState.TO_HUMAN, 4, line.now, fetch=True)
    (move,) = [each for each in line(e.CallRecovered()) if isinstance(each, MoveCall)]
    assert move.instructions == (ConnectAgent(5),)
    assert [each for each in line(e.CallRecovered()) if isinstance(each, MoveCall)] == [], "once"
