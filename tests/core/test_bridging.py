from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CancelResponse,
    CloseModel,
    CloseStream,
    ConnectAgent,
    EndLeg,
    HangUp,
    Hold,
    JoinRoom,
    MoveCall,
    RequestResponse,
    RingHuman,
    TakeVoicemail,
    TruncateItem,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")


def warm(**plan: Any) -> HandoffPlan:
    return HandoffPlan(**{"targets": (ANNA, BEN), "manner": "warm"} | plan)


def answer(commands: list[Any]) -> tuple[Any, ...]:
    (found,) = [each for each in commands if isinstance(each, AnswerCarrier)]
    return found.instructions


# --- to the human -----------------------------------------------------------------------------


def test_the_agent_says_one_line_and_the_caller_hears_it_before_they_move(scene: Any) -> None:
    line = scene(warm()).screened()
    joined, asked = line.human("pressed", "1")
    assert joined == AnswerCarrier((JoinRoom("CA1", 1, leg=0),))
    assert "I am connecting you with billing now" in asked.instructions
    assert line.call.handoff.state is HandoffState.CLOSING
    assert line.say("closing", "r-closing", 800) != []
    assert not line.sent(MoveCall), "not before it was heard"
    line.now += 0.8
    assert line.returned() == [CloseModel(), MoveCall(2, (JoinRoom("CA1", 1, 2),), 2.0)]
    assert line.call.handoff.state is HandoffState.BRIDGING  # type: ignore[comparison-overlap]


def test_the_closing_line_waits_for_what_the_agent_is_saying(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line.placed()
    line(e.ResponseStarted("r-long"))
    line.sound("long", "r-long", 3000)
    line.human("answered")
    line.human("pressed", "1")
    assert not [each for each in line.log[-3:] if isinstance(each, RequestResponse)]
    line(e.ModelAudioEnded("r-long", "long"))
    line(e.ResponseEnded("r-long", "completed"))
    line.now += 3.0
    assert "connecting you with billing now" in line.returned()[-1].instructions


def test_a_caller_who_speaks_over_the_closing_line_is_connected_all_the_same(scene: Any) -> None:
    line = scene(warm()).screened()
    line.human("pressed", "1")
    line.say("closing", "r-closing", 800)
    assert line.speaks() == []
    line.now += 0.8
    assert isinstance(line.returned()[-1], MoveCall)


def test_a_closing_line_that_never_comes_is_not_waited_for(scene: Any) -> None:
    line = scene(warm()).screened()
    line.human("pressed", "1")
    assert isinstance(line.wait(8.1)[-1], MoveCall)


def test_a_stream_that_is_lost_during_the_closing_line_leads_to_the_human(scene: Any) -> None:
    line = scene(warm()).screened()
    line.human("pressed", "1")
    line(e.StreamStopped("MZ1"))
    assert answer(line.asks(1)) == (JoinRoom("CA1", 1, 2),)


def test_a_refused_rest_update_moves_the_caller_by_the_connect_action(scene: Any) -> None:
    line = scene(warm()).closed()
    assert line(e.CarrierRefused(2, 500)) == [CloseStream()]
    line(e.StreamStopped("MZ1"))
    assert answer(line.asks(1)) == (JoinRoom("CA1", 1, 2),)


def test_the_caller_and_the_human_are_bridged_when_the_room_begins(scene: Any) -> None:
    line = scene(warm(notes=True)).met()
    assert line.call.phase is Phase.WITH_HUMAN
    assert line.call.handoff.state is HandoffState.WITH_HUMAN
    assert line.sent(MoveCall)[-1].instructions[0].notes
    line(e.CallCompleted())
    assert line.record.disposition == "handed_off"
    (attempt,) = line.record.handoffs
    assert (attempt.outcome, attempt.target, attempt.manner) == ("bridged", 0, "warm")
    assert attempt.seconds_to_human == pytest.approx(1.3)


def test_events_of_another_room_or_kind_change_nothing(scene: Any) -> None:
    line = scene(warm()).closed()
    line(e.RoomChanged(7, "started"))
    line(e.RoomChanged(1, "joined", "CA1"))
    assert line.call.handoff.state is HandoffState.BRIDGING
    line(e.RoomChanged(1, "started"))
    assert line(e.RoomChanged(1, "started")) == []


def test_a_room_without_events_counts_as_started(scene: Any) -> None:
    line = scene(warm()).closed()
    line(e.CallMoved(2))
    line.wait(15.1)
    assert line.call.phase is Phase.WITH_HUMAN


# --- the human is gone before ----------------------------------------------------------------


def test_a_human_who_hangs_up_before_the_caller_is_there_is_followed_by_the_next(
    scene: Any,
) -> None:
    line = scene(warm()).screened()
    line.human("pressed", "1")
    assert line.news("completed") == [RingHuman(2, 0, BEN, 20)]
    assert line.call.conversation.farewell.purpose is None
    assert [each.outcome for each in line.call.handoff.attempts] == ["human-gone"]


def test_a_human_who_hangs_up_first_without_a_next_target_returns_the_caller_to_the_agent(
    scene: Any,
) -> None:
    line = scene(warm(targets=(ANNA,))).screened()
    line.human("pressed", "1")
    told = line.news("completed")[0]
    assert "they hung up before you were connected" in told.message.text


def test_a_human_who_hangs_up_while_the_caller_moves_is_followed_by_the_next(scene: Any) -> None:
    line = scene(warm()).closed()
    assert line.news("completed") == [], "they may have met, and then the carrier asks"
    assert line.wait(2.1) == [RingHuman(2, 0, BEN, 20)]
    line(e.CallMoved(2))
    line.placed()
    line.human("answered")
    assert answer(line.human("pressed", "1")) == (JoinRoom("CA1", 2, leg=0),)
    line(e.RoomChanged(2, "started"))
    assert line.call.phase is Phase.WITH_HUMAN


def test_a_caller_alone_in_the_room_is_brought_back(scene: Any) -> None:
    line = scene(warm(targets=(ANNA,))).closed()
    line(e.CallMoved(2))
    line.news("completed")
    line.wait(2.1)
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(3),)
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert line.call.handoff.state is HandoffState.IDLE


