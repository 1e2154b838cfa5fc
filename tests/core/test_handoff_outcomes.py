"""What each outcome of a hand-off leads to."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    ConnectAgent,
    DialHumans,
    HangUp,
    JoinQueue,
    KeepInQueue,
    LeaveQueue,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
)
from hookflash.core.handoff.handoff import Request
from hookflash.core.handoff.states import Trigger
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target
from hookflash.core.phases import Phase

ANNA = Target.phone("+15550102")
BEN = Target.sip("sip:ben@example.com")
DESK = queue_target("support")
BILLING = Destination(key="billing", when="", plan=HandoffPlan(targets=(ANNA,)))


def dial(step: int, *targets: Target) -> tuple[DialHumans]:
    return (DialHumans(step, targets or (ANNA,), 20),)


# --- what comes of it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ("busy", "the line was busy"),
        ("no-answer", "nobody answered"),
        ("declined", "they could not take the call"),
        (None, "the call did not go through"),
    ],
)
def test_a_human_who_is_not_reached_brings_the_caller_back_with_the_reason_and_memory(
    scene: Any, outcome: str | None, why: str
) -> None:
    line = scene().moved()
    opened, answer = line.asks(2, "dial", outcome, "CA2")
    assert answer == AnswerCarrier((ConnectAgent(3),))
    assert opened.history == (
        Message("assistant", "Hello."),
        Message("assistant", "One moment."),
        Message(
            "system",
            f"You tried to connect the caller with billing, but {why}."
            " The caller is back with you.",
        ),
    )
    line(e.ModelReady("S2"))
    (_, asked) = line.stream("MZ2")
    assert why in asked.instructions
    assert line.call.phase is Phase.TALKING
    (attempt,) = line.call.handoff.attempts
    assert attempt.outcome == (outcome or "failed")


def test_the_answer_to_an_outcome_is_the_same_when_the_webhook_comes_twice(scene: Any) -> None:
    line = scene().moved()
    answer = line.asks(2, "dial", "busy", "CA2")[-1]
    assert line.asks(2, "dial", "busy", "CA2") == [answer]
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert line.asks(2, "dial", "busy", "CA2") == [answer], "even when it comes late"
    assert line.asks(1) == [answer], "and what was never asked is told what is in force"
    assert line.call.phase is Phase.TALKING
    assert len(line.call.handoff.attempts) == 1


def test_a_late_webhook_always_gets_the_same_answer(scene: Any) -> None:
    line = scene().moved()
    assert line.asks(1) == [AnswerCarrier(dial(2))]
    line.asks(2, "dial", "busy", "CA2")
    assert line.asks(1) == [AnswerCarrier(dial(2))]


def test_a_late_event_of_a_leg_does_not_take_the_caller_from_the_agent(scene: Any) -> None:
    line = scene().moved()
    line.asks(2, "dial", "no-answer")
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert line(e.LegChanged("CA2", "answered", 2)) == []
    assert line(e.LegChanged("CA2", "completed", 2, "no-answer")) == []
    assert line.call.phase is Phase.TALKING


def test_a_repeated_event_of_a_leg_has_no_effect(scene: Any) -> None:
    line = scene().moved()
    line(e.LegChanged("CA2", "initiated", 2))
    line(e.LegChanged("CA2", "answered", 2))
    first = line.call.handoff.human_at
    line.now += 5
    line(e.LegChanged("CA2", "ringing", 2))
    line(e.LegChanged("CA2", "answered", 2))
    assert line.call.handoff.human_at == first


def test_a_hunt_goes_on_to_the_next_target(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA, BEN))).moved()
    assert line.asks(2, "dial", "busy") == [CloseModel(), AnswerCarrier(dial(3, BEN))]
    line(e.LegChanged("CA3", "answered", 3))
    assert line.asks(3, "dial", "bridged", "CA3")[-1] == AnswerCarrier((HangUp(),))
    kept = [(each.outcome, each.target) for each in line.call.handoff.attempts]
    assert kept == [("busy", 0), ("bridged", 1)]


def test_a_human_who_answers_and_declines_is_followed_by_the_next(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA, BEN))).moved()
    line(e.LegChanged("CA2", "answered", 2))
    assert line.asks(2, "dial", "declined", "CA2")[-1] == AnswerCarrier(dial(3, BEN))
    assert line.call.phase is Phase.HANDING_OFF


def test_a_group_is_rung_all_at_once(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA, BEN), order="ring"))
    assert line.leave() == [CloseModel(), MoveCall(2, dial(2, ANNA, BEN), 2.0)]
    assert type(line.asks(2, "dial", "no-answer")[0]) is OpenModel


def test_a_queue_is_told_what_the_caller_wants(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(DESK,)))
    (_, move) = line.leave()
    about = {"call_sid": "CA1", "destination": "billing", "reason": "a refund", "summary": "x"}
    assert move.instructions == (JoinQueue(2, DESK, about),)
    line(e.CallMoved(2))
    assert line.wait(3600) == [], "a queue may take its time"
    line.asks(2, "queue", "bridged")
    assert line.call.handoff.attempts[0].seconds_to_human is not None


def test_the_plans_caller_id_is_shown(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), caller_id="+15550109"))
    (_, move) = line.leave()
    assert move.instructions == (DialHumans(2, (ANNA,), 20, "+15550109"),)


def test_a_call_that_came_to_no_number_shows_the_carriers_default(scene: Any) -> None:
    line = scene()
    line(e.CallArrived("CA1", "client:anna", "client:line"))
    line(e.ModelReady("S1"))
    line.stream()
    line(e.HandoffRequested("billing", ""))
    (_, move) = line.wait(8.1)
    assert move.instructions == (DialHumans(2, (ANNA,), 20, None),)


def test_when_nobody_is_reached_a_plan_may_end_the_call(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), otherwise="hang-up", sorry="Sorry.")).moved()
    close, answer = line.asks(2, "dial", "busy")
    assert (close, answer) == (CloseModel(), AnswerCarrier((Speak("Sorry."), HangUp())))
    line(e.CallCompleted())
    assert line.record.disposition == "failed"


def test_a_human_who_hangs_up_first_ends_the_call(scene: Any) -> None:
    line = scene().moved()
    line.now += 4.0
    line(e.LegChanged("CA2", "answered", 2))
    line.now += 60
    assert line.asks(2, "dial", "bridged", "CA2") == [CloseModel(), AnswerCarrier((HangUp(),))]
    assert line.asks(2, "dial", "bridged", "CA2") == [AnswerCarrier((HangUp(),))]
    assert line.asks(3, "dial", "bridged", "CA2") == [AnswerCarrier((HangUp(),))]
    line(e.CallCompleted())
    assert line.record.disposition == "handed_off"
    assert line.record.handoffs[0].seconds_to_human == pytest.approx(5.0, abs=0.1)


def test_a_human_who_hangs_up_first_may_leave_the_caller_to_the_agent(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), afterwards="return")).moved()
    opened, answer = line.asks(2, "dial", "bridged", "CA2")
    assert answer == AnswerCarrier((ConnectAgent(3),))
    assert "has spoken with billing" in opened.history[-1].text
    line(e.ModelReady("S2"))
    (_, asked) = line.stream("MZ2")
    assert "You are back with me" in asked.instructions
    assert line.transfer(call_id="t2") != []
    assert line.call.handoff.running, "and another hand-off is possible"


def test_a_caller_who_gives_up_while_it_rings_has_abandoned(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA, BEN), otherwise="hang-up")).moved()
    close, stored, answer = line.asks(2, "dial", "caller-gone")
    assert (close, answer) == (CloseModel(), AnswerCarrier((HangUp(),)))
    assert stored.record.disposition == "abandoned"
    assert [each.outcome for each in stored.record.handoffs] == ["caller-gone"]
    assert line(e.CallCompleted()) == []


@pytest.mark.parametrize("first", [[], [e.CallCompleted()]])
def test_a_caller_who_gives_up_as_a_human_answers_has_met_nobody(
    scene: Any, first: list[e.AnyEvent]
) -> None:
    """The leg was answered; only the question after the dial says that nobody was bridged."""
    line = scene().moved()
    line(e.LegChanged("CA2", "answered", 2))
    for event in first:
        line(event)
    line.asks(2, "dial", "caller-gone")
    assert [(each.outcome, each.seconds_to_human) for each in line.record.handoffs] == [
        ("caller-gone", None)
    ]
    assert line.record.disposition == "abandoned"
    line.log.clear()
    line.asks(2, "dial", "caller-gone")
    assert line.sent(StoreRecord) == [], "the second time changes nothing"


def test_a_caller_who_leaves_a_human_was_handed_off(scene: Any) -> None:
    line = scene().moved()
    line(e.LegChanged("CA2", "answered", 2))
    line(e.CallCompleted())
    assert line.record.disposition == "handed_off"
    assert line.asks(2, "dial", "bridged") == [AnswerCarrier((HangUp(),))]


def test_a_hand_off_without_a_webhook_in_time_ends_the_call(scene: Any) -> None:
    line = scene().moved()
    assert line.wait(49.9) == []
    assert [type(each) for each in line.wait(0.2)] == [CloseModel, StoreRecord]


def test_a_late_webhook_after_that_connects_the_agent(scene: Any) -> None:
    line = scene().moved()
    line.wait(51)
    opened, answer = line.asks(2, "dial", "no-answer")
    assert (type(opened), answer) == (OpenModel, AnswerCarrier((ConnectAgent(3),)))


def test_requests_for_humans_are_heard_only_while_talking(scene: Any) -> None:
    line = scene()
    line.arrive()
    assert line(e.HandoffRequested("billing", "")) == []
    line(e.ModelReady("S1"))
    line.stream()
    assert line(e.HandoffRequested("mars", "")) == []
    assert line(e.HandoffRequested("billing", "")) == [], "the greeting is still owed"
    assert line(e.HandoffRequested("billing", "")) == []
    line.wait(8.1)
    assert line(e.HandoffRequested("billing", "")) == []


def test_a_request_without_a_stream_is_followed_when_the_carrier_asks(scene: Any) -> None:
    line = scene().greet()
    line(e.StreamStopped("MZ1"))
    assert line(e.HandoffRequested("billing", "")) == []
    assert line.asks(1) == [CloseModel(), AnswerCarrier(dial(2))]


def test_a_hand_off_that_is_still_rung_is_not_begun_again(scene: Any) -> None:
    line = scene().greet()
    request = Request(destination=BILLING, reason="", summary="", source="policy", asked_at=0.0)
    line.call.handoff.ask(request)
    line.call.handoff.fire(Trigger.GOODBYE, line.now)
    assert line(e.HandoffRequested("billing", "")) == []


# --- a queue, while it is waited in -----------------------------------------------------------


def in_queue(scene: Any, **plan: Any) -> Any:
    return scene(HandoffPlan(targets=(DESK,), **plan)).moved()


def test_a_caller_in_a_queue_hears_their_place_and_the_way_out(scene: Any) -> None:
    line = in_queue(scene, queue_announce_seconds=45, language="en-GB")
    (told,) = line(e.QueueAsked(2, position=3, average_seconds=100))[0].instructions
    assert told == KeepInQueue(
        2,
        "You are number 3 in the queue. The wait is about 5 minutes."
        " To go back to the assistant, press 1.",
        45,
        "en-GB",
    )


def test_a_question_about_a_queue_proves_that_the_caller_is_in_it(scene: Any) -> None:
    """The carrier has moved the caller, and its answer to the move is late or lost."""
    line = scene(HandoffPlan(targets=(DESK,)))
    line.leave()
    line(e.QueueAsked(2, 1))
    line(e.StreamStopped("MZ1", "stop"))
    assert line.wait(2.0) == []
    assert line(e.CarrierRefused(2, 0)) == []
    assert line.wait(3600.0) == [], "a queue may take its time"
    assert line.call.phase is Phase.HANDING_OFF


def test_the_key_leads_out_of_the_queue_and_back_to_the_agent(scene: Any) -> None:
    line = in_queue(scene)
    assert line(e.QueueAsked(2, 3, digit="1")) == [AnswerCarrier((LeaveQueue(),))]
    assert line.asks(2, "queue", "no-answer")[-1] == AnswerCarrier((ConnectAgent(3),))


def test_waiting_in_a_queue_has_a_limit(scene: Any) -> None:
    line = in_queue(scene, total_seconds=60)
    line.now += 61
    assert line(e.QueueAsked(2, 3)) == [AnswerCarrier((LeaveQueue(),))]


def test_a_queue_that_was_left_long_ago_is_left(scene: Any) -> None:
    assert scene().greet()(e.QueueAsked(1, 3)) == [AnswerCarrier((LeaveQueue(),))]
    assert in_queue(scene)(e.QueueAsked(1, 3)) == [AnswerCarrier((LeaveQueue(),))]


def test_a_caller_taken_from_a_queue_is_handed_off_in_any_order_of_events(
    scene: Any,
) -> None:
    line = in_queue(scene)
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"
    stored, answered = line.asks(2, "queue", "bridged")
    assert stored.record.disposition == "handed_off"
    assert answered == AnswerCarrier((HangUp(),))
    assert line.asks(2, "queue", "bridged") == [AnswerCarrier((HangUp(),))]


def test_a_caller_about_whom_the_queue_asks_no_more_was_taken_from_it(scene: Any) -> None:
    """Nobody tells of it: the carrier's last question may find no process that takes it."""
    line = in_queue(scene)
    line(e.QueueAsked(2, 1))
    line.now += 60.0
    line(e.CallCompleted())
    assert line.record.disposition == "handed_off"
    (attempt,) = line.record.handoffs
    assert (attempt.outcome, attempt.seconds_to_human) == ("bridged", None)


