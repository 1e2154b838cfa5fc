from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.caller_leg.states import CallerLegState
from hookflash.core.commands import (
    AnswerCarrier,
    CancelTool,
    CloseModel,
    ConnectAgent,
    DialHumans,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
    TakeVoicemail,
)
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase
from hookflash.core.record import HandoffAttempt, ToolUse, Utterance

DIAL = (DialHumans(2, (Target.phone("+15550102"),), 20),)


# --- the model --------------------------------------------------------------------------------


def test_a_lost_model_is_replaced_by_one_that_knows_the_conversation(scene: Any) -> None:
    line = scene().greet()
    assert line(e.ModelLost("session expired")) == [
        CloseModel(),
        OpenModel((Message("assistant", "Hello."),)),
    ]
    assert line(e.ModelReady("S2")) == [], "nobody waits for an answer, so nothing is said"


def test_a_model_that_owes_an_answer_is_replaced_by_one_that_apologises(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_the_end_of_a_response_of_a_lost_model_asks_nobody_for_the_next_one(scene: Any) -> None:
    line = scene().talk()
    line(e.ModelLost("gone"))
    line(e.ModelLost("and the next one"))
    assert line(e.ResponseEnded("r1", "completed")) == []


def test_a_model_that_was_lost_while_the_caller_spoke_unheard_is_followed_by_an_apology(
    scene: Any,
) -> None:
    line = scene().greet()
    line(e.ModelLost("gone", unheard=True))
    assert line.call.conversation.owes_answer
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_a_model_that_is_lost_while_a_tool_runs_is_followed_by_what_the_tool_says(
    scene: Any,
) -> None:
    line = scene().greet()
    line.speaks()
    line.pauses()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    assert not line.call.conversation.owes_answer, "what follows from the call is"
    line(e.ResponseEnded("r1", "completed"))
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [], "nobody apologises"
    assert line(e.ToolFinished("t1", "42"))[-1] == RequestResponse()


def test_a_model_that_is_lost_when_it_was_asked_to_go_on_is_followed_by_an_apology(
    scene: Any,
) -> None:
    """The tool has answered, and nothing has been made of it."""
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "order_status", "{}", "r1"))
    line(e.ResponseEnded("r1", "completed"))
    assert line(e.ToolFinished("t1", "On Friday."))[-1] == RequestResponse()
    line(e.ModelLost("gone"))
    assert line.call.conversation.owes_answer
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_a_model_that_is_lost_while_the_caller_speaks_is_followed_by_an_apology(
    scene: Any,
) -> None:
    line = scene().greet()
    line.speaks()
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_a_turn_that_a_lost_model_has_not_heard_the_end_of_has_ended(scene: Any) -> None:
    line = scene().greet()
    line.speaks()
    line(e.ModelLost("gone"))
    line(e.ModelReady("S2"))
    line.say("sorry", "r1", 500, asked=True)
    line.now += 0.5
    line.returned()
    assert line.wait(200.0) == [], "a caller who only listens is not taken for music"


@pytest.mark.parametrize(("seconds", "over"), [(0.3, Phase.HANDING_OFF), (1.0, Phase.TALKING)])
def test_who_speaks_over_last_words_when_the_model_is_lost_is_judged_all_the_same(
    scene: Any, seconds: float, over: Phase
) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    line(e.AgentTranscribed("bye", "One two three four five six"))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.0
    line.speaks()
    line.now += seconds
    line(e.ModelLost("gone"))
    line(e.ModelReady("S2"))
    line.wait(2.1)
    assert line.call.conversation.cut is None
    line.now += 2.0
    line.returned()
    assert line.call.phase is over


def test_what_the_lost_model_has_said_is_heard_to_its_end(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 2000, ended=False)
    line(e.ModelLost("gone"))
    assert line.sound("a", "r1", 200) == [], "nothing more comes of it"
    line.now += 2.0
    line.returned()
    assert line.call.conversation.playout.idle()


def test_a_model_that_stops_in_a_response_is_replaced_though_the_caller_talks_on(
    scene: Any,
) -> None:
    """Each turn makes the caller wait anew, so that no answer is ever missed for long."""
    line = scene(greeting="Hello.", greeting_interruptible=False).talk()
    line(e.ResponseStarted("r1"))
    line.sound("a", "r1", 500)
    line.now += 0.5
    line.returned()
    began = line.now
    while len(line.sent(OpenModel)) == 1 and line.now < began + 60.0:
        line.speaks()
        line.wait(1.0)
        line.pauses()
        line.wait(1.0)
    assert 8.0 < line.now - began <= 10.0