def test_a_caller_alone_in_the_room_may_leave_a_message(scene: Any) -> None:
    line = scene(warm(targets=(ANNA,), otherwise="voicemail")).closed()
    line(e.CallMoved(2))
    line.news("completed")
    line.wait(2.1)
    assert isinstance(line.sent(MoveCall)[-1].instructions[0], TakeVoicemail)


def test_a_room_whose_human_was_lost_without_news_is_left_in_the_end(scene: Any) -> None:
    line = scene(warm(targets=(ANNA,))).closed()
    line.call.handoff.legs.over(line.call.handoff.legs.taken)
    line.wait(15.1)
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(3),)


@pytest.mark.parametrize("first", ["the carrier asks", "the human's leg is over"])
def test_a_talk_without_a_start_event_counts_as_a_talk(scene: Any, first: str) -> None:
    line = scene(warm(afterwards="return")).closed()
    line(e.CallMoved(2))
    if first == "the carrier asks":
        assert answer(line.asks(2, "room")) == (Hold(3, prompts.ON_HOLD),)
        line.news("completed")
        assert answer(line.asks(3, "hold")) == (ConnectAgent(4),)
    else:
        line.news("completed")
        assert answer(line.asks(2, "room")) == (ConnectAgent(3),)
    line(e.RoomChanged(1, "started"))
    assert [each.outcome for each in line.call.handoff.attempts] == ["bridged"]


def test_a_room_that_could_not_be_joined_is_tried_again(scene: Any) -> None:
    line = scene(warm()).closed()
    line(e.CallMoved(2))
    assert answer(line.asks(2, "room", "failed")) == (JoinRoom("CA1", 1, 3),)
    assert line.call.handoff.state is HandoffState.BRIDGING


# --- the human hangs up first ----------------------------------------------------------------


def test_when_the_human_hangs_up_the_call_ends(scene: Any) -> None:
    line = scene(warm()).met()
    line.news("completed")
    assert answer(line.asks(2, "room")) == (HangUp(),)
    line(e.CallCompleted())
    assert [each.outcome for each in line.record.handoffs] == ["bridged"]


def test_when_the_human_hangs_up_the_caller_may_return_to_an_informed_agent(scene: Any) -> None:
    line = scene(warm(afterwards="return")).met()
    line.news("completed")
    assert answer(line.asks(2, "room")) == (ConnectAgent(3),)
    line(e.ModelReady("S2"))
    assert "Welcome the caller back" in line.stream("MZ2")[-1].instructions
    assert line.call.handoff.state is HandoffState.IDLE


def test_until_it_is_known_why_the_human_has_left_the_caller_is_on_hold(scene: Any) -> None:
    line = scene(warm()).met()
    assert answer(line.asks(2, "room")) == (Hold(3, prompts.ON_HOLD),)
    assert answer(line.asks(3, "hold")) == (Hold(4, prompts.ON_HOLD),)
    line.news("completed")
    assert answer(line.asks(4, "hold")) == (HangUp(),)


