"""Sounds of the caller while the agent speaks: an interruption, or nothing."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AddMessage,
    CancelResponse,
    ClearAudio,
    CloseModel,
    CommitCallerAudio,
    DeleteItem,
    Message,
    MoveCall,
    PlayAudio,
    RequestResponse,
    TruncateItem,
)
from hookflash.core.conversation.backchannel_words import is_backchannel, words
from hookflash.core.conversation.states import OwedState
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.interruption_settings import Interruption
from hookflash.core.phases import Phase
from hookflash.errors import ConfigError

from .times import A_BIT, ASKS, FILLS

GO_ON = RequestResponse()
RESUMES = Interruption(resume_false_interruption=True)
TEXT = "One two three four five six"


def speaking(scene: Any, interruption: Interruption = RESUMES) -> Any:
    """The agent has said one of three seconds."""
    line = scene(interruption=interruption).greet()
    line.say("a", "r1", 3000, text=TEXT)
    line.now += 1.0
    return line


def bye(scene: Any, **setup: Any) -> Any:
    """The agent has said one of three seconds of its last words before a human."""
    line = scene(**setup).greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    line(e.AgentTranscribed("bye", TEXT))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.0
    return line


def makes_a_sound(line: Any, seconds: float, text: str | None = None) -> list[Any]:
    """The caller makes a sound, of which the model has written `text`, if anything."""
    line.speaks("c1")
    line.now += seconds
    line.pauses("c1")
    return [] if text is None else line(e.CallerTranscribed("c1", text))


def played(commands: list[Any]) -> int:
    """How many bytes are played."""
    return sum(each.size for each in commands if isinstance(each, PlayAudio))


# --- the owner's choice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"mode": "perhaps"}, "mode must be one of none, vad; got 'perhaps'"),
        ({"min_duration": -1}, "min_duration must be a number from 0 to 10"),
        ({"min_words": 21}, "min_words must be a whole number from 0 to 20"),
        (
            {"false_interruption_timeout": 11},
            "false_interruption_timeout must be a number from 0 to 10",
        ),
    ],
)
def test_a_choice_that_is_none_says_what_is_possible(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Interruption(**wrong)


def test_an_agent_that_is_never_interrupted_speaks_on(scene: Any) -> None:
    line = speaking(scene, Interruption(mode="none"))
    assert line.speaks() == []
    assert line.call.conversation.barge_ins == 0


def test_without_the_choice_to_go_on_speech_has_interrupted_at_once(scene: Any) -> None:
    line = speaking(scene, Interruption())
    assert line.speaks() == [ClearAudio(), TruncateItem("a", 1000)]
    assert line.call.conversation.cut is None
    line.pauses()
    assert line(e.CallerTranscribed("c1", "Okay.")) == []


# --- an agent that goes on --------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Mm-hm.", "Okay, yeah.", "Ja, genau.", "...", ""])
def test_a_listener_hears_the_rest_after_a_backchannel(scene: Any, text: str) -> None:
    line = speaking(scene)
    commands = makes_a_sound(line, 0.4, text)
    assert played(commands) == 16_000, "two seconds were not heard"
    assert line.call.conversation.cut is None
    line.now += 2.0
    line.returned()
    history = [each.text for each in line.call.conversation.transcript.history()]
    assert [each for each in history if each in TEXT and each] == ["One two", "three four five six"]
    assert line.wait(60.0) == [], "and nothing is owed"


def test_the_model_learns_that_the_rest_was_heard(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 0.4, "Okay.")
    line.now += 2.0
    assert AddMessage(Message("assistant", "three four five six")) in line.returned()


def test_of_a_chunk_that_was_half_heard_the_other_half_is_played(scene: Any) -> None:
    line = scene(interruption=RESUMES).greet()
    line(e.ResponseStarted("r1"))
    sound = bytes(range(250)) * 32
    line(e.ModelAudio("r1", "a", b64encode(sound).decode(), len(sound)))
    line(e.ModelAudioEnded("r1", "a"))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 0.5
    commands = makes_a_sound(line, 0.3, "Mhm.")
    (rest,) = [each for each in commands if isinstance(each, PlayAudio)]
    assert rest == PlayAudio(b64encode(sound[4000:]).decode(), 4000)


def test_what_was_heard_and_not_confirmed_yet_is_not_played_again(scene: Any) -> None:
    line = speaking(scene)
    line.now += 0.5
    assert played(makes_a_sound(line, 0.4, "Okay.")) == 12_000


def test_a_caller_who_says_words_has_interrupted(scene: Any) -> None:
    line = speaking(scene)
    assert makes_a_sound(line, 1.0, "No, the other one.") == []
    assert line.call.conversation.cut is None
    assert line.wait(ASKS + A_BIT) == [GO_ON], "the model has not answered by itself"


@pytest.mark.parametrize(
    ("choice", "seconds", "text"),
    [({"min_words": 3}, 1.0, "Stop it."), ({"min_duration": 1.5}, 1.0, "No, not that one.")],
)
def test_a_sound_shorter_than_the_setting_does_not_interrupt(
    scene: Any, choice: dict[str, Any], seconds: float, text: str
) -> None:
    line = speaking(scene, Interruption(resume_false_interruption=True, **choice))
    assert played(makes_a_sound(line, seconds, text)) == 16_000


def test_a_sound_without_a_transcript_in_time_does_not_interrupt(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 1.0)
    assert line.wait(1.9) == []
    assert played(line.wait(0.2)) == 16_000


def test_the_models_answer_is_heard_once_it_is_known_what_it_answers(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 1.0)
    assert played(line.say("answer", "own", 1000)) == 0
    assert played(line(e.CallerTranscribed("c1", "No, the other one."))) == 8000
    line.now += 1.0
    line.returned()
    assert line.wait(60.0) == []


@pytest.mark.parametrize("ended", [True, False])
def test_an_answer_to_nothing_is_not_heard(scene: Any, ended: bool) -> None:
    line = speaking(scene)
    makes_a_sound(line, 0.4)
    assert played(line.say("answer", "own", 1000, ended=ended)) == 0
    commands = line(e.CallerTranscribed("c1", "Okay."))
    assert (DeleteItem("answer") if ended else TruncateItem("answer", 0)) in commands
    assert (CancelResponse("own") in commands) is not ended
    assert played(commands) == 16_000, "only what was cut"
    assert GO_ON not in commands
    line(e.ResponseEnded("own", "cancelled"))
    line.now += 2.0
    line.returned()
    assert line.wait(60.0) == []


def test_a_lost_session_gets_no_truncation_of_its_answer(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 1.0)
    line.say("answer", "own", 1000, ended=False)
    for _ in range(3):
        line(e.ModelLost("overloaded"))
    assert not line.call.conversation.model.listening
    commands = line(e.CallerTranscribed("c1", "Okay."))
    assert played(commands) == 16_000
    assert [each for each in commands if isinstance(each, DeleteItem | TruncateItem)] == []


def test_the_next_session_gets_no_truncation_of_an_earlier_answer(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 1.0)
    line.say("answer", "own", 1000, ended=False)
    line(e.ModelLost("gone"))
    commands = line(e.CallerTranscribed("c1", "Okay."))
    assert [each for each in commands if isinstance(each, DeleteItem | TruncateItem)] == []


def test_a_filler_that_is_not_heard_after_all_is_no_item_of_the_models(scene: Any) -> None:
    slow = Interruption(resume_false_interruption=True, false_interruption_timeout=10.0)
    line = speaking(scene, slow)
    makes_a_sound(line, 1.0)
    line.wait(FILLS + A_BIT)
    line.prepared(1000, text="One moment.")
    commands = line(e.CallerTranscribed("c1", "Okay."))
    assert [each for each in commands if isinstance(each, DeleteItem | TruncateItem)] == []


def test_words_that_come_while_the_caller_still_speaks_are_not_judged_yet(scene: Any) -> None:
    line = speaking(scene)
    line.speaks()
    assert line(e.CallerTranscribed("c1", "Okay.")) == []
    assert line.call.conversation.cut is not None
    line.now += 0.4
    line.pauses()
    assert played(line.wait(2.1)) == 16_000, "it is judged without words"


def test_a_caller_who_speaks_again_is_judged_by_the_later_words(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 0.4)
    line.now += 0.2
    line.speaks("c2")
    assert line(e.CallerTranscribed("c1", "Okay.")) == [], "they are still speaking"
    assert line.wait(3.0) == []
    line.pauses("c2")
    line(e.CallerTranscribed("c2", "But not that one."))
    assert line.call.conversation.cut is None
    assert played(line.wait(1.0)) == 0


def test_words_of_an_earlier_turn_judge_nothing(scene: Any) -> None:
    line = scene(interruption=RESUMES).greet()
    line.speaks("c0")
    line.pauses("c0")
    line.say("a", "r1", 3000, text=TEXT)
    line.now += 1.0
    makes_a_sound(line, 0.4)
    assert line(e.CallerTranscribed("c0", "What is my balance?")) == []
    assert line.call.conversation.cut is not None
    assert played(line(e.CallerTranscribed("c1", "Mhm."))) == 16_000


def test_an_interruption_is_not_decided_on_a_stream_that_has_ended(scene: Any) -> None:
    line = speaking(scene)
    makes_a_sound(line, 0.4)
    line(e.StreamStopped("MZ1", "stop"))
    assert line(e.CallerTranscribed("c1", "Okay.")) == []
    assert line.call.conversation.cut is None


# --- last words -------------------------------------------------------------------------------


def test_a_cough_over_the_last_words_does_not_take_them_back(scene: Any) -> None:
    line = bye(scene)
    makes_a_sound(line, 0.3)
    assert line.wait(1.4) == []
    commands = line.wait(0.2)
    assert played(commands) == 16_000, "the rest is said"
    line.now += 2.0
    assert [type(each) for each in line.returned()][-2:] == [CloseModel, MoveCall]


def test_a_thank_you_that_is_a_yes_does_not_take_them_back(scene: Any) -> None:
    line = bye(scene)
    assert played(makes_a_sound(line, 0.8, "Okay, great.")) == 16_000
    assert line.call.handoff.running


def test_a_sound_without_words_that_lasts_takes_them_back(scene: Any) -> None:
    line = bye(scene)
    makes_a_sound(line, 1.0)
    assert line.wait(1.4) == []
    assert AddMessage(Message("system", prompts.STAYED)) in line.wait(0.2)
    assert not line.call.handoff.running


def test_while_it_is_judged_the_caller_is_not_moved(scene: Any) -> None:
    line = bye(scene)
    line.speaks()
    assert line.wait(20.0) == []
    assert line.call.phase is Phase.TALKING


def test_speech_before_the_last_words_have_begun_is_judged_too(scene: Any) -> None:
    line = scene().greet()
    (farewell,) = line(e.HandoffRequested("billing", "wants a human"))
    line.speaks()
    assert line(e.ResponseStarted("r1")) == [CancelResponse("r1")]
    line(e.ResponseEnded("r1", "cancelled"))
    line.now += 0.3
    line.pauses()
    line(e.CallerTranscribed("c1", "Okay."))
    assert line.call.handoff.running
    assert farewell in line.wait(2.1), "it is said after all"


def test_last_words_that_begin_while_it_is_judged_are_heard_after_a_cough(scene: Any) -> None:
    line = scene().greet()
    (farewell,) = line(e.HandoffRequested("billing", "wants a human"))
    makes_a_sound(line, 0.3)
    assert played(line.say("bye", "r1", 1000, asked=True)) == 0
    commands = line(e.CallerTranscribed("c1", "Okay.")) + line.wait(0.9)
    assert played(commands) == 8000 or farewell in commands
    assert line.call.phase is Phase.TALKING


def test_a_second_sound_over_the_last_words_keeps_what_the_first_has_cut(scene: Any) -> None:
    line = bye(scene)
    makes_a_sound(line, 0.3)
    line.now += 0.2
    line.speaks("c2")
    line.now += 0.2
    line.pauses("c2")
    assert played(line(e.CallerTranscribed("c2", "Okay."))) == 16_000


def test_who_asks_for_the_same_human_over_the_last_words_is_not_left_in_silence(scene: Any) -> None:
    """Their answer was a tool call alone, which says that the hand-off is under way already."""
    line = bye(scene)
    line.speaks()
    line.now += 1.0
    line.pauses()
    line(e.ResponseStarted("r2"))
    line.transfer(call_id="t2")
    assert line(e.ResponseEnded("r2", "completed")) == []
    told = line(e.CallerTranscribed("c1", "I want to talk to a human."))
    assert told == [AddMessage(Message("system", prompts.STAYED)), RequestResponse()]


def test_who_interrupts_the_last_words_while_a_tool_runs_hears_what_it_says(scene: Any) -> None:
    line = bye(scene)
    line.speaks()
    line.now += 1.0
    line.pauses()
    line(e.ResponseStarted("r2"))
    line(e.ToolCallRequested("t2", "order_status", "{}", "r2"))
    line(e.ResponseEnded("r2", "completed"))
    told = line(e.CallerTranscribed("c1", "Where is my order?"))
    assert told == [AddMessage(Message("system", prompts.STAYED))]
    assert line(e.ToolFinished("t2", "On Friday."))[-1] == RequestResponse()


def test_a_protected_farewell_is_not_judged(scene: Any) -> None:
    plan = HandoffPlan(targets=scene().call.setup.destinations[0].plan.targets, interruptible=False)
    line = bye(scene, plan=plan)
    assert makes_a_sound(line, 1.0, "No, wait.") == []
    assert line.call.conversation.cut is None


def test_a_goodbye_to_which_nothing_is_said_is_not_held(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    line.speaks()
    line.now += 1.0
    line.pauses()
    told = line(e.CallerTranscribed("c1", "One more thing."))
    assert told[0] == AddMessage(Message("system", prompts.STAYED_ON))
    assert line.call.conversation.farewell.purpose is None


# --- turns that do not end --------------------------------------------------------------------


def test_a_silent_caller_whose_turn_does_not_end_is_answered(scene: Any) -> None:
    line = scene().greet()
    line.speaks()
    line.now += 3.0
    assert line(e.CallerQuiet()) == [CommitCallerAudio(), GO_ON]
    assert line.call.conversation.owed.state is OwedState.LATE, "they have waited already"
    assert line(e.CallerQuiet()) == [], "once"
    line.wait(0.8)
    assert line.fetched == ["filler"]


def test_a_caller_who_is_not_speaking_is_quiet_anyway(scene: Any) -> None:
    line = scene().greet()
    assert line(e.CallerQuiet()) == []


def test_the_end_of_a_turn_that_has_ended_changes_nothing(scene: Any) -> None:
    line = scene().greet()
    line.pauses()
    assert line.call.conversation.owed.state is OwedState.NOTHING


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Mm-hm", "uh-huh", "OK.", "D'accord", "Sí, claro", "Ja ja.", "?"])
def test_words_of_a_listener(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize("text", ["No", "Okay, but no", "Wait", "4021", "Nein"])
def test_words_of_a_speaker(text: str) -> None:
    assert not is_backchannel(text)


def test_the_words_of_a_turn() -> None:
    assert words("Well - I am OK, mm-hm!") == ["well", "i", "am", "ok", "mmhm"]


def test_who_speaks_to_a_model_that_missed_the_end_of_a_turn_is_answered(scene: Any) -> None:
    line = scene().greet()
    line.speaks()
    line.now += 3.0
    line(e.CallerQuiet())
    assert line.call.conversation.misses_turns
    line.say("i1", "r1", 800, asked=True)
    line.now += 1.0
    line.returned()
    assert line(e.CallerQuiet()) == [], "they have said nothing"
    line.now += 3.0
    assert line(e.CallerQuiet(unheard=True)) == [CommitCallerAudio(), GO_ON]
    assert line.call.conversation.owed.state is OwedState.LATE


@pytest.mark.parametrize("notices", [e.CallerSpeechStopped("c0"), e.CallerSpeechStarted("c1")])
def test_a_model_that_notices_turns_again_is_believed(scene: Any, notices: e.AnyEvent) -> None:
    line = scene().greet()
    line.speaks()
    line.now += 3.0
    line(e.CallerQuiet())
    line(notices)
    assert not line.call.conversation.misses_turns
    line(e.CallerSpeechStopped("c1"))
    assert line(e.CallerQuiet(unheard=True)) == []


def test_the_next_session_hears_turns_though_the_last_one_missed_one(scene: Any) -> None:
    line = scene().greet()
    line.speaks()
    line.now += 3.0
    line(e.CallerQuiet())
    line(e.ModelLost("gone"))
    line(e.ModelReady("S2"))
    assert not line.call.conversation.misses_turns


def test_a_caller_who_speaks_while_no_session_is_ready_is_answered_by_the_next_one(
    scene: Any,
) -> None:
    line = scene().greet()
    line(e.ModelLost("gone"))
    assert line.call.conversation.misses_turns
    line.now += 3.0
    assert line(e.CallerQuiet(unheard=True)) == [], "there is no session that could be asked"
    line.wait(0.8)
    assert line.fetched == ["filler"]
    assert line(e.ModelReady("S2")) == [RequestResponse(prompts.CUT_OFF)]


def test_last_words_are_said_though_the_caller_speaks_while_no_session_is_ready(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    line(e.ModelLost("gone"))
    line.now += 3.0
    assert line(e.CallerQuiet(unheard=True)) == []
    assert not line.call.conversation.owes_answer
