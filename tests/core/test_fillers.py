"""What a caller hears while something is owed to them and the agent says nothing."""

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
    Message,
    MoveCall,
    OpenModel,
    PlayAudio,
    PlayPrepared,
    RequestResponse,
    SendToolOutput,
    TruncateItem,
)
from hookflash.core.conversation.states import OwedState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase

from .times import A_BIT, ASKS, FILLS, FILLS_AGAIN, REPLACES, lasts

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")
GO_ON = RequestResponse()
CUT_OFF = RequestResponse(prompts.CUT_OFF)
FILLER = "One moment, please."
RINGS = lasts(OwedState.RUNG)


def sounds(commands: list[Any]) -> list[Any]:
    """Commands without the marks that measure the round trip."""
    return [each for each in commands if not getattr(each, "name", "").endswith("probe")]


def turn(line: Any, item: str = "c1") -> None:
    """The caller says something."""
    line.speaks(item)
    line.pauses(item)


def unanswered(scene: Any, **setup: Any) -> Any:
    """A call where the caller has said something and the model does nothing about it."""
    line = scene(**setup).greet()
    turn(line)
    return line


def filling(scene: Any) -> Any:
    """As `unanswered`, and a filler of two seconds has just begun."""
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    line.prepared(2000, text=FILLER)
    return line


def said(line: Any, item: str, response: str, ms: int = 500, *, asked: bool = False) -> None:
    """The model says an item, and it is heard. `asked`: as it was asked to."""
    line.say(item, response, ms, asked=asked)
    line.now += ms / 1000
    line.returned()


def rung(scene: Any) -> Any:
    """A human is rung and the agent has said so."""
    return scene(HandoffPlan(targets=(ANNA, BEN), manner="warm")).accompanied()


def ringing(scene: Any) -> Any:
    """As `rung`, and ringing of five seconds has just begun."""
    line = rung(scene)
    line.wait(RINGS + A_BIT)
    line.prepared(5000)
    return line


def state(line: Any) -> OwedState:
    return line.call.conversation.owed.state  # type: ignore[no-any-return]


# --- a turn without an answer -----------------------------------------------------------------


def test_nothing_is_owed_to_a_caller_who_has_heard_everything(scene: Any) -> None:
    line = scene().greet()
    assert state(line) is OwedState.NOTHING
    assert line.call.conversation.owed.due is None
    assert line.wait(60.0) == []


def test_a_model_that_does_not_answer_is_asked_to(scene: Any) -> None:
    line = unanswered(scene)
    assert state(line) is OwedState.AWAITED
    assert line.wait(ASKS - A_BIT) == []
    assert line.wait(2 * A_BIT) == [GO_ON]
    assert state(line) is OwedState.LATE


def test_a_model_that_has_begun_is_not_asked(scene: Any) -> None:
    line = unanswered(scene)
    line.after(ASKS / 2, e.ResponseStarted("r1"))
    assert line.wait(FILLS) == []
    assert line.fetched == ["filler"], "but nothing is heard"


def test_then_a_filler_is_played_and_then_a_tone(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS - A_BIT)
    assert line.fetched == []
    line.wait(2 * A_BIT)
    assert line.fetched == ["filler"]
    play, mark = sounds(line.prepared(1000, text=FILLER))
    assert play == PlayAudio("", 8000)
    assert mark.name.endswith("prepared:filler:1:1000")
    line.now += 1.0
    line.returned()
    assert state(line) is OwedState.FILLED
    line.wait(lasts(OwedState.FILLED) - A_BIT)
    assert line.fetched == ["filler"]
    line.wait(2 * A_BIT)
    assert line.fetched == ["filler", "tone"]


