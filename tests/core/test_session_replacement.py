"""The session with the model is lost, is not ready in time, or reaches its limit."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    DialHumans,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    Speak,
    TakeVoicemail,
)
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase

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
    assert line.wait(0.2) == [CloseModel("not-ready")]
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


def test_a_session_whose_responses_keep_failing_is_given_up_for_that_reason(scene: Any) -> None:
    line = scene(fallback="billing").greet()
    line.speaks()
    line.pauses()
    failures = 0
    commands: list[Any] = []
    while not any(isinstance(each, CloseModel) for each in commands) and failures < 10:
        failures += 1
        line(e.ResponseStarted(f"failing{failures}"))
        commands = line(e.ResponseEnded(f"failing{failures}", "failed", "insufficient_quota"))
        line.wait(1.0)
    assert 1 < failures < 10
    assert commands[0] == CloseModel("responses-failed")


def test_a_lost_model_is_no_loss_where_none_is_needed(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1", "stop"))
    assert line(e.ModelLost("closed")) == []


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