@pytest.mark.parametrize("asks", ["in time", "never", "before a restart"])
def test_a_caller_of_whom_it_is_not_known_was_not_taken_from_the_queue(
    scene: Any, asks: str
) -> None:
    line = in_queue(scene)
    if asks != "never":
        line(e.QueueAsked(2, 1))
    line.now += 40.0
    if asks == "before a restart":
        line(e.CallRecovered())
        line.now += 60.0
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"


def test_who_is_given_back_by_a_human_of_a_queue_had_that_human(scene: Any) -> None:
    """The carrier says so when they have been moved already."""
    line = in_queue(scene)
    line(e.QueueAsked(2, 1))
    line.now += 20.0
    line(e.GiveBackRequested(by="Kim"))
    known, wanted = prompts.fetched_from_queue(BILLING)
    assert line.sent(OpenModel)[-1].history[-1] == Message("system", known)
    assert line.call.handoff.attempts[-1].outcome == "cancelled"
    connect = line.sent(MoveCall)[-1].instructions
    assert line.asks(2, "queue", "bridged") == [AnswerCarrier(connect)]
    line(e.ModelReady("S2"))
    assert RequestResponse(wanted) in line.stream("MZ2")
    line(e.CallCompleted())
    assert len(line.sent(StoreRecord)) == 1, "a call that goes on has no record yet"
    assert line.record.disposition == "handed_off"
    assert [each.outcome for each in line.record.handoffs] == ["bridged"]