def test_sounds_that_cannot_be_had_are_tried_again(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    line.wait(lasts(OwedState.FILLING))
    assert state(line) is OwedState.FILLED
    line.wait(lasts(OwedState.FILLED))
    assert line.fetched == ["filler", "tone"]


def test_after_two_fills_the_session_is_replaced_and_the_next_one_goes_on(scene: Any) -> None:
    line = unanswered(scene)
    assert line.wait(REPLACES - A_BIT) == [GO_ON]
    assert [type(each) for each in line.wait(2 * A_BIT)] == [CloseModel, OpenModel]
    assert line.fetched == ["filler", "tone", "filler"], "and the caller is not alone meanwhile"
    assert line(e.ModelReady("S2")) == [CUT_OFF]
    said(line, "sorry", "r1")
    assert line.wait(60.0) == []


def test_a_session_that_is_being_opened_is_not_replaced(scene: Any) -> None:
    line = unanswered(scene, model_seconds=60.0)
    line.wait(REPLACES + A_BIT)
    assert line.sent(OpenModel)[2:] == []
    line.wait(7 * FILLS_AGAIN)
    assert line.sent(OpenModel)[2:] == []
    assert line.fetched == ["filler", "tone"] * 5


@pytest.mark.parametrize("seconds", [ASKS / 2, ASKS + A_BIT, FILLS + A_BIT])
def test_an_answer_ends_it_at_any_time(scene: Any, seconds: float) -> None:
    line = unanswered(scene)
    line.wait(seconds)
    before = len(line.log)
    said(line, "answer", "r1", 3000)
    assert line.wait(60.0) == []
    assert PlayPrepared not in [type(each) for each in line.log[before:]]
    assert line.call.conversation.fillers == 0


def test_nothing_is_fetched_while_the_agent_is_heard(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(ASKS + A_BIT)
    line(e.ResponseStarted("r1"))
    line.sound("answer", "r1", 4000)
    line.wait(3.0)
    assert line.fetched == []
    assert line.call.conversation.fillers == 0


def test_after_an_answer_the_next_turn_is_waited_for_as_long_as_the_first(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    said(line, "answer", "r1")
    turn(line, "c2")
    line.wait(FILLS - A_BIT)
    assert line.fetched == ["filler"]
    line.wait(2 * A_BIT)
    assert line.fetched == ["filler", "filler"]


def test_a_caller_who_goes_on_speaking_is_not_filled(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(ASKS + A_BIT)
    line.speaks("c2")
    assert state(line) is OwedState.NOTHING
    line.wait(9.0)
    assert line.fetched == []


def test_what_is_being_said_when_a_turn_ends_is_no_answer_to_it(scene: Any) -> None:
    line = scene(greeting="Hello.", greeting_interruptible=False).talk()
    line(e.ResponseStarted("r1"))
    line.sound("hello", "r1", 1000)
    turn(line)
    line.sound("hello", "r1", 1000)
    line(e.ModelAudioEnded("r1", "hello"))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 2.0
    line.returned()
    assert state(line) is OwedState.AWAITED
    assert line.wait(ASKS + A_BIT) == [GO_ON]


def test_an_opening_without_a_model_is_owed(scene: Any) -> None:
    line = scene(greeting="Hello.")
    line.arrive()
    line.stream()
    assert line.wait(FILLS + A_BIT) == []
    assert line.fetched == ["filler"]
    (greeting,) = line(e.ModelReady("S1"))
    said(line, "hello", "r1")
    assert line.wait(60.0) == []
    assert greeting.instructions == prompts.greeting("Hello.")


def test_a_caller_who_speaks_first_is_owed_nothing_before(scene: Any) -> None:
    line = scene(greeting=None).talk()
    assert line.sent(RequestResponse) == []
    assert line.wait(60.0) == []
    turn(line)
    assert line.wait(ASKS + A_BIT) == [GO_ON]


# --- who may not answer yet -------------------------------------------------------------------


def test_a_tool_that_runs_long_gets_fillers_and_no_new_session(scene: Any) -> None:
    line = scene().greet()
    turn(line)
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ResponseEnded("r1", "completed"))
    assert line.wait(20.0) == []
    assert line.fetched[:4] == ["filler", "tone", "filler", "tone"]
    assert line(e.ToolFinished("t1", "42")) == [SendToolOutput("t1", "42"), GO_ON]
    said(line, "answer", "r2", asked=True)
    assert line.wait(60.0) == []


def test_a_tool_that_the_caller_has_not_asked_for_is_waited_for_too(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ResponseEnded("r1", "completed"))
    line.wait(FILLS + A_BIT)
    assert line.fetched == ["filler"]


def test_a_model_at_its_limit_gets_fillers_and_no_new_session(scene: Any) -> None:
    line = unanswered(scene)
    line(e.ResponseStarted("r1"))
    line(e.ResponseEnded("r1", "failed", "rate limit", 15.0))
    assert line.wait(14.9) == []
    assert line.fetched[:3] == ["filler", "tone", "filler"]
    assert line.wait(0.2) == [GO_ON]
    said(line, "answer", "r2")
    assert line.wait(60.0) == []


def test_a_human_who_is_asked_for_is_waited_for_with_fillers(scene: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), manner="warm")
    to = Destination(key="billing", when="", plan=plan, checked=True)
    line = scene(destinations=(to,)).greet()
    turn(line)
    line(e.ResponseStarted("r1"))
    line.transfer()
    line(e.ResponseEnded("r1", "completed"))
    assert state(line) is OwedState.AWAITED, "who is there is looked up"
    assert line.wait(1.9) == [], "the model cannot answer before that is known"
    line.wait(0.2)
    assert line.call.handoff.rung is not None


def test_a_turn_that_ends_while_it_is_looked_up_who_is_there_waits_for_that(scene: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), manner="warm")
    to = Destination(key="billing", when="", plan=plan, checked=True)
    line = scene(destinations=(to,)).greet()
    line(e.HandoffRequested("billing", "wants a human"))
    turn(line)
    line.wait(ASKS + A_BIT)
    assert state(line) is OwedState.LATE
    assert line.sent(RequestResponse)[1:] == []


# --- sounds that need no model ----------------------------------------------------------------


def test_a_sound_that_comes_too_late_is_dropped(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    line.wait(lasts(OwedState.FILLING))
    assert state(line) is OwedState.FILLED
    assert line.prepared(1000, text=FILLER) == []
    assert FILLER not in [each.text for each in line.call.conversation.transcript.lines]


def test_a_sound_that_was_fetched_before_the_newest_is_dropped(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    (older,) = line.sent(PlayPrepared)
    line.wait(FILLS_AGAIN)
    assert line.fetched == ["filler", "tone"]
    assert line(e.PreparedAudio(older.item_id, "", 800)) == []
    assert line.prepared(100) != []


def test_a_sound_that_comes_when_the_agent_speaks_is_dropped(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    line.say("answer", "r1", 1000)
    assert line.prepared(1000, text=FILLER) == []


def test_a_sound_that_comes_when_the_caller_speaks_is_dropped(scene: Any) -> None:
    line = unanswered(scene)
    line.wait(FILLS + A_BIT)
    line.speaks("c2")
    assert line.prepared(1000, text=FILLER) == []


def test_a_sound_is_played_once(scene: Any) -> None:
    line = filling(scene)
    assert line.prepared(2000, text=FILLER) == []


def test_a_filler_is_in_the_transcript_as_heard_and_a_tone_is_not(scene: Any) -> None:
    line = filling(scene)
    line.now += 2.0
    line.returned()
    line.wait(lasts(OwedState.FILLED))
    assert line.fetched == ["filler", "tone"]
    line.prepared(300)
    line.now += 0.3
    line.returned()
    assert line.call.conversation.transcript.history()[-1] == Message("assistant", FILLER)
    line(e.CallCompleted())
    spoken = [each.text for each in line.record.utterances if each.speaker == "agent"]
    assert spoken == ["Hello.", FILLER]


def test_speech_over_a_filler_stops_it_and_the_model_has_no_part_in_it(scene: Any) -> None:
    line = filling(scene)
    line.now += 0.9
    assert line.speaks("c2") == [ClearAudio()]
    assert line.sent(TruncateItem) == []
    assert line.call.conversation.barge_ins == 0
    (cut,) = [each for each in line.call.conversation.transcript.lines if each.cut]
    assert (cut.text, cut.cut) == ("One", "moment, please.")
    assert line.prepared(2000) == []


def test_speech_over_the_agent_and_a_filler_truncates_the_agent_only(scene: Any) -> None:
    line = filling(scene)
    line.now += 1.0
    line.say("answer", "r1", 3000)
    line.now += 2.0
    assert line.speaks("c2") == [ClearAudio(), TruncateItem("answer", 1000)]
    assert line.call.conversation.barge_ins == 1


def test_the_agent_follows_a_filler_and_does_not_cut_it(scene: Any) -> None:
    line = filling(scene)
    line.now += 1.0
    commands = line.say("answer", "r1", 1000)
    assert ClearAudio() not in commands
    assert line.call.conversation.playout.playing()
    line.now += 2.0
    line.returned()
    texts = [each.text for each in line.call.conversation.transcript.history()]
    assert FILLER in texts


def test_a_filler_that_is_heard_while_the_session_is_replaced_is_no_truncation(scene: Any) -> None:
    line = filling(scene)
    line(e.ModelLost("gone"))
    line(e.ModelReady("S2"))
    line.now += 0.9
    assert line.speaks("c2") == [ClearAudio(), AddMessage(Message("assistant", "One"))]


def test_a_call_whose_caller_has_heard_only_fillers_is_abandoned(scene: Any) -> None:
    line = scene(greeting="Hello.").talk()
    line.wait(FILLS + A_BIT)
    line.prepared(1000, text=FILLER)
    line.now += 1.0
    line.returned()
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"


# --- last words -------------------------------------------------------------------------------


def test_a_filler_stands_for_a_farewell_that_a_mute_model_does_not_say(scene: Any) -> None:
    line = scene().greet()
    (asked,) = line(e.HandoffRequested("billing", "wants a human"))
    assert asked.tools == "none"
    assert line.wait(FILLS + A_BIT) == []
    assert line.fetched == ["filler"]
    assert line.prepared(1000, text=FILLER) != []
    assert line.call.conversation.farewell.spoke
    line.now += 1.0
    line.returned()
    commands = line.wait(8.0)
    assert MoveCall in [type(each) for each in commands]
    assert [each for each in commands if isinstance(each, RequestResponse)] == []
    assert line.call.phase is Phase.HANDING_OFF


def test_a_mute_model_is_not_replaced_before_a_human(scene: Any) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "wants a human"))
    line.wait(8.5)
    assert line.call.phase is Phase.HANDING_OFF
    assert len(line.sent(OpenModel)) == 1


def test_a_call_that_ends_has_no_fillers_in_place_of_a_goodbye(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "end_call", "{}", "r1"))
    commands = line.wait(2.9)
    assert MoveCall in [type(each) for each in commands]
    assert line.call.phase is Phase.ENDING


# --- while a human is rung --------------------------------------------------------------------


def test_ringing_is_played_while_a_human_is_rung_and_nobody_speaks(scene: Any) -> None:
    line = rung(scene)
    assert state(line) is OwedState.RUNG
    line.wait(RINGS - A_BIT)
    assert line.fetched == []
    line.wait(2 * A_BIT)
    assert line.fetched == ["ringing"]
    play, mark = sounds(line.prepared(1000))
    assert play == PlayAudio("", 8000)
    assert mark.name.endswith("prepared:ringing:1:1000")


def test_ringing_stops_at_once_when_the_agent_speaks(scene: Any) -> None:
    line = ringing(scene)
    line.now += 1.0
    line(e.ResponseStarted("r9"))
    assert sounds(line.sound("still", "r9", 500))[:2] == [ClearAudio(), PlayAudio("", 4000)]
    assert line.sound("still", "r9", 500)[0] == PlayAudio("", 4000), "once"


def test_ringing_in_a_pause_of_the_agent_does_not_cut_the_agent(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), manner="warm"))
    line.reach()
    line.placed()
    line(e.ResponseStarted("r9"))
    line.sound("still", "r9", 300)
    line.now += 0.3
    line.returned()
    line.wait(RINGS + A_BIT)
    line.prepared(2000)
    line.now += 0.5
    commands = sounds(line.sound("still", "r9", 500))
    assert commands[:2] == [ClearAudio(), PlayAudio("", 4000)], "the model goes on"


