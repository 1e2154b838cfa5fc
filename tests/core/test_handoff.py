from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.call_info import CallInfo
from hookflash.core.handoff import Handoff
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.setup import CallSetup

from .machines import Somewhere, T, asked_for

ANNA = Target.phone("+15550102")
BEN = Target.sip("sip:ben@example.com")
EVE = Target.client("eve")


def asked(*targets: Target, manner: str = "cold", **plan: Any) -> Handoff:
    return asked_for(HandoffPlan(targets=targets or (ANNA,), **plan), manner=manner)


def waves(handoff: Handoff, now: float = T) -> list[tuple[int, ...]]:
    found = []
    while handoff.has_next_wave(now):
        found.append(tuple(number for number, _ in handoff.next_wave(now)))
    return found


def test_one_is_asked_for_at_a_time() -> None:
    handoff = asked()
    handoff.fire(Trigger.GOODBYE, T)
    assert handoff.request is not None
    assert not handoff.ask(handoff.request)


def test_a_hunt_group_is_rung_one_after_another() -> None:
    assert waves(asked(ANNA, BEN)) == [(0,), (1,)]


def test_a_ring_group_is_rung_at_once() -> None:
    assert waves(asked(ANNA, BEN, order="ring")) == [(0, 1)]


def test_attempts_are_rounds() -> None:
    assert waves(asked(ANNA, BEN, attempts=2)) == [(0,), (1,), (0,), (1,)]


def test_only_who_is_free_is_rung() -> None:
    handoff = asked(ANNA, BEN, EVE)
    handoff.set_targets((2, 0))
    assert waves(handoff) == [(0,), (2,)]
    handoff.set_targets(())
    assert waves(handoff) == []


def test_nobody_is_rung_when_the_time_is_over() -> None:
    handoff = asked(ANNA, BEN, total_seconds=60)
    assert handoff.has_next_wave(T + 59.9)
    assert not handoff.has_next_wave(T + 60)


def test_a_wave_has_its_time_and_no_more_than_is_left() -> None:
    handoff = asked(ANNA, BEN, manner="warm", ring_seconds=20, total_seconds=60)
    handoff.fire(Trigger.REACH, T)
    assert handoff.next_wave(T) == ((0, ANNA),)
    assert (handoff.wave, handoff.ring_until) == (1, T + 60), "it may wait at the carrier"
    handoff.rang(T + 25)
    assert handoff.ring_until == T + 45
    handoff.rang(T + 30)
    assert handoff.ring_until == T + 45, "once"
    handoff.next_wave(T + 50)
    handoff.rang(T + 51)
    assert (handoff.wave, handoff.ring_until) == (2, T + 60)


def test_the_number_that_was_dialled_is_not_rung() -> None:
    handoff = asked(ANNA, BEN)
    handoff.info.called = ANNA.address
    handoff.set_targets(None)
    assert waves(handoff) == [(1,)]


def test_the_time_to_the_human_is_measured_from_the_wish() -> None:
    handoff = asked()
    handoff.fire(Trigger.GOODBYE, T)
    handoff.fire(Trigger.MOVE, T)
    handoff.next_wave(T + 3)
    assert handoff.bridged(T + 12)
    assert not handoff.bridged(T + 13), "once"
    handoff.record_attempt("bridged", T + 90, target=0)
    (attempt,) = handoff.attempts
    assert (attempt.outcome, attempt.seconds_to_human, attempt.target) == ("bridged", 12.0, 0)
    assert attempt.started_at == T + 3


def test_an_attempt_names_its_target_where_only_one_was_rung() -> None:
    handoff = asked(ANNA, BEN)
    handoff.record_attempt("cancelled", T + 1)
    handoff.next_wave(T + 2)
    handoff.next_wave(T + 3)
    handoff.record_attempt("busy", T + 4)
    group = asked(ANNA, BEN, order="ring")
    group.next_wave(T)
    group.record_attempt("no-answer", T + 20)
    named = [each.target for each in (*handoff.attempts, *group.attempts)]
    assert named == [None, 1, None]


def test_an_outcome_other_than_a_talk_has_no_time_to_the_human() -> None:
    handoff = asked()
    handoff.record_attempt("declined", T + 9, note="in a meeting")
    assert handoff.attempts[0].seconds_to_human is None
    assert handoff.attempts[0].note == "in a meeting"


@pytest.mark.parametrize("manner", ["warm", "consult"])
def test_the_caller_stays_in_two_manners(manner: str) -> None:
    handoff = asked(manner=manner)
    assert handoff.stays and not handoff.reaching
    handoff.fire(Trigger.REACH, T)
    assert handoff.reaching
    handoff.make_cold()
    assert not handoff.stays and not handoff.reaching


def test_without_a_request_nobody_stays() -> None:
    handoff = Handoff(CallSetup(), CallInfo(), Somewhere())
    assert not handoff.stays
    assert handoff.state is HandoffState.IDLE
