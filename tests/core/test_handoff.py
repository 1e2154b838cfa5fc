from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.commands import DialHumans, JoinQueue
from hookflash.core.handoff import Handoff, Request, State
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target

T = 1000.0
ANNA, BEN = Target.phone("+15550102"), Target.sip("sip:ben@example.com")


def asked(*targets: Target, **plan: Any) -> Handoff:
    handoff = Handoff()
    request = Request(
        destination=Destination(
            key="billing", when="", plan=HandoffPlan(targets=targets or (ANNA,), **plan)
        ),
        reason="a refund",
        summary="an invoice is wrong",
        source="tool",
        asked_at=T,
    )
    assert handoff.ask(request)
    assert not handoff.ask(request), "one is on the way"
    return handoff


def rung(*targets: Target, **plan: Any) -> Handoff:
    handoff = asked(*targets, **plan)
    handoff.ring(2, T + 3)
    return handoff


def test_targets_are_hunted_one_after_another() -> None:
    handoff = asked(ANNA, BEN)
    assert handoff.ring(2, T) == DialHumans(2, (ANNA,), 20)
    assert handoff.ended("busy", T) == "next-target"
    assert handoff.ring(3, T) == DialHumans(3, (BEN,), 20)
    assert handoff.ended("busy", T) == "return"
    assert handoff.state is State.RETURNING
    handoff.returned()
    assert handoff.state is State.IDLE


def test_targets_are_rung_all_at_once() -> None:
    handoff = asked(ANNA, BEN, order="ring")
    assert handoff.ring(2, T) == DialHumans(2, (ANNA, BEN), 20)
    assert handoff.ended("no-answer", T) == "return"


def test_a_queue_is_joined() -> None:
    desk = Target.queue("support")
    about = {"destination": "billing", "reason": "a refund", "summary": "an invoice is wrong"}
    assert asked(desk).ring(2, T) == JoinQueue(2, desk, about)


def test_ringing_and_answered_are_news_once() -> None:
    handoff = rung()
    handoff.ringing()
    assert handoff.state is State.RINGING
    assert handoff.answered(T + 9)
    assert not handoff.answered(T + 10)
    handoff.ringing()
    assert handoff.state is State.WITH_HUMAN


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "declined", "failed", "canceled"])
@pytest.mark.parametrize(("otherwise", "then"), [("return", "return"), ("hang-up", "sorry")])
def test_each_failure_has_one_next_step(outcome: Any, otherwise: str, then: str) -> None:
    handoff = rung(otherwise=otherwise)
    assert handoff.ended(outcome, T + 9) == then
    (attempt,) = handoff.attempts
    assert (attempt.outcome, attempt.started_at, attempt.seconds_to_human) == (outcome, T + 3, None)


@pytest.mark.parametrize(
    ("afterwards", "then", "state"),
    [("return", "return", State.RETURNING), ("hang-up", "hang-up", State.DONE)],
)
def test_a_human_who_is_done_has_one_next_step(afterwards: str, then: str, state: State) -> None:
    handoff = rung(ANNA, BEN, afterwards=afterwards)
    handoff.answered(T + 9)
    assert handoff.ended("bridged", T + 60) == then
    assert handoff.state is state
    assert handoff.attempts[0].seconds_to_human == 9


def test_an_answered_leg_that_was_never_bridged_was_no_conversation() -> None:
    handoff = rung()
    handoff.answered(T + 9)
    assert handoff.ended("declined", T + 12) == "return"
    assert handoff.attempts[0].seconds_to_human is None


def test_without_news_of_the_leg_the_time_to_human_is_that_of_the_outcome() -> None:
    handoff = rung()
    handoff.ended("bridged", T + 60)
    assert handoff.attempts[0].seconds_to_human == 60


def test_nobody_else_is_rung_for_a_caller_who_is_gone() -> None:
    assert rung(ANNA, BEN).ended("caller-gone", T) == "sorry"


def test_a_cancelled_hand_off_may_be_asked_for_again() -> None:
    handoff = asked()
    handoff.cancel(T + 1)
    assert handoff.state is State.IDLE
    assert handoff.attempts[0].outcome == "cancelled"
    assert not handoff.running


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_who_leaves_has_one_outcome(answered: bool) -> None:
    handoff = rung()
    if answered:
        handoff.answered(T + 9)
    handoff.abandon(T + 20)
    handoff.abandon(T + 21)
    (attempt,) = handoff.attempts
    assert attempt.outcome == ("bridged" if answered else "caller-gone")
    assert attempt.seconds_to_human == (9 if answered else None)
    assert not handoff.running
