from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    CancelResponse,
    ClearAudio,
    CloseModel,
    DeleteItem,
    Message,
    MoveCall,
    OpenModel,
    PlayAudio,
    RequestResponse,
    SendCallerAudio,
    SendMark,
    SendToolOutput,
    TruncateItem,
)
from hookflash.core.phases import Phase

from .times import A_BIT, REPLACES

GREETING = RequestResponse(prompts.greeting("Hello."))
GO_ON = RequestResponse()


# --- who speaks first -------------------------------------------------------------------------


def test_the_agent_greets_when_stream_and_model_are_both_there(scene: Any) -> None:
    line = scene(greeting="Hello.")
    line.arrive()
    assert line(e.ModelReady("S1")) == []
    assert line.stream() == [SendMark("1:1:probe"), GREETING]


def test_the_agent_greets_once_a_late_model_is_there(scene: Any) -> None:
    line = scene(greeting="Hello.")
    line.arrive()
    assert line.stream() == [SendMark("1:1:probe")]
    assert line(e.ModelReady("S1")) == [GREETING]
    assert line(e.ModelReady("S1")) == [], "twice is once"


def test_the_model_hears_the_caller_only_on_the_stream(scene: Any) -> None:
    line = scene()
    line.arrive()
    heard = e.CallerAudio("AAAA", 3, 20)
    assert line(heard) == []
    line.stream()
    assert line(heard) == [SendCallerAudio("AAAA", 3)]
    line(e.StreamStopped("MZ1", "stop"))
    assert line(heard) == []


def test_what_the_agent_says_is_played_and_marked(scene: Any) -> None:
    line = scene().talk()
    assert line.say("a", "r1", 500) == [PlayAudio("", 4000), SendMark("1:2:a:500")]
    assert line.sound("b", "r1", 100) == [PlayAudio("", 800), SendMark("1:3:b:100")]


def test_a_second_stream_of_the_same_call_starts_with_nothing_buffered(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 2000, text="One two three four five.")
    line.now += 1.0
    line.stream("MZ2")
    assert line.call.caller_leg.stream_sid == "MZ2"
    assert not line.call.conversation.playout.playing()
    assert line.call.conversation.transcript.history()[-1] == Message("assistant", "One two")
    assert line(e.StreamStopped("MZ1", "stop")) == [], "the old one has no say"


# --- barge-in ---------------------------------------------------------------------------------


def test_barge_in_clears_and_truncates_at_what_was_heard(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000)
    line.now += 1.25
    assert line.speaks() == [ClearAudio(), TruncateItem("a", 1250)]
    assert line.call.conversation.barge_ins == 1


def test_barge_in_stops_a_response_that_is_still_generated(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000, ended=False)
    line.now += 1.0
    assert line.speaks() == [ClearAudio(), CancelResponse("r1"), TruncateItem("a", 1000)]