def test_each_try_waits_longer_and_a_human_is_the_last(scene: Any) -> None:
    line = scene(fallback="billing").talk()
    assert [type(each) for each in line(e.ModelLost("busy"))] == [CloseModel, OpenModel]
    assert line(e.ModelLost("busy")) == [CloseModel()]
    assert line.wait(0.9) == []
    assert [type(each) for each in line.wait(0.2)] == [OpenModel]
    assert line(e.ModelLost("busy")) == [CloseModel(), CloseModel(), MoveCall(2, DIAL, 2.0)]
    assert line.call.handoff.request is not None
    assert line.call.handoff.request.source == "failure"


def test_a_model_that_is_not_ready_in_time_is_tried_again(scene: Any) -> None:
    line = scene().talk()
    line(e.ModelLost("gone"))
    assert line.wait(9.9) == []
    assert line.wait(0.2) == [CloseModel()]
    assert [type(each) for each in line.wait(1.0)] == [OpenModel]


def test_a_model_that_can_never_be_had_leads_to_the_human(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    assert line(e.ModelLost("wrong key", "none")) == [
        CloseModel(),
        CloseModel(),
        MoveCall(2, DIAL, 2.0),
    ]
    assert line(e.ModelLost("wrong key", "none")) == []


def test_without_a_human_there_is_at_least_a_sentence(scene: Any) -> None:
    line = scene(apology="Sorry.").greet()
    move = MoveCall(2, (Speak("Sorry."), HangUp()), 2.0)
    assert line(e.ModelLost("wrong key", "none")) == [CloseModel(), CloseModel(), move]
    assert line.call.phase is Phase.ENDING
    line(e.CallMoved(2))
    line(e.CallCompleted())
    assert line.record.disposition == "failed"


def test_before_the_stream_the_carrier_is_told_when_it_asks(scene: Any) -> None:
    """An unanswered call cannot be moved over REST: the stream is let come, and closed."""
    line = scene(fallback="billing")
    line.arrive()
    assert line(e.ModelLost("wrong key", "none")) == [CloseModel(), CloseModel()]
    assert line.asks(1) == [AnswerCarrier(DIAL)]


def test_and_if_it_does_not_ask_it_is_moved(scene: Any) -> None:
    line = scene(fallback="billing")
    line.arrive()
    line(e.ModelLost("wrong key", "none"))
    assert line.wait(5.1) == [MoveCall(2, DIAL, 2.0)]


def test_a_model_that_dies_during_the_farewell_does_not_stop_the_hand_off(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer()
    line(e.ModelLost("wrong key", "none"))
    assert line.call.phase is Phase.HANDING_OFF
    assert line.call.handoff.request is not None
    assert line.call.handoff.request.source == "tool"


def test_where_the_human_of_last_resort_is_busy_a_message_is_taken(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    line(e.ModelLost("wrong key", "none"))
    line(e.CallMoved(2))
    answer = line.asks(2, "dial", "busy")[-1]
    assert [type(each) for each in answer.instructions] == [TakeVoicemail]


def test_a_lost_model_is_no_loss_where_none_is_needed(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1", "stop"))
    assert line(e.ModelLost("closed")) == []


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


# --- the end ----------------------------------------------------------------------------------


def test_a_call_that_is_over_lets_go_of_everything_once(scene: Any) -> None:
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


# --- a session that reaches its limit ---------------------------------------------------------


def test_a_session_is_replaced_in_a_pause_before_it_reaches_its_limit(scene: Any) -> None:
    line = scene(session_seconds=600.0).greet()
    assert line.wait(298.0) == []
    closed, opened = line.wait(3.0)
    assert closed == CloseModel()
    assert opened == OpenModel((Message("assistant", "Hello."),))
    assert line(e.ModelReady("S2")) == [], "and nothing is said about it"
    assert line.wait(298.0) == []


def test_a_session_is_not_replaced_while_anybody_speaks(scene: Any) -> None:
    line = scene(session_seconds=600.0).greet()
    line.wait(297.0)
    line.speaks()
    assert line.wait(3.0) == []
    line.pauses()
    line.say("answer", "r1", 2000, text="It is open.")
    assert CloseModel() not in line.log[-5:]
    line.now += 2.0
    closed, opened = line.returned()
    assert closed == CloseModel()
    assert opened.history[-1] == Message("assistant", "It is open.")


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


def test_a_stream_of_before_that_carries_nothing_concerns_nobody(scene: Any) -> None:
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


def test_a_talk_of_another_version_goes_on_where_it_was_left(scene: Any) -> None:
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


def test_a_caller_of_another_version_whom_nobody_will_ask_for_is_fetched(scene: Any) -> None:
    line = scene()
    line.call.info.call_sid = "CA1"
    line.call.caller_leg.resume(CallerLegState.TO_HUMAN, 4, line.now, fetch=True)
    (move,) = [each for each in line(e.CallRecovered()) if isinstance(each, MoveCall)]
    assert move.instructions == (ConnectAgent(5),)
    assert [each for each in line(e.CallRecovered()) if isinstance(each, MoveCall)] == [], "once"