def test_who_is_given_back_long_after_the_queue_asked_had_a_human(scene: Any) -> None:
    line = in_queue(scene)
    line(e.QueueAsked(2, 1))
    line.now += 60.0
    line(e.GiveBackRequested(by="Kim"))
    known, _ = prompts.after_human(BILLING)
    assert line.sent(OpenModel)[-1].history[-1] == Message("system", known)
    assert line.call.handoff.attempts[-1].outcome == "bridged"


def test_a_late_event_of_a_bridge_belongs_to_its_own_hand_off(scene: Any) -> None:
    line = in_queue(scene)
    line(e.GiveBackRequested(by="Kim"))
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line(e.HandoffRequested("billing", "once more"))
    line(e.CallCompleted())
    assert [each.outcome for each in line.record.handoffs] == ["cancelled", "caller-gone"]
    line.asks(2, "queue", "bridged")
    assert [each.outcome for each in line.record.handoffs] == ["bridged", "caller-gone"]
    assert line.record.disposition == "handed_off"


def test_a_dialled_human_of_whom_nothing_was_told_had_the_caller_who_is_given_back(
    scene: Any,
) -> None:
    line = scene().moved()
    line(e.GiveBackRequested(by="Kim"))
    line.asks(2, "dial", "bridged", "CA2")
    line(e.CallCompleted())
    assert [each.outcome for each in line.record.handoffs] == ["bridged"]
