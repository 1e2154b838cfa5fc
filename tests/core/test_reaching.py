from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    ConnectAgent,
    EndLeg,
    HangUp,
    JoinRoom,
    MoveCall,
    RingHuman,
    Speak,
    TakeVoicemail,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")


def warm(*targets: Target, **plan: Any) -> HandoffPlan:
    return HandoffPlan(targets=targets or (ANNA, BEN), **{"manner": "warm"} | plan)


def cold(**plan: Any) -> HandoffPlan:
    return HandoffPlan(targets=(ANNA, BEN), **{"accept": "press-1"} | plan)


def outcomes(line: Any) -> list[tuple[str, int | None]]:
    return [(each.outcome, each.target) for each in line.call.handoff.attempts]


def answer(commands: list[Any]) -> tuple[Any, ...]:
    (found,) = [each for each in commands if isinstance(each, AnswerCarrier)]
    return found.instructions


# --- ringing one after another ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (e.LegChanged("CA-1-0", "completed", 1, "busy", 0), "busy"),
        (e.LegChanged("CA-1-0", "completed", 1, "no-answer", 0), "no-answer"),
        (e.LegChanged("CA-1-0", "completed", 1, None, 0), "failed"),
        (e.LegRefused(1, 0, 400, 21215, "not permitted"), "refused"),
    ],
)
def test_each_outcome_leads_to_the_next_target(scene: Any, told: Any, outcome: str) -> None:
    line = scene(warm())
    line.reach()
    assert line(told) == [RingHuman(2, 0, BEN, 20)]
    assert outcomes(line) == [(outcome, 0)]
    assert line.call.handoff.state is HandoffState.RINGING
    assert line(told) == [], "once"