def test_a_missing_room_event_does_not_hold_the_caller(scene: Any) -> None:
    line = scene(warm()).met()
    line.asks(2, "room")
    line.wait(6.1)
    assert line.sent(MoveCall)[-1].instructions == (HangUp(),)


def test_a_question_that_comes_when_it_was_waited_for_long_enough(scene: Any) -> None:
    line = scene(warm()).met()
    line.asks(2, "room")
    line.now += 6.0
    assert answer(line.asks(3, "hold")) == (HangUp(),)


def test_a_carrier_that_sends_no_webhook_gets_a_rest_update(scene: Any) -> None:
    line = scene(warm(afterwards="return")).met()
    line.news("completed")
    line.wait(6.1)
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(3),)


@pytest.mark.parametrize("afterwards", ["return", "hang-up"])
def test_a_talk_that_the_carrier_ends_is_over_at_once(scene: Any, afterwards: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), manner="warm", talk_seconds=600, afterwards=afterwards)
    line = scene(plan).met()
    (room,) = [
        each for move in line.sent(MoveCall) for each in move.instructions if type(each) is JoinRoom
    ]
    assert room.talk_seconds == 600
    line.wait(599.0)
    commands = line.asks(line.call.caller_leg.route.step, "room")
    assert EndLeg("CA-1-0") in commands
    expected = ConnectAgent if afterwards == "return" else HangUp
    assert type(answer(commands)[0]) is expected
    assert line.call.handoff.attempts[-1].outcome == "bridged"


def test_without_giving_back_there_is_nothing_to_wait_for(scene: Any) -> None:
    line = scene(warm(give_back=False)).met()
    assert answer(line.asks(2, "room")) == (HangUp(),)


def test_where_there_is_no_agent_the_call_ends_after_the_human(scene: Any) -> None:
    line = scene(warm(afterwards="return"), fallback="billing").greet()
    line(e.ModelLost("wrong key", "none"))
    line(e.CallMoved(2))
    line.human("answered")
    line.human("pressed", "1")
    assert answer(line.asks(2, "dial", "bridged")) == (HangUp(),)


def test_a_human_whose_leg_ends_after_all_is_over_changes_nothing(scene: Any) -> None:
    line = scene(warm()).met()
    leg = line.call.handoff.legs.taken
    line(e.CallCompleted())
    leg.state = type(leg.state).TAKEN
    assert line.news("completed") == []


def test_with_rest_down_the_caller_hears_music_and_it_is_tried_again(scene: Any) -> None:
    line = scene(warm(targets=(ANNA,))).closed()
    line(e.CallMoved(2))
    line.news("completed")
    line.wait(2.1)
    for _ in range(6):
        line(e.CarrierRefused(3, 500))
        line.wait(5.1)
    assert line.call.phase is Phase.RINGING
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(3),)
    assert len(line.sent(MoveCall)) == 8


def test_what_the_agent_was_about_to_say_is_not_said_before_the_closing_line(scene: Any) -> None:
    line = scene(warm()).accompanied()
    line(e.ResponseStarted("r-comfort"))
    line.human("answered")
    assert CancelResponse("r-comfort") in line.human("pressed", "1")
    assert line.sound("comfort", "r-comfort", 700) == [TruncateItem("comfort", 0)]
    asked = line(e.ResponseEnded("r-comfort", "cancelled"))
    assert "connecting you with billing now" in asked[-1].instructions
    line.say("closing", "r-closing", 800)
    line.now += 0.8
    assert isinstance(line.returned()[-1], MoveCall)


def test_what_was_asked_for_and_begins_after_the_human_accepted_is_not_said(scene: Any) -> None:
    line = scene(warm()).accompanied()
    line.human("answered")
    (comfort,) = line.wait(8.1)
    assert "still trying to reach billing" in comfort.instructions
    line.human("pressed", "1")
    assert line(e.ResponseStarted("r-comfort")) == [CancelResponse("r-comfort")]
    asked = line(e.ResponseEnded("r-comfort", "cancelled"))
    assert "connecting you with billing now" in asked[-1].instructions
    assert not line.sent(MoveCall)


def test_a_caller_who_was_given_up_and_is_there_all_the_same_is_with_the_agent(scene: Any) -> None:
    """The carrier answered neither REST nor the closed stream for some minutes, and asks then."""
    line = scene(warm()).closed()
    line.wait(300.0)
    assert line.call.phase is Phase.ENDED
    assert answer(line.asks(1)) == (ConnectAgent(3),)
    assert answer(line.asks(1)) == (ConnectAgent(3),), "twice"
    assert line.call.phase is Phase.RINGING  # type: ignore[comparison-overlap]
