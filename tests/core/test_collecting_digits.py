"""Digits that a tool collects: how many were typed and when it ends, never which they are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CancelResponse,
    ClearAudio,
    CommitCallerAudio,
    GiveDigits,
    LeaveQueue,
    Message,
    OpenModel,
    PauseCarrierRecording,
    PlayPrepared,
    RequestResponse,
    ResumeCarrierRecording,
    RingHuman,
    SendCallerAudio,
    TruncateItem,
)
from hookflash.core.conversation.limits import COLLECTION_LIMITS, REMIND_SECONDS
from hookflash.core.conversation.states import CollectionState
from hookflash.core.handoff_plan import HandoffPlan, queue_target

PROMPT = "Please type your card number."
SAY_PROMPT = RequestResponse(prompts.say_before_digits(PROMPT), "none")
ASK = RequestResponse(prompts.ask_for_digits(4, "#"), "none")
SOUND = e.CallerAudio("AAAA", 160, 0)
SECRET = e.DigitsWanted("D1", 4, secret=True, prompt=PROMPT)


def _settles() -> float:
    limit = COLLECTION_LIMITS[CollectionState.SETTLING]
    assert limit is not None and isinstance(limit.seconds, float)
    return limit.seconds


SETTLES = _settles()


def in_tool(scene: Any, **setup: Any) -> Any:
    """The model has called a tool, and said nothing."""
    line = scene(**setup).greet()
    line.speaks()
    line.pauses()
    line(e.ResponseStarted("r-tool"))
    line(e.ToolCallRequested("t1", "pay", "{}", "r-tool"))
    line(e.ResponseEnded("r-tool", "completed"))
    return line


def prompted(scene: Any, wanted: e.DigitsWanted = SECRET, **setup: Any) -> Any:
    """The tool waits for digits, and the caller has heard the prompt."""
    line = in_tool(scene, **setup)
    line(wanted)
    line.say("prompt", "r-prompt", 1000, asked=True)
    line.now += 1.0
    line.returned()
    assert line.call.conversation.collection.state is CollectionState.AWAITED
    return line


def ended(line: Any) -> list[GiveDigits]:
    return line.sent(GiveDigits)  # type: ignore[no-any-return]


def type_all(line: Any, digits: str) -> list[Any]:
    return [command for digit in digits for command in line.press(digit)]


# --- the digits -------------------------------------------------------------------------------


def test_the_last_digit_completes_it(scene: Any) -> None:
    line = prompted(scene)
    assert type_all(line, "123") == []
    assert line.press("4") == [GiveDigits("D1", 4, "complete")]


def test_the_finish_key_ends_it_and_is_not_counted(scene: Any) -> None:
    line = prompted(scene)
    assert type_all(line, "12#") == [GiveDigits("D1", 2, "finished")]


def test_another_finish_key_lets_the_hash_be_a_digit(scene: Any) -> None:
    line = prompted(scene, e.DigitsWanted("D1", 4, finish_on_key="*", prompt=PROMPT))
    assert type_all(line, "1#*") == [GiveDigits("D1", 2, "finished")]


def test_without_a_finish_key_only_the_count_or_the_time_ends_it(scene: Any) -> None:
    line = prompted(scene, e.DigitsWanted("D1", 3, finish_on_key="", prompt=PROMPT))
    assert type_all(line, "#*1") == [GiveDigits("D1", 3, "complete")]


def test_each_key_gives_the_whole_time_again(scene: Any) -> None:
    line = prompted(scene, msgspec.structs.replace(SECRET, seconds=20.0))
    line.press("1")
    line.wait(19.9)
    line.press("2")
    line.wait(19.9)
    assert ended(line) == []
    assert line.wait(0.2) == [GiveDigits("D1", 2, "timeout")]


def test_no_digit_is_in_any_event_command_or_state(scene: Any) -> None:
    """The driver hides what a key is before the call knows it."""
    line = in_tool(scene, key_to_human="7")
    line(SECRET)
    for digit in "777":
        event = line.call.without_digits(e.DigitPressed(digit))
        assert event == e.DigitPressed()
        line(event)
    assert line.call.without_digits(e.DigitPressed("#")) == e.DigitPressed(ends=True)
    assert b"7" not in msgspec.json.encode(ended(line))


def test_digits_of_a_collection_are_shown_to_the_journal_only_where_all_are(scene: Any) -> None:
    for shown, secret, digit in ((False, False, ""), (True, False, "7"), (True, True, "")):
        line = prompted(scene, e.DigitsWanted("D1", 4, secret, prompt=PROMPT), digits_shown=shown)
        assert line.call.without_digits(e.DigitPressed("7")) == e.DigitPressed(digit)


# --- the caller knows what to do --------------------------------------------------------------


def test_the_agent_says_the_prompt_before_the_time_runs(scene: Any) -> None:
    line = in_tool(scene)
    assert line(SECRET) == [PauseCarrierRecording(), SAY_PROMPT]
    line.say("prompt", "r-prompt", 6000, asked=True)
    line.wait(5.0)
    assert line.call.conversation.collection.state is CollectionState.ANNOUNCED
    line.wait(1.0)
    line.returned()
    assert line.call.conversation.collection.state is CollectionState.AWAITED


def test_without_a_prompt_the_agent_asks_in_its_own_words(scene: Any) -> None:
    assert in_tool(scene)(e.DigitsWanted("D1", 4)) == [ASK]
    one = prompts.ask_for_digits(1, "#")
    assert '"Please type one digit on your keypad now."' in one
    assert "up to 4 digits on your keypad now, and then the pound key." in str(ASK)
    assert "the 5 key" in prompts.ask_for_digits(4, "5")
    assert '4 digits on your keypad now."' in prompts.ask_for_digits(4, "")
    assert in_tool(scene)(e.DigitsWanted("D1", 1)) == [RequestResponse(one, "none")]


def test_without_a_prompt_an_agent_that_speaks_already_is_not_asked_to(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r-tool"))
    line.sound("type now", "r-tool", 2000)
    line(e.ToolCallRequested("t1", "pay", "{}", "r-tool"))
    line(e.ResponseEnded("r-tool", "completed"))
    assert line(e.DigitsWanted("D1", 4)) == []
    line.now += 2.0
    line.returned()
    assert line.call.conversation.collection.state is CollectionState.AWAITED


def test_a_prompt_that_does_not_come_is_filled_and_then_not_waited_for(scene: Any) -> None:
    """The caller is owed the prompt, so they are not left in silence."""
    line = in_tool(scene, tool_fillers={"pay": 1})
    line(SECRET)
    line.wait(3.0)
    assert [(each.line, each.tool) for each in line.sent(PlayPrepared)] == [("filler", "")]
    line.wait(6.9)
    assert line.call.conversation.collection.state is CollectionState.ANNOUNCED


def test_a_prompt_that_is_never_heard_does_not_hold_the_collection_up(scene: Any) -> None:
    line = in_tool(scene)
    line(SECRET)
    line.say("prompt", "r-prompt", 30_000, asked=True)
    line.wait(15.1)
    assert line.call.conversation.collection.state is CollectionState.AWAITED


def test_who_types_nothing_is_asked_again_once_and_then_the_tool_gets_nothing(scene: Any) -> None:
    line = prompted(scene)
    assert line.wait(REMIND_SECONDS - 0.1) == []
    assert line.wait(0.2) == [SAY_PROMPT]
    line.say("again", "r-again", 1000, asked=True)
    line.now += 1.0
    line.returned()
    assert line.call.conversation.collection.state is CollectionState.REMINDED
    assert line.wait(20.0 - REMIND_SECONDS - 0.1) == []
    assert line.wait(0.2) == [GiveDigits("D1", 0, "timeout")]


def test_a_short_time_is_halved_by_the_reminder(scene: Any) -> None:
    line = prompted(scene, msgspec.structs.replace(SECRET, seconds=6.0))
    assert line.wait(2.9) == []
    assert line.wait(0.2) == [SAY_PROMPT]


def test_nothing_is_filled_and_nobody_is_asked_whether_they_are_there_meanwhile(scene: Any) -> None:
    line = prompted(scene, msgspec.structs.replace(SECRET, seconds=60.0), tool_fillers={"pay": 1})
    line.press("1")
    assert line.wait(59.0) == []
    assert line.sent(PlayPrepared) == []


def test_after_the_digits_the_caller_waits_for_the_tool_as_ever(scene: Any) -> None:
    line = prompted(scene, tool_fillers={"pay": 1})
    type_all(line, "1234")
    line.wait(2.0)
    assert [each.tool for each in line.sent(PlayPrepared)] == ["pay"]


# --- a key while the agent speaks -------------------------------------------------------------


def test_the_first_key_stops_the_prompt(scene: Any) -> None:
    line = in_tool(scene)
    line(SECRET)
    line.say("prompt", "r-prompt", 3000, asked=True, ended=False)
    line.now += 1.0
    stopped = line.press("1")
    assert [type(each) for each in stopped] == [ClearAudio, CancelResponse, TruncateItem]
    assert line.call.conversation.collection.state is CollectionState.TYPING
    assert type_all(line, "234") == [GiveDigits("D1", 4, "complete")]


def test_a_key_before_the_prompt_has_begun_drops_it(scene: Any) -> None:
    line = in_tool(scene)
    line(SECRET)
    assert line.press("1") == []
    assert line(e.ResponseStarted("r-prompt", line.request_ids[-1])) == [CancelResponse("r-prompt")]


def test_a_key_does_not_cut_the_words_that_announce_a_human(scene: Any) -> None:
    line = prompted(scene)
    line(e.HandoffRequested("billing", "a supervisor wants it"))
    line.say("bye", "r-bye", 2000)
    assert line.press("1") == []


def test_the_key_for_a_human_is_a_digit_while_they_are_collected(scene: Any) -> None:
    line = prompted(scene, key_to_human="0")
    assert type_all(line, "0000") == [GiveDigits("D1", 4, "complete")]
    line.wait(3.0)
    assert line.sent(RingHuman) == []
    assert line.call.handoff.request is None


def test_one_digit_too_many_or_a_late_finish_key_is_no_entry(scene: Any) -> None:
    line = prompted(scene, key_to_human="0")
    type_all(line, "1234")
    line.wait(SETTLES - 0.1)
    assert type_all(line, "0#") == []
    line.wait(SETTLES - 0.1)
    assert line.call.private
    line.wait(0.2)
    assert not line.call.private
    assert line.press("#")[0].message.text == prompts.typed_hidden(1)


def test_keys_from_before_are_forgotten(scene: Any) -> None:
    line = in_tool(scene)
    line.press("9")
    line(SECRET)
    line.say("prompt", "r-prompt", 1000, asked=True)
    line.now += 1.0
    line.returned()
    assert type_all(line, "1234") == [GiveDigits("D1", 4, "complete")]


# --- who hears the caller ---------------------------------------------------------------------


def test_nobody_hears_the_caller_while_they_type_a_secret(scene: Any) -> None:
    line = in_tool(scene)
    assert line(SOUND) == [SendCallerAudio("AAAA", 160)]
    line(SECRET)
    assert (line(SOUND), line.call.hears, line.call.private) == ([], False, True)
    line.say("prompt", "r-prompt", 1000, asked=True)
    line.now += 1.0
    line.returned()
    type_all(line, "1234")
    assert line(SOUND) == [], "the tone of the last key"
    line.wait(SETTLES + 0.1)
    assert (line(SOUND), line.call.private) == ([SendCallerAudio("AAAA", 160)], False)


def at_carrier(line: Any) -> list[Any]:
    """What the carrier was told to do with a recording of its own."""
    return line.sent(PauseCarrierRecording | ResumeCarrierRecording)  # type: ignore[no-any-return]


PAUSE, RESUME = PauseCarrierRecording(), ResumeCarrierRecording()


def test_a_recording_at_the_carrier_is_paused_for_as_long(scene: Any) -> None:
    line = prompted(scene)
    type_all(line, "1234")
    line.wait(SETTLES - 0.1)
    assert at_carrier(line) == [PAUSE]
    line.wait(0.2)
    assert at_carrier(line) == [PAUSE, RESUME]
    line = prompted(scene, e.DigitsWanted("D1", 4, prompt=PROMPT))
    type_all(line, "1234")
    line.wait(SETTLES + 0.1)
    assert at_carrier(line) == []


def test_a_second_collection_at_once_decides_anew_who_hears_the_caller(scene: Any) -> None:
    line = prompted(scene)
    type_all(line, "1234")
    line(msgspec.structs.replace(SECRET, collection_id="D2"))
    assert at_carrier(line) == [PAUSE]
    type_all(line, "1234")
    line(e.DigitsWanted("D3", 4))
    assert (at_carrier(line), line.call.private) == ([PAUSE, RESUME], False)


def test_a_recording_is_resumed_when_the_caller_leaves_and_not_when_they_are_gone(
    scene: Any,
) -> None:
    line = prompted(scene)
    line(e.StreamStopped("MZ1"))
    assert at_carrier(line) == [PAUSE, RESUME]
    line = prompted(scene)
    line(e.CallCompleted())
    assert at_carrier(line) == [PAUSE]


def test_everybody_hears_a_caller_whose_digits_are_no_secret(scene: Any) -> None:
    line = prompted(scene, e.DigitsWanted("D1", 4, prompt=PROMPT))
    assert (line(SOUND), line.call.private) == ([SendCallerAudio("AAAA", 160)], False)


def test_a_caller_who_is_speaking_ends_their_turn_for_a_model_that_hears_no_more(
    scene: Any,
) -> None:
    line = in_tool(scene)
    line.speaks("c2")
    assert CommitCallerAudio() in line(SECRET)
    assert not line.call.conversation.requests.caller_speaking


def test_speech_that_is_detected_late_does_not_keep_the_prompt_from_being_said(scene: Any) -> None:
    """The model detects it in sound from before the secret, and gets no sound that ends it."""
    line = in_tool(scene)
    line(SECRET)
    line(e.ResponseStarted("r-prompt", line.request_ids[-1]))
    assert line(e.CallerSpeechStarted("c2")) == [CommitCallerAudio()]
    assert not line.call.conversation.requests.caller_speaking
    line.sound("prompt", "r-prompt", 1000)
    line(e.CallerTranscribed("c2", "My card is here."))
    assert Message("user", "My card is here.") in line.call.conversation.transcript.history()


def test_a_lost_session_says_the_prompt_in_the_next_one(scene: Any) -> None:
    line = in_tool(scene)
    line(SECRET)
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [SAY_PROMPT]
    assert (line(SOUND), ended(line)) == ([], [])


# --- it ends in another way -------------------------------------------------------------------


def test_a_tool_that_ends_first_takes_nothing(scene: Any) -> None:
    line = prompted(scene)
    line.press("1")
    assert line(e.DigitsUnwanted("D2")) == []
    assert line(e.DigitsUnwanted("D1")) == [GiveDigits("D1", 1, "cancelled")]
    assert line(e.DigitsUnwanted("D1")) == []


def test_a_second_tool_has_to_wait(scene: Any) -> None:
    line = prompted(scene)
    assert line(e.DigitsWanted("D2", 1)) == [GiveDigits("D2", 0, "busy")]
    assert type_all(line, "1234") == [GiveDigits("D1", 4, "complete")]
    assert line(e.DigitsWanted("D3", 1))[-1] == RequestResponse(
        prompts.ask_for_digits(1, "#"), "none"
    )


@pytest.mark.parametrize("last", ["hang up", "human", "stream lost", "process lost"])
def test_a_call_that_goes_elsewhere_ends_it_and_later_sessions_know(scene: Any, last: str) -> None:
    line = prompted(scene)
    line.press("1")
    if last == "hang up":
        line(e.CallCompleted())
    elif last == "human":
        line(e.HandoffRequested("billing", "a supervisor wants it"))
        line.wait(20.0)
    elif last == "stream lost":
        line(e.StreamStopped("MZ1"))
    else:
        line(e.CallRecovered())
    assert ended(line) == [GiveDigits("D1", 1, "interrupted")]
    assert not line.call.private
    told = Message("system", prompts.DIGITS_INTERRUPTED)
    assert told in line.call.conversation.transcript.history()


def test_a_call_that_was_restored_tells_the_next_session(scene: Any) -> None:
    line = prompted(scene)
    line.press("1")
    line(e.CallRecovered())
    line.asks(1)
    line.stream("MZ2")
    opened = line.sent(OpenModel)[-1]
    assert Message("system", prompts.DIGITS_INTERRUPTED) in opened.history
    assert line.press("1") == [], "an entry of its own"


def test_a_call_that_ends_or_has_moved_collects_nothing(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    assert line(SECRET) == [GiveDigits("D1", 0, "interrupted")]
    assert scene().moved()(SECRET) == [GiveDigits("D1", 0, "interrupted")]


# --- keys in a queue --------------------------------------------------------------------------


def test_a_key_in_a_queue_is_kept_only_if_it_leaves_the_queue(scene: Any) -> None:
    line = scene().greet()
    assert line.call.without_digits(e.QueueAsked(2, 3, digit="1")) == e.QueueAsked(2, 3)
    line = scene(HandoffPlan(targets=(queue_target("support"),))).moved()
    assert line.call.without_digits(e.QueueAsked(2, 3, digit="7")) == e.QueueAsked(2, 3)
    leaving = line.call.without_digits(e.QueueAsked(2, 3, digit="1"))
    assert line(leaving) == [AnswerCarrier((LeaveQueue(),))]


def test_an_event_without_digits_stays_what_it_is(scene: Any) -> None:
    event = e.CallCompleted()
    assert scene().call.without_digits(event) is event