def test_a_target_that_rings_for_too_long_is_given_up(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line.placed()
    line.news("ringing")
    commands = line.wait(32.1)
    assert EndLeg("CA-1-0") in commands
    assert RingHuman(2, 0, BEN, 20) in commands
    assert outcomes(line) == [("no-answer", 0)]


def test_when_nobody_is_left_the_agent_says_why_and_goes_on(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.accompanied()
    told, asked = line.news("completed", "busy")
    assert "the line was busy" in told.message.text
    assert "the line was busy" in asked.instructions
    assert line.call.handoff.state is HandoffState.IDLE
    assert line.call.phase is Phase.TALKING


def test_why_somebody_declined_is_told_in_their_words(scene: Any) -> None:
    line = scene(warm(ANNA, manner="consult"))
    line.reach()
    line.placed()
    line.human("answered")
    told = line(e.ConsultDecided("CA-1-0", "decline", "in a meeting until three"))[1]
    assert 'Their words: "in a meeting until three"' in told.message.text


def test_the_carriers_text_about_a_refusal_is_told_to_nobody(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.reach()
    line.say("company", "r-company", 500)
    line.now += 0.5
    line.returned()
    told, asked = line(e.LegRefused(1, 0, 400, 21210, "+15550142 is not yet verified"))
    assert "the call did not go through" in told.message.text
    for text in (told.message.text, asked.instructions, line.call.handoff.attempts[0].note):
        assert "15550142" not in text and "verified" not in text and "words" not in text


def test_when_nobody_is_left_a_number_is_asked_for(scene: Any) -> None:
    line = scene(warm(ANNA, otherwise="callback"))
    line.accompanied()
    told, asked = line.news("completed", "busy")
    assert "schedule_callback" in told.message.text
    assert "On which number may they call you back?" in asked.instructions


def test_when_nobody_is_left_a_message_is_announced_and_taken(scene: Any) -> None:
    line = scene(warm(ANNA, otherwise="voicemail"))
    line.accompanied()
    (asked,) = line.news("completed", "busy")
    assert "Please leave a message for them" in asked.instructions
    line.say("leave", "r-leave", 900)
    line.now += 0.9
    moved = line.returned()[-1]
    assert isinstance(moved, MoveCall)
    assert isinstance(moved.instructions[0], TakeVoicemail)


def test_when_nobody_is_left_the_call_ends_with_the_plans_sentence(scene: Any) -> None:
    line = scene(warm(ANNA, otherwise="hang-up", sorry="We are all out."))
    line.accompanied()
    (asked,) = line.news("completed", "busy")
    assert 'word for word, and nothing else: "We are all out."' in asked.instructions
    line.say("sorry", "r-sorry", 900)
    line.now += 0.9
    assert line.returned()[-1].instructions == (HangUp(),)
    line(e.CallCompleted())
    assert line.record.disposition == "failed"


def test_attempts_and_time_are_bounded(scene: Any) -> None:
    line = scene(warm(ANNA, attempts=3, total_seconds=30))
    line.reach()
    line.news("completed", "busy")
    assert line.call.handoff.wave == 2
    line.now += 31
    line.news("completed", "busy")
    assert line.call.handoff.state is HandoffState.IDLE
    assert len(line.sent(RingHuman)) == 2


def test_a_caller_who_waits_and_hears_nothing_is_told_that_it_still_rings(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.accompanied()
    assert line.wait(7.4) == []
    assert line.fetched == ["ringing"] * 3
    (asked,) = line.wait(0.2)
    assert "I am still trying to reach billing" in asked.instructions
    line.speaks()
    line.pauses()
    assert line.wait(3.0) == [], "not while the caller has something to say"


def test_a_caller_who_speaks_hears_no_ringing_message(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.accompanied()
    line.speaks()
    assert line.wait(9.0) == []


# --- a ring group -----------------------------------------------------------------------------


def test_the_first_to_accept_has_the_call_and_the_others_stop_ringing(scene: Any) -> None:
    line = scene(warm(order="ring"))
    rung = line.reach()[:2]
    assert rung == [RingHuman(1, 0, ANNA, 20), RingHuman(1, 1, BEN, 20)]
    line.placed(leg=0)
    line.placed(leg=1)
    line.human("answered", leg=1)
    commands = line.human("pressed", "1", leg=1)
    assert answer(commands) == (JoinRoom("CA1", 1, leg=1),)
    assert EndLeg("CA-1-0") in commands
    assert outcomes(line) == [("cancelled", 0)]


def test_who_accepts_second_is_thanked(scene: Any) -> None:
    line = scene(warm(order="ring")).accompanied()
    for leg in (0, 1):
        line.placed(leg=leg)
        line.human("answered", leg=leg)
    line.human("pressed", "1", leg=0)
    line.say("closing", "r-closing", 800)
    line.now += 0.8
    line.returned()
    line(e.RoomChanged(1, "started"))
    assert answer(line.human("pressed", "1", leg=1)) == (Speak(prompts.TAKEN), HangUp())


def test_who_accepts_when_the_caller_stays_is_thanked(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line.human("answered")
    line.call.handoff._timer.enter(HandoffState.CLOSING, line.now)
    assert answer(line.human("pressed", "1")) == (Speak(prompts.TAKEN), HangUp())


def test_one_who_declines_does_not_end_a_group(scene: Any) -> None:
    line = scene(warm(order="ring"))
    line.reach()
    line.human("answered", leg=0)
    line.human("answered", leg=1)
    assert line.human("pressed", "2", leg=0) == [AnswerCarrier((HangUp(),))]
    assert line.call.handoff.state is HandoffState.SCREENING, "the other one still listens"
    line.news("completed", leg=1)
    assert line.call.handoff.state is HandoffState.IDLE  # type: ignore[comparison-overlap]
    assert outcomes(line) == [("declined", 0), ("declined", 1)]


def test_a_group_rings_on_when_who_had_answered_declines(scene: Any) -> None:
    line = scene(warm(order="ring"))
    line.reach()
    line.human("answered", leg=0)
    line.human("pressed", "2", leg=0)
    assert line.call.handoff.state is HandoffState.RINGING


# --- the caller is gone -----------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["reach", "screened"])
def test_every_ringing_leg_is_cancelled_when_the_caller_hangs_up(scene: Any, stage: str) -> None:
    line = scene(warm())
    getattr(line, stage)()
    line.placed()
    assert EndLeg("CA-1-0") in line(e.CallCompleted())
    assert line.record.disposition == "abandoned"
    assert line.human("answered") == [AnswerCarrier((Speak(prompts.NO_CALLER), HangUp()))]


def test_a_human_who_accepts_as_the_caller_hangs_up_is_not_bridged(scene: Any) -> None:
    line = scene(warm()).screened()
    line(e.CallCompleted())
    assert answer(line.human("pressed", "1")) == (Speak(prompts.NO_CALLER), HangUp())


# --- the agent is gone ------------------------------------------------------------------------


def test_a_caller_whose_agent_dies_waits_for_the_human_with_music(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line.placed()
    moved = line(e.ModelLost("wrong key", "none"))[-1]
    assert moved == MoveCall(2, (JoinRoom("CA1", 1, 2),), 2.0)
    line(e.CallMoved(2))
    line(e.StreamStopped("MZ1", "stop"))
    line.human("answered")
    assert answer(line.human("pressed", "1")) == (JoinRoom("CA1", 1, leg=0),)
    assert line.call.handoff.state is HandoffState.BRIDGING
    line(e.RoomChanged(1, "started"))
    assert line.call.phase is Phase.WITH_HUMAN


def test_a_caller_who_waits_in_the_room_waits_for_the_next_there_too(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line(e.ModelLost("wrong key", "none"))
    line(e.CallMoved(2))
    assert line.news("completed", "busy") == [RingHuman(2, 0, BEN, 20)]
    assert line.asks(2, "room")[-1] == AnswerCarrier((JoinRoom("CA1", 2, 3),))
    line.news("completed", "busy")
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(4),)
    assert line.call.handoff.state is HandoffState.RETURNING


def test_a_caller_who_waits_in_the_room_of_an_earlier_wave_is_moved_to_the_human(
    scene: Any,
) -> None:
    line = scene(warm())
    line.reach()
    line(e.ModelLost("wrong key", "none"))
    line(e.CallMoved(2))
    line.news("completed", "busy")
    line.placed()
    line.human("answered")
    assert line.human("pressed", "1") == [
        AnswerCarrier((JoinRoom("CA1", 2, leg=0),)),
        CloseModel(),
        MoveCall(3, (JoinRoom("CA1", 2, 3),), 2.0),
    ]
    line(e.CallMoved(3))
    line(e.RoomChanged(2, "started"))
    assert line.call.phase is Phase.WITH_HUMAN


def test_a_caller_who_has_joined_the_room_was_moved_whatever_rest_says(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line(e.ModelLost("wrong key", "none"))
    line(e.RoomChanged(1, "joined", "CA1"))
    assert line(e.CarrierRefused(2, 500)) == []
    line.log.clear()
    line.wait(10.0)
    assert line.sent(MoveCall) == []


def test_a_caller_who_has_joined_the_room_of_an_earlier_wave_is_still_to_be_moved(
    scene: Any,
) -> None:
    line = scene(warm())
    line.reach()
    line(e.ModelLost("wrong key", "none"))
    line(e.CallMoved(2))
    line.news("completed", "busy")
    line.placed()
    line.human("answered")
    line.human("pressed", "1")
    line(e.RoomChanged(1, "joined", "CA1"))
    assert line(e.CarrierRefused(3, 500)) != []
