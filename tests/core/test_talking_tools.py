"""What happens on the stream: tools, last words, keys."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AddMessage,
    CancelResponse,
    ClearAudio,
    CloseModel,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    RunTool,
    SendToolOutput,
    TruncateItem,
)
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

GREETING = RequestResponse(prompts.greeting("Hello."))
GO_ON = RequestResponse()


# --- tools ------------------------------------------------------------------------------------


def test_a_tool_is_run_once_and_answered_once(scene: Any) -> None:
    line = scene().greet()
    asked = e.ToolCallRequested("t1", "lookup", '{"n": 1}', "r1")
    assert line(asked) == [RunTool("t1", "lookup", '{"n": 1}')]
    assert line(asked) == []
    assert line(e.ToolFinished("t1", "42")) == [SendToolOutput("t1", "42"), GO_ON]
    assert line(e.ToolFinished("t1", "43")) == []
    (use,) = line.call.conversation.tool_uses
    assert (use.name, use.output, use.failed) == ("lookup", "42", False)


def test_the_model_goes_on_when_the_last_tool_of_a_response_has_answered(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "one", "{}", "r1"))
    line(e.ToolCallRequested("t2", "two", "{}", "r1"))
    assert line(e.ResponseEnded("r1", "completed")) == []
    assert line(e.ToolFinished("t1", "1")) == [SendToolOutput("t1", "1")]
    assert line(e.ToolFinished("t2", "2")) == [SendToolOutput("t2", "2"), GO_ON]


def test_a_tool_that_is_quicker_than_its_response_is_spoken_of_after_it(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "one", "{}", "r1"))
    assert line(e.ToolFinished("t1", "1")) == [SendToolOutput("t1", "1")]
    assert line(e.ResponseEnded("r1", "completed")) == [GO_ON]


def test_a_result_for_a_session_that_is_gone_is_told_in_words(scene: Any) -> None:
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ModelLost("expired"))
    line(e.ModelReady("S2"))
    note = Message("system", prompts.late_result("lookup", "42"))
    assert line(e.ToolFinished("t1", "42")) == [AddMessage(note), GO_ON]


def test_a_result_that_comes_before_the_next_session_is_the_first_it_speaks_of(scene: Any) -> None:
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ModelLost("expired"))
    note = Message("system", prompts.late_result("lookup", "42"))
    assert line(e.ToolFinished("t1", "42")) == [AddMessage(note)]
    assert line(e.ModelReady("S2")) == [GO_ON]


def test_a_result_that_comes_while_a_human_rings_is_kept_for_the_agent(scene: Any) -> None:
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ModelLost("gone", "rotate"))
    line(e.HandoffRequested("billing", ""))
    line.wait(8.1)
    assert line.call.phase is Phase.HANDING_OFF
    assert line(e.ToolFinished("t1", "42")) == []
    (reopened,) = [
        each for each in line.asks(2, "dial", outcome="busy") if isinstance(each, OpenModel)
    ]
    assert Message("system", prompts.late_result("lookup", "42")) in reopened.history


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ('{"destination": "mars"}', "'mars'"),
        ("{}", "None"),
        ("[1]", "None"),
        ("no json", "None"),
        ('{"destination": ["billing"]}', "['billing']"),
    ],
)
def test_the_model_cannot_make_up_a_destination(scene: Any, arguments: str, got: str) -> None:
    line = scene().greet()
    output, go_on = line(e.ToolCallRequested("t1", "transfer_to_human", arguments, "r1"))
    assert go_on == GO_ON
    assert '"refused"' in output.output
    assert f"one of: billing; got {got}" in output.output
    assert line.call.phase is Phase.TALKING


def test_without_destinations_a_transfer_is_refused(scene: Any) -> None:
    line = scene(destinations=()).greet()
    output, _ = line.transfer()
    assert "one of: none" in output.output


def test_a_second_transfer_is_answered_with_the_state_of_the_first(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer(call_id="t1")
    (output,) = line.transfer(call_id="t2")
    assert output.output == prompts.tool_status("already under way", "farewell")
    assert line.transfer(call_id="t2") == []


# --- last words -------------------------------------------------------------------------------


def test_last_words_are_heard_to_the_end_before_the_move(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 2000)
    (output,) = line.transfer()
    assert '"accepted"' in output.output
    assert line(e.ModelAudioEnded("r1", "bye")) == []
    assert line(e.ResponseEnded("r1", "completed")) == []
    assert line.wait(1.9) == []
    line.now += 0.1
    close, move = line.returned()
    assert (close, type(move)) == (CloseModel(), MoveCall)
    assert line.call.phase is Phase.HANDING_OFF


def test_a_transfer_without_words_asks_for_them_a_few_times(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer()
    (asked,) = line(e.ResponseEnded("r1", "completed"))
    assert asked.tools == "none"
    assert '"I am connecting you with billing now' in asked.instructions
    for response in ("r2", "r3"):
        line(e.ResponseStarted(response))
        assert line(e.ResponseEnded(response, "completed")) == [asked]
    line(e.ResponseStarted("r4"))
    move = line(e.ResponseEnded("r4", "completed"))[-1]
    assert type(move) is MoveCall, "it says nothing, and is not asked again"


def test_words_that_follow_the_tool_call_in_its_response_are_the_last_words(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer()
    line.sound("bye", "r1", 1000)
    assert line(e.ResponseEnded("r1", "completed")) == []
    line.now += 1.0
    assert [type(each) for each in line.returned()] == [CloseModel, MoveCall]


def test_a_silent_model_does_not_hold_the_caller(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer()
    assert line.wait(7.9) == []
    assert [type(each) for each in line.wait(0.2)] == [CloseModel, MoveCall]


def test_marks_that_never_return_do_not_hold_the_caller(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 12_000)
    line.transfer()
    line(e.ResponseEnded("r1", "completed"))
    assert [each for each in line.wait(12.0) if isinstance(each, MoveCall)] == []
    assert [each for each in line.wait(1.7) if isinstance(each, MoveCall)] != []


def test_a_caller_who_speaks_over_the_farewell_stays(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.0
    assert line.speaks() == [ClearAudio(), TruncateItem("bye", 1000)]
    line.pauses()
    told = line(e.CallerTranscribed("c1", "No, wait."))
    assert told == [AddMessage(Message("system", prompts.STAYED))]
    line.say("stays", "r2", 500)
    line.now += 0.5
    line.returned()
    assert line.wait(60.0) == []
    assert line.call.phase is Phase.TALKING
    assert [each.outcome for each in line.call.handoff.attempts] == ["cancelled"]
    assert line.transfer(call_id="t2") != [], "and may be transferred later"
    assert line.call.handoff.running


def test_a_farewell_that_was_asked_for_is_not_said_after_the_caller_said_no(scene: Any) -> None:
    line = scene().greet()
    (farewell,) = line(e.HandoffRequested("billing", "wants a human"))
    line.speaks()
    line(e.ResponseStarted("r1"))
    line(e.ResponseEnded("r1", "cancelled"))
    line.pauses()
    line(e.CallerTranscribed("c1", "No, wait."))
    line.say("stays", "r2", 500)
    line.now += 0.5
    line.returned()
    assert line.wait(60.0) == []
    assert line.sent(RequestResponse)[1:] == [farewell]


def test_a_protected_farewell_goes_on(scene: Any) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), interruptible=False)
    line = scene(plan).greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 2000)
    line.transfer()
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.0
    assert line.speaks() == []
    line.now += 1.0
    assert [type(each) for each in line.returned()] == [CloseModel, MoveCall]


def test_a_request_from_outside_waits_for_what_is_being_said(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 2000)
    assert line(e.HandoffRequested("billing", "console")) == []
    line.now += 2.0
    (asked,) = line.returned()
    assert "connecting you with billing" in asked.instructions


def test_a_goodbye_is_heard_before_the_call_ends(scene: Any) -> None:
    line = scene().greet()
    assert line(e.HangUpRequested()) == [RequestResponse(prompts.GOODBYE, "none")]
    assert line(e.HangUpRequested()) == []
    assert line(e.HandoffRequested("billing", "")) == [], "too late"
    line.say("bye", "r1", 1000)
    line.now += 1.0
    assert line.returned() == [CloseModel(), MoveCall(2, (HangUp(),), 2.0)]
    assert line.call.phase is Phase.ENDING
    assert line(e.HangUpRequested()) == []


def test_the_agent_can_end_the_call(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 1000)
    asked = e.ToolCallRequested("t1", "end_call", '{"reason": "done"}', "r1")
    (output,) = line(asked)
    assert '"accepted"' in output.output
    assert line(e.ToolCallRequested("t2", "end_call", "{}", "r1")) != [], "each call is answered"
    (late,) = line.transfer(call_id="t3")
    assert "about to end" in late.output
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.0
    assert line.returned() == [CloseModel(), MoveCall(2, (HangUp(),), 2.0)]


def test_a_goodbye_that_is_interrupted_is_taken_back(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    line.say("bye", "r1", 1000)
    line.now += 0.5
    line.speaks()
    line.now += 1.0
    line.pauses()
    told = line(e.CallerTranscribed("c1", "One more thing."))
    assert told == [AddMessage(Message("system", prompts.STAYED_ON))]
    line.say("stays", "r2", 500)
    line.now += 0.5
    line.returned()
    assert line.wait(30.0) == []


def test_a_tool_that_answers_during_the_farewell_does_not_make_the_agent_go_on(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line.transfer(call_id="t2")
    assert line(e.ToolFinished("t1", "42")) == [SendToolOutput("t1", "42")]
    (asked,) = line(e.ResponseEnded("r1", "completed"))
    assert asked.tools == "none"


def test_while_no_session_can_say_it_there_is_no_farewell(scene: Any) -> None:
    line = scene().talk()
    for _ in range(2):
        line(e.ModelLost("overloaded"))
    assert line.call.conversation.model.state.value == "waiting"
    assert [type(each) for each in line(e.HandoffRequested("billing", ""))] == [
        CloseModel,
        MoveCall,
    ]


# --- the keypad -------------------------------------------------------------------------------


def test_digits_reach_the_model_as_one_entry_if_the_owner_shows_them(scene: Any) -> None:
    line = scene(digits_shown=True).greet()
    for digit in "12":
        assert line.press(digit) == []
    told = AddMessage(Message("system", prompts.typed("12#")))
    assert line.press("#") == [told, GO_ON]


def test_the_model_learns_how_many_keys_were_pressed_and_not_which(scene: Any) -> None:
    line = scene().greet()
    for digit in "12":
        assert line.press(digit) == []
    told = Message("system", prompts.typed_hidden(3))
    assert line.press("#") == [AddMessage(told), GO_ON]
    assert told.text.startswith("The caller pressed 3 keys on the telephone's keypad.")


def test_a_pause_ends_an_entry(scene: Any) -> None:
    line = scene().greet()
    line.press("5")
    assert line.wait(1.4) == []
    assert line.wait(0.2) == [AddMessage(Message("system", prompts.typed_hidden(1))), GO_ON]


def test_digits_during_the_farewell_do_not_make_the_agent_go_on(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.transfer()
    assert line.press("#") == [AddMessage(Message("system", prompts.typed_hidden(1)))]


def test_digits_before_there_is_a_model_are_the_first_thing_it_speaks_of(scene: Any) -> None:
    line = scene().greet()
    line(e.ModelLost("expired"))
    line(e.ModelLost("overloaded"))
    line(e.ModelLost("overloaded"))
    assert line.press("#") == []
    (opened,) = line.wait(1.1)
    assert opened.history[-1] == Message("system", prompts.typed_hidden(1))
    assert line(e.ModelReady("S3")) == [GO_ON]


def test_last_words_on_their_way_are_not_said_when_the_hand_off_is_called_off(scene: Any) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "wants a human"))
    line(e.HandoffCancelled("console"))
    assert line(e.ResponseStarted("r1", line.request_ids[-1])) == [CancelResponse("r1")]


def test_last_words_that_were_refused_are_not_kept_when_the_hand_off_is_called_off(
    scene: Any,
) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "wants a human"))
    line(e.HandoffCancelled("console"))
    refused = "conversation_already_has_active_response"
    line(e.ModelRefused(refused, "", True, line.request_ids[-1]))
    assert line.wait(5.0) == []