def test_of_two_items_the_one_being_played_is_truncated_and_the_other_removed(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    for item in ("a", "b"):
        line.sound(item, "r1", 2000)
        line(e.ModelAudioEnded("r1", item))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 0.5
    assert line.speaks() == [ClearAudio(), TruncateItem("a", 500), DeleteItem("b")]


def test_of_two_items_the_one_that_was_heard_is_left_alone(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    for item in ("a", "b"):
        line.sound(item, "r1", 2000)
        line(e.ModelAudioEnded("r1", item))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 2.75
    assert line.speaks() == [ClearAudio(), TruncateItem("b", 750)]


def test_when_all_was_heard_nothing_is_truncated(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 1000)
    line.now += 1.0
    line.returned()
    assert line.speaks() == []
    assert line.call.conversation.barge_ins == 0


def test_when_only_the_mark_is_missing_nothing_is_truncated(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 1000, text="All of it.")
    line.now += 1.05
    assert line.speaks() == [ClearAudio()]
    assert line.call.conversation.barge_ins == 0, "nothing was cut off"
    assert line.call.conversation.transcript.history()[-1] == Message("assistant", "All of it.")


def test_late_deltas_of_cut_items_are_dropped(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000, ended=False)
    line.now += 1.0
    line.speaks()
    assert line.sound("a", "r1", 200) == []
    assert line(e.ResponseEnded("r1", "cancelled")) == []


def test_an_item_that_begins_after_its_response_was_cut_is_taken_back(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000, ended=False)
    line.now += 1.0
    line.speaks()
    assert line.sound("b", "r1", 200) == [TruncateItem("b", 0)]
    assert line.sound("b", "r1", 200) == []
    line(e.AgentTranscribed("b", "Never said."))
    assert "Never said." not in [each.text for each in line.call.conversation.transcript.history()]


def test_sound_of_a_response_that_was_cancelled_before_any_came_is_not_played(scene: Any) -> None:
    """The caller goes on after a short pause: the answer to half a sentence is not to be heard."""
    line = scene().greet()
    line.speaks()
    line.pauses()
    assert line(e.ResponseStarted("r1")) == []
    assert line.speaks("c2") == [CancelResponse("r1")]
    assert line.sound("a", "r1", 200) == [TruncateItem("a", 0)]
    assert line.sent(PlayAudio)[-1].size == 8000, "the greeting was the last thing played"


def test_an_item_whose_buffer_is_empty_is_truncated_at_its_end(scene: Any) -> None:
    """A model slower than real time: nothing is playing, and yet the item is not over."""
    line = scene().greet()
    line.say("a", "r1", 200, ended=False)
    line.now += 0.3
    line.returned()
    assert line.speaks() == [CancelResponse("r1"), TruncateItem("a", 200)]
    assert line.sound("a", "r1", 200) == []


def test_a_request_of_ours_that_crosses_the_callers_speech_is_stopped_and_kept(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    line.speaks()
    assert line(e.ResponseStarted("r1")) == [CancelResponse("r1")]
    assert line.sound("a", "r1", 100) == [TruncateItem("a", 0)]
    line(e.ResponseEnded("r1", "cancelled"))
    line.pauses()
    assert line.wait(1.9) == []
    assert line.wait(0.2) == [GREETING], "the model has not answered by itself"


def test_a_greeting_that_the_caller_spoke_over_is_not_said_after_the_answer(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    line.speaks()
    line(e.ResponseStarted("r1"))
    line(e.ResponseEnded("r1", "cancelled"))
    line.pauses()
    assert GREETING not in line.say("a", "r2", 500)
    line.now += 0.5
    line.returned()
    assert line.wait(60.0) == []


def test_a_humans_words_that_crossed_the_callers_speech_follow_the_answer(scene: Any) -> None:
    line = scene().greet()
    (words,) = line(e.SayRequested("We close at six."))
    line.speaks()
    assert line(e.ResponseStarted("r1")) == [CancelResponse("r1")]
    line(e.ResponseEnded("r1", "cancelled"))
    line.pauses()
    assert line.say("a", "r2", 500)[-1] == words


def test_a_greeting_can_be_protected(scene: Any) -> None:
    line = scene(greeting="Hello.", greeting_interruptible=False).talk()
    line.say("a", "r1", 2000)
    line.now += 1.0
    assert line.speaks() == []
    line.pauses()
    line.now += 1.0
    line.returned()
    line.say("b", "r2", 2000)
    line.now += 0.5
    assert line.speaks("c2") == [ClearAudio(), TruncateItem("b", 500)], "only the greeting is"


def test_a_mark_returned_by_clear_never_credits(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000)
    line.now += 1.0
    line.speaks()
    assert line.returned() == []
    line.pauses()
    line.say("b", "r2", 3000)
    line.now += 0.4
    line(e.MarkReturned("1:5:a:3000"))
    assert line.speaks("c2") == [ClearAudio(), TruncateItem("b", 400)]


def test_a_carrier_that_keeps_cleared_marks_is_not_waited_for(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 3000)
    line.now += 1.0
    line.speaks()
    assert not line.call.conversation.playout.playing()
    assert line.call.conversation.playout.deadline is None


def test_late_speech_of_stream_and_model_only_completes_the_transcript(scene: Any) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "wants a human"))
    line.say("bye", "r9", 500)
    line.now += 0.6
    line.returned()
    assert line.call.phase is Phase.HANDING_OFF
    assert line.sound("late", "r10", 100) == []
    assert line(e.ResponseStarted("r10")) == []
    assert line(e.ResponseEnded("r10", "completed")) == []
    assert line(e.ModelReady("S1")) == []
    assert line(e.MarkReturned("1:1:probe")) == []
    assert line.press("1") == []
    assert line(e.ToolCallRequested("x", "lookup", "{}")) == []
    assert line.speaks() == []
    assert line(e.CallerTranscribed("c1", " A human. ")) == []
    assert Message("user", "A human.") in line.call.conversation.transcript.history()


# --- the model's own refusals -----------------------------------------------------------------


def test_a_request_during_a_response_is_sent_after_it(scene: Any) -> None:
    """`conversation_already_has_active_response`: the model had begun by itself, perhaps before it
    knew the tool's answer. The result must not stay unspoken."""
    line = scene().greet()
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    assert line(e.ToolFinished("t1", "42")) == [SendToolOutput("t1", "42"), GO_ON]
    line(e.ResponseStarted("own"))
    refused = e.ModelRefused("conversation_already_has_active_response", "", True)
    assert line(refused) == []
    assert line(e.ResponseEnded("own", "completed")) == [GO_ON]


def test_a_refused_request_is_sent_again_even_without_the_other_response(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    line(e.ModelRefused("conversation_already_has_active_response", "", True))
    assert line.wait(1.9) == []
    assert line.wait(0.2) == [GREETING]


def test_benign_errors_change_nothing(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    before = line.call.deadline
    assert line(e.ModelRefused("response_cancel_not_active", "no active response", True)) == []
    assert line.call.deadline == before


def test_a_failed_response_is_tried_again_after_a_moment(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    line(e.ResponseStarted("r1"))
    assert line(e.ResponseEnded("r1", "failed", "rate limit")) == []
    assert line.wait(0.9) == []
    assert line.wait(0.2) == [GREETING]


def test_a_model_that_fails_three_times_gives_way_to_a_human(scene: Any) -> None:
    line = scene(greeting="Hello.", fallback="billing").talk()
    for response in ("r1", "r2"):
        line(e.ResponseStarted(response))
        line(e.ResponseEnded(response, "failed", "server error"))
        line.wait(1.1)
    line(e.ResponseStarted("r3"))
    commands = line(e.ResponseEnded("r3", "failed", "server error"))
    assert [type(each) for each in commands] == [CloseModel, CloseModel, MoveCall]
    assert line.call.phase is Phase.HANDING_OFF


def test_a_failed_response_that_is_not_the_running_one_changes_nothing(scene: Any) -> None:
    line = scene().greet()
    before = line.call.deadline
    assert line(e.ResponseEnded("unknown", "failed", "")) == []
    assert line.call.deadline == before


def test_a_session_that_does_not_begin_what_it_was_asked_for_is_replaced(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    assert line.wait(REPLACES - A_BIT) == []
    assert line.fetched == ["filler", "tone"]
    assert line.wait(2 * A_BIT) == [CloseModel("silent"), OpenModel(())]
    assert line(e.ModelReady("S2")) == [GREETING], "which nobody has heard"