def test_ringing_stops_at_once_when_the_caller_speaks(scene: Any) -> None:
    line = ringing(scene)
    line.now += 1.0
    assert line.speaks() == [ClearAudio()]
    assert line.call.conversation.barge_ins == 0
    assert line.wait(9.0) == []
    assert line.fetched == ["ringing"]


def test_a_caller_whose_turn_is_not_answered_is_owed_it_while_a_human_is_rung(scene: Any) -> None:
    line = ringing(scene)
    line.speaks()
    line.pauses()
    assert state(line) is OwedState.AWAITED
    assert line.wait(ASKS + A_BIT) == [GO_ON]
    line.wait(FILLS - ASKS)
    assert line.fetched == ["ringing", "filler"]
    line.wait(2 * FILLS_AGAIN)
    assert line.fetched == ["ringing", "filler", "tone", "filler"]
    assert len(line.sent(OpenModel)) == 1, "a human is rung, and the session is left alone"


def test_ringing_ends_with_the_wait(scene: Any) -> None:
    line = ringing(scene)
    line(e.HandoffCancelled("console"))
    line.now += 5.0
    line.returned()
    said(line, "back", "r9")
    line.wait(60.0)
    assert line.fetched == ["ringing"]


def test_after_three_ringings_the_agent_says_that_it_still_rings(scene: Any) -> None:
    line = rung(scene)
    for _ in range(3):
        assert line.wait(RINGS + A_BIT) == []
        line.prepared(1000)
        line.now += 1.0
        line.returned()
    assert line.fetched == ["ringing"] * 3
    (asked,) = line.wait(RINGS + A_BIT)
    assert asked.instructions is not None
    assert "still trying to reach billing" in asked.instructions
    said(line, "still", "r9")
    line.wait(RINGS + A_BIT)
    assert line.fetched == ["ringing"] * 4, "and then it rings again"


