from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AddMessage,
    AnswerCarrier,
    Bridge,
    DialHumans,
    EndLeg,
    HangUp,
    JoinRoom,
    Message,
    MoveCall,
    OpenConsult,
    RequestResponse,
    RingHuman,
    Screen,
    Speak,
)
from hookflash.core.handoff.legs import LegState
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


# --- screening --------------------------------------------------------------------------------


def test_the_whisper_has_what_the_caller_said_while_waiting(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.reach()
    line.placed()
    line.speaks("c1")
    line.pauses("c1")
    line(e.CallerTranscribed("c1", "My order number is 4021."))
    (screen,) = answer(line.human("answered"))
    assert screen == Screen(
        1,
        0,
        "Call for billing. A caller whose number ends in 0 1 0 0 is on the line: a refund. x Since"
        " then they said: My order number is 4021. Press 1 to take the call, or 2 to decline it.",
    )
    assert line.call.handoff.state is HandoffState.SCREENING


def test_the_whisper_says_what_the_caller_wants_whoever_asked_for_the_human(scene: Any) -> None:
    line = scene(warm(ANNA))
    line.talk()
    line.speaks("c0")
    line.pauses("c0")
    line(e.CallerTranscribed("c0", "My book came torn."))
    line(e.HandoffRequested("billing", "you take over this call", by="anna"))
    line.placed()
    (screen,) = answer(line.human("answered"))
    assert ': you take over this call. The caller said: "My book came torn".' in screen.text


def test_a_whisper_that_is_repeated_has_what_came_since(scene: Any) -> None:
    line = scene(warm(ANNA)).screened()
    line.speaks("c1")
    line(e.CallerTranscribed("c1", "It is urgent."))
    (screen,) = answer(line.human("pressed", ""))
    assert "It is urgent." in screen.text


def test_a_mailbox_never_presses_a_key(scene: Any) -> None:
    line = scene(warm(ANNA)).screened()
    line.human("pressed", "")
    line.human("pressed", "")
    assert answer(line.human("pressed", "")) == (HangUp(),)
    assert outcomes(line) == [("machine", 0)]


def test_a_wrong_key_is_asked_again(scene: Any) -> None:
    line = scene(warm(ANNA)).screened()
    for _ in range(5):
        (screen,) = answer(line.human("pressed", "7"))
        assert type(screen) is Screen


def test_who_hangs_up_during_the_whisper_has_declined(scene: Any) -> None:
    line = scene(warm()).screened()
    assert line.news("completed") == [RingHuman(2, 0, BEN, 20)]
    assert line.call.handoff.attempts[0].note == ""


def test_a_machine_that_was_detected_is_hung_up_on(scene: Any) -> None:
    line = scene(warm(accept="human-detected"))
    assert line.reach()[0] == RingHuman(1, 0, ANNA, 20, detect=True)
    commands = line.human("answered", by="machine")
    assert commands == [AnswerCarrier((HangUp(),)), RingHuman(2, 0, BEN, 20, detect=True)]
    assert outcomes(line) == [("machine", 0)]


def test_a_human_who_was_detected_hears_the_whisper_and_has_the_call(scene: Any) -> None:
    line = scene(warm(accept="human-detected"))
    line.reach()
    said, joined = answer(line.human("answered", by="human"))
    assert said.text.startswith("Call for billing.")
    assert joined == JoinRoom("CA1", 1, leg=0)


def coming(scene: Any, *targets: Target) -> Any:
    """A human who was detected takes the call and hears first who calls."""
    line = scene(warm(*targets, accept="human-detected")).accompanied()
    line.human("answered", by="human")
    return line


def test_the_caller_stays_with_the_agent_until_the_human_has_heard_who_calls(scene: Any) -> None:
    line = coming(scene)
    (leg,) = line.call.handoff.legs.live
    assert leg.state is LegState.JOINING
    assert line.call.handoff.state is HandoffState.SCREENING
    assert line(e.RoomChanged(1, "joined", "CA-1-7")) == [], "that is somebody else"
    (asked,) = line(e.RoomChanged(1, "joined", "CA-1-0"))
    assert "on the line now" in asked.instructions or asked.tools == "none"
    assert line.call.handoff.state is HandoffState.CLOSING  # type: ignore[comparison-overlap]
    assert line(e.RoomChanged(1, "joined", "CA-1-0")) == [], "twice is once"


def test_news_of_another_room_brings_nobody(scene: Any) -> None:
    line = coming(scene)
    assert line(e.RoomChanged(9, "joined", "CA-1-0")) == []
    assert line(e.RoomChanged(1, "left", "CA-1-0")) == []
    assert line.call.handoff.state is HandoffState.SCREENING


def test_a_human_who_is_coming_is_told_the_same_when_the_carrier_asks_again(scene: Any) -> None:
    line = coming(scene)
    assert answer(line.human("answered", by="human")) == (JoinRoom("CA1", 1, leg=0),)


def test_if_the_news_that_a_human_came_is_lost_they_are_taken_for_there(scene: Any) -> None:
    line = coming(scene)
    text = len(
        "Call for billing. A caller whose number ends in 0 1 0 0 is on the line: a refund. x"
    )
    line.wait(text * 0.09 + 5.9)
    assert line.call.handoff.state is HandoffState.SCREENING
    line.wait(0.2)
    assert line.call.handoff.state is HandoffState.CLOSING  # type: ignore[comparison-overlap]


def test_a_human_who_hangs_up_while_coming_makes_way_for_the_next(scene: Any) -> None:
    line = coming(scene)
    commands = line.news("completed", "completed")
    assert RingHuman(2, 0, BEN, 20, detect=True) in commands
    line.placed()
    line.human("answered", by="unknown")
    line.wait(20.5)
    assert line.call.handoff.state is HandoffState.SCREENING, "they have a time of their own"


def test_a_human_who_leaves_the_room_before_the_news_of_it_makes_way_for_the_next(
    scene: Any,
) -> None:
    line = coming(scene)
    commands = line.human("left") + line.news("completed", "completed") + line.wait(30.0)
    assert RingHuman(2, 0, BEN, 20, detect=True) in commands
    assert outcomes(line)[0][1] == 0


def test_of_a_ring_group_only_one_comes(scene: Any) -> None:
    line = scene(warm(accept="human-detected", order="ring"))
    line.reach()
    for leg in (0, 1):
        line.placed(leg=leg)
    commands = line.human("answered", leg=1, by="human")
    assert EndLeg("CA-1-0") in commands
    assert outcomes(line) == [("cancelled", 0)]


def test_where_it_was_not_found_out_who_answered_a_key_is_asked_for(scene: Any) -> None:
    line = scene(warm(accept="human-detected"))
    line.reach()
    (screen,) = answer(line.human("answered", by="unknown"))
    assert type(screen) is Screen and "Press 1" in screen.text
    assert answer(line.human("answered", by="unknown")) == (screen,), "asked twice"
    assert answer(line.human("pressed", "1")) == (JoinRoom("CA1", 1, leg=0),), "told once"


def test_a_mailbox_that_was_not_found_out_never_has_the_call(scene: Any) -> None:
    line = scene(warm(accept="human-detected"))
    line.reach()
    line.human("answered", by="unknown")
    line.human("pressed")
    line.human("pressed")
    assert line.human("pressed")[-1] == RingHuman(2, 0, BEN, 20, detect=True)
    assert outcomes(line) == [("machine", 0)]


def test_asked_twice_the_answer_is_the_same(scene: Any) -> None:
    line = scene(warm(ANNA)).screened()
    assert answer(line.human("answered")) == answer(line.human("answered"))
    line.human("pressed", "1")
    assert answer(line.human("pressed", "1")) == (JoinRoom("CA1", 1, leg=0),)


def test_a_human_who_does_not_decide_in_time_is_given_up(scene: Any) -> None:
    line = scene(warm(ANNA)).screened()
    assert EndLeg("CA-1-0") in line.wait(60.1)
    assert outcomes(line) == [("machine", 0)]


def test_an_unknown_leg_is_ended(scene: Any) -> None:
    line = scene(warm()).greet()
    assert line(e.LegPlaced(9, 0, "CA9")) == [EndLeg("CA9")]
    assert line(e.LegChanged("CA9", "ringing", 9, None, 0)) == [EndLeg("CA9")]
    assert line(e.LegChanged("CA9", "completed", 9, None, 0)) == []
    assert line(e.LegRefused(9, 0)) == []
    asked = e.HumanAsked(9, 0, "CA9", "answered")
    assert line(asked) == [AnswerCarrier((Speak(prompts.NO_CALLER), HangUp()))]


def test_a_leg_that_was_refused_and_rings_all_the_same_is_ended(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line(e.LegRefused(1, 0))
    assert line(e.LegChanged("CA-late", "ringing", 1, None, 0)) == [EndLeg("CA-late")]
    assert line(e.LegChanged("CA-late", "completed", 1, "cancelled", 0)) == []


def test_a_refusal_of_a_leg_that_rings_is_no_news(scene: Any) -> None:
    line = scene(warm())
    line.reach()
    line.news("ringing")
    assert line(e.LegRefused(1, 0)) == []


# --- cold, screened ---------------------------------------------------------------------------


def dialled(line: Any) -> Any:
    line.leave()
    line(e.CallMoved(2))
    return line


def test_a_cold_hand_off_is_screened_on_the_dialled_leg(scene: Any) -> None:
    line = scene(cold())
    line.leave()
    assert line.sent(MoveCall)[-1].instructions == (DialHumans(2, (ANNA,), 20, None, 1),)
    line(e.LegChanged("CA2", "answered", 2))
    assert line.call.phase is Phase.HANDING_OFF, "answered is not taken"
    (screen,) = answer(line.human("answered"))
    assert screen.text.endswith("Press 1 to take the call, or 2 to decline it.")
    assert answer(line.human("pressed", "1")) == (Bridge(),)
    assert line.call.phase is Phase.WITH_HUMAN  # type: ignore[comparison-overlap]
    assert answer(line.human("pressed", "1")) == (Bridge(),)


def test_a_cold_human_who_declines_is_followed_by_the_next(scene: Any) -> None:
    line = dialled(scene(cold()))
    line.human("answered")
    assert line.human("pressed", "2") == [AnswerCarrier((HangUp(),))]
    assert line.asks(2, "dial", "declined")[-1] == AnswerCarrier(
        (DialHumans(3, (BEN,), 20, None, 2),)
    )
    assert outcomes(line) == [("declined", 0)]


def test_a_cold_leg_that_nobody_picks_up_is_known_by_its_target(scene: Any) -> None:
    line = dialled(scene(cold()))
    line.asks(2, "dial", "no-answer")
    assert outcomes(line) == [("no-answer", 0)]


def test_a_cold_whisper_needs_no_key_where_any_answer_counts(scene: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), whisper="About {reason}.", language="en-GB")
    line = dialled(scene(plan))
    assert answer(line.human("answered")) == (Speak("About a refund.", "en-GB"), Bridge())


def test_two_who_accept_a_cold_call_are_not_both_bridged(scene: Any) -> None:
    line = dialled(scene(cold(order="ring")))
    for leg in (0, 1):
        line.human("answered", leg=leg)
    assert answer(line.human("pressed", "1", leg=0)) == (Bridge(),)
    (waits,) = answer(line.human("pressed", "1", leg=1))
    assert type(waits) is Screen, "the carrier ends this leg when it has bridged the other"


def test_a_dialled_leg_is_asked_for_a_key_where_a_detection_would_come_too_late(
    scene: Any,
) -> None:
    line = dialled(scene(cold(accept="human-detected")))
    assert line.sent(MoveCall)[-1].instructions == (DialHumans(2, (ANNA,), 20, None, 1),)
    (screen,) = answer(line.human("answered"))
    assert type(screen) is Screen
    assert answer(line.human("pressed", "1")) == (Bridge(),)


def test_a_dialled_leg_on_which_a_machine_was_detected_is_not_bridged(scene: Any) -> None:
    line = dialled(scene(cold()))
    assert answer(line.human("answered", by="machine")) == (HangUp(),)
    assert line.asks(2, "dial", "declined")[-1].instructions[0].targets == (BEN,)


def test_a_dialled_leg_is_the_carriers_to_watch(scene: Any) -> None:
    line = dialled(scene(cold()))
    assert line.news("completed", "busy") == []
    assert line.call.handoff.state is HandoffState.MOVING


# --- consult ----------------------------------------------------------------------------------


def test_a_consult_opens_a_call_of_its_own_for_the_human(scene: Any) -> None:
    line = scene(warm(ANNA, manner="consult"))
    line.reach()
    line.placed()
    (opened,) = line.human("answered")
    assert isinstance(opened, OpenConsult)
    assert (opened.leg_sid, opened.destination) == ("CA-1-0", "billing")
    assert opened.briefing.startswith("Call for billing.")


def test_a_consult_that_connects_closes_with_the_caller(scene: Any) -> None:
    line = scene(warm(ANNA, manner="consult"))
    line.reach()
    line.placed()
    line.human("answered")
    commands = line(e.ConsultDecided("CA-1-0", "connect"))
    assert not [each for each in commands if isinstance(each, AnswerCarrier)]
    assert line.call.handoff.state is HandoffState.CLOSING
    assert line(e.ConsultDecided("CA-1-0", "connect")) == [], "twice"


@pytest.mark.parametrize(
    ("decision", "outcome"), [("decline", "declined"), ("voicemail", "machine")]
)
def test_a_consult_that_does_not_connect_goes_on(scene: Any, decision: Any, outcome: str) -> None:
    line = scene(warm(manner="consult"))
    line.reach()
    line.placed()
    line.human("answered")
    ended, rung = line(e.ConsultDecided("CA-1-0", decision, "why"))
    assert (ended, rung) == (EndLeg("CA-1-0"), RingHuman(2, 0, BEN, 20))
    assert outcomes(line) == [(outcome, 0)]
    assert line(e.ConsultDecided("CA-1-0", decision)) == [EndLeg("CA-1-0")]


def test_a_decision_about_a_leg_nobody_knows_ends_that_leg(scene: Any) -> None:
    line = scene(warm()).greet()
    assert line(e.ConsultDecided("CA9", "connect")) == [EndLeg("CA9")]


def test_the_leg_of_a_consult_is_known_for_what_it_does(scene: Any) -> None:
    line = scene(warm(ANNA, manner="consult"))
    line.reach()
    line.human("answered")
    assert line.call.handoff.legs.find(1, 0).state is LegState.ASKED


def test_the_agent_is_told_while_the_next_is_rung(scene: Any) -> None:
    line = scene(warm()).greet()
    told = line(e.HandoffRequested("billing", "x"))[1]
    assert told == AddMessage(Message("system", prompts.ringing(line.call.handoff.destination)))
    assert RequestResponse(tools="none") in line.log


def test_a_caller_who_is_dialled_through_waits_anew_for_who_is_asked(scene: Any) -> None:
    line = dialled(scene(cold()))
    assert line.wait(49.0) == []
    line.human("answered")
    assert line.wait(30.0) == [], "the human hears who calls"
    assert line.call.phase is Phase.HANDING_OFF
    line.wait(60.0)
    assert line.call.phase is Phase.ENDED, "but not for ever"  # type: ignore[comparison-overlap]


def test_who_is_asked_when_the_caller_has_a_human_already_changes_nothing(scene: Any) -> None:
    line = dialled(scene(cold(order="ring")))
    line.human("answered", leg=0)
    line.human("pressed", "1", leg=0)
    assert line.call.phase is Phase.WITH_HUMAN
    before = line.call.deadline
    line.human("answered", leg=1)
    assert line.call.phase is Phase.WITH_HUMAN
    assert line.call.deadline == before