def test_without_a_session_it_just_rings(scene: Any) -> None:
    line = rung(scene)
    line(e.ModelLost("gone"))
    line.wait(9.0)
    assert line.fetched == ["ringing"] * 4
    assert line.sent(RequestResponse)[-1].instructions is None, "nobody can say anything"


# --- when the stream is gone ------------------------------------------------------------------


def test_nothing_is_owed_without_a_stream(scene: Any) -> None:
    line = unanswered(scene)
    line(e.StreamStopped("MZ1", "stop"))
    assert state(line) is OwedState.NOTHING
    line.wait(5.0)
    assert line.fetched == []
    assert line(e.PreparedAudio("prepared:filler:1", "", 800)) == []


def test_who_is_on_another_stream_has_waited_for_a_while_already(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1"))
    line.wait(1.0)
    line.stream("MZ2")
    assert state(line) is OwedState.LATE
    line.wait(FILLS - ASKS - A_BIT)
    assert line.fetched == []
    line.wait(2 * A_BIT)
    assert line.fetched == ["filler"]


def test_who_is_on_another_stream_and_speaks_first_is_owed_nothing(scene: Any) -> None:
    line = scene(greeting=None).talk()
    line(e.StreamStarted("MZ2", line.call.caller_leg.route.step))
    assert state(line) is OwedState.NOTHING
    assert line.fetched == []


def test_a_response_that_is_stopped_is_owed_no_more_than_before(scene: Any) -> None:
    line = unanswered(scene)
    line(e.ResponseStarted("r1"))
    assert line.speaks("c2") == [CancelResponse("r1")]
    line(e.ResponseEnded("r1", "cancelled"))
    line.pauses("c2")
    assert line.wait(ASKS + A_BIT) == [GO_ON]
