"""Numbers that the owner does not permit are not dialled, whoever asks for the human."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    CheckTargets,
    DialHumans,
    MoveCall,
    RefuseTarget,
    RingHuman,
    SendToolOutput,
)
from hookflash.core.handoff.ring_order import refused_targets
from hookflash.core.handoff.starting import NOT_PERMITTED
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target

HOME, ABROAD = Target.phone("+15550102"), Target.phone("+239555010")
DESK = Target.sip("sip:desk@example.com")
ONLY_HOME = ("+1", "+44")


def plan(*targets: Target, **more: Any) -> HandoffPlan:
    return HandoffPlan(targets=targets, **more)


@pytest.mark.parametrize(
    ("prefixes", "refused"),
    [((), ()), (("+1",), (1,)), (("+1555010", "+239"), ()), (("+49",), (0, 1))],
)
def test_a_telephone_number_needs_a_prefix_and_other_addresses_do_not(
    prefixes: tuple[str, ...], refused: tuple[int, ...]
) -> None:
    targets = (HOME, ABROAD, DESK, Target.client("anna"), queue_target("support"))
    assert refused_targets(plan(*targets), prefixes) == refused


def test_a_target_that_is_not_permitted_is_left_out_and_the_next_one_is_rung(scene: Any) -> None:
    line = scene(plan(ABROAD, HOME, manner="warm"), dial_prefixes=ONLY_HOME)
    line.reach()
    assert line.sent(RefuseTarget) == [RefuseTarget("billing", 0)]
    assert [each.target for each in line.sent(RingHuman)] == [HOME]


def test_so_it_is_where_the_callers_own_leg_dials(scene: Any) -> None:
    line = scene(plan(ABROAD, HOME, order="ring"), dial_prefixes=ONLY_HOME)
    line.leave()
    (move,) = line.sent(MoveCall)
    (dialled,) = move.instructions
    assert isinstance(dialled, DialHumans)
    assert dialled.targets == (HOME,)


@pytest.mark.parametrize("manner", ["cold", "warm", "consult"])
def test_if_no_target_is_permitted_the_agent_keeps_the_caller_and_the_record_says_why(
    scene: Any, manner: str
) -> None:
    line = scene(plan(ABROAD, manner=manner), dial_prefixes=ONLY_HOME)
    line.reach()
    assert line.sent(RingHuman) == []
    assert line.sent(MoveCall) == []
    assert not line.call.handoff.running
    (told,) = line.sent(SendToolOutput)
    assert '"status":"closed"' in told.output
    (attempt,) = line.call.handoff.attempts
    assert (attempt.outcome, attempt.note) == ("closed", NOT_PERMITTED)


def test_a_supervisor_cannot_have_another_number_dialled(scene: Any) -> None:
    line = scene(plan(HOME, manner="warm"), dial_prefixes=ONLY_HOME).greet()
    mine = plan(ABROAD, manner="warm")
    line(e.HandoffRequested("anna", "mine", source="console", plan=mine, by="anna"))
    assert line.sent(RefuseTarget) == [RefuseTarget("anna", 0)]
    assert line.sent(RingHuman) == []


def test_the_fallback_of_a_lost_model_is_not_dialled_either(scene: Any) -> None:
    line = scene(plan(ABROAD), dial_prefixes=ONLY_HOME, fallback="billing", model_attempts=1)
    line.arrive()
    line.stream()
    for _ in range(5):
        line(e.ModelLost("gone", "none"))
        line.wait(30.0)
    assert line.sent(RefuseTarget) == [RefuseTarget("billing", 0)]
    moved = [each for sent in line.sent(MoveCall) for each in sent.instructions]
    answered = [each for sent in line.sent(AnswerCarrier) for each in sent.instructions]
    assert not [each for each in moved + answered if isinstance(each, DialHumans)]
    assert moved, "the caller hears the apology"


def test_a_target_that_is_free_and_not_permitted_is_not_rung(scene: Any) -> None:
    checked = Destination(
        key="billing", when="", plan=plan(ABROAD, HOME, manner="warm"), checked=True
    )
    line = scene(destinations=(checked,), dial_prefixes=ONLY_HOME)
    line.reach()
    (check,) = line.sent(CheckTargets)
    line(e.TargetsChecked(check.check, free=(0,)))
    assert line.sent(RingHuman) == []
    (attempt,) = line.call.handoff.attempts
    assert attempt.note == NOT_PERMITTED


ASKED = Target("function", "account_owner")


def test_a_computed_target_is_rung_in_its_place_and_refused_if_no_prefix_permits_it(
    scene: Any,
) -> None:
    destination = Destination(
        key="billing", when="", plan=plan(ASKED, HOME, ABROAD, manner="warm"), checked=True
    )
    line = scene(destinations=(destination,), dial_prefixes=ONLY_HOME)
    line.reach()
    assert line.sent(RingHuman) == []
    assert line.sent(RefuseTarget) == [RefuseTarget("billing", 2)]
    line(e.TargetsChecked(1, targets=(ABROAD, HOME, ABROAD)))
    assert line.sent(RefuseTarget) == [RefuseTarget("billing", 2), RefuseTarget("billing", 0)]
    assert [each.target for each in line.sent(RingHuman)] == [HOME]


def test_a_computed_target_is_the_first_to_be_rung(scene: Any) -> None:
    destination = Destination(
        key="billing", when="", plan=plan(ASKED, HOME, manner="warm"), checked=True
    )
    line = scene(destinations=(destination,))
    line.reach()
    line(e.TargetsChecked(1, targets=(DESK, HOME)))
    assert [each.target for each in line.sent(RingHuman)] == [DESK]
    assert line.call.setup.destinations == (destination,), "the next request computes anew"


def test_a_target_that_is_not_known_in_time_is_left_out(scene: Any) -> None:
    destination = Destination(
        key="billing", when="", plan=plan(ASKED, HOME, manner="warm"), checked=True
    )
    line = scene(destinations=(destination,))
    line.reach()
    line.wait(2.1)
    assert [each.target for each in line.sent(RingHuman)] == [HOME]


def test_if_nobody_is_computed_the_agent_says_that_nobody_is_free(scene: Any) -> None:
    destination = Destination(key="billing", when="", plan=plan(ASKED, manner="warm"), checked=True)
    line = scene(destinations=(destination,))
    line.reach()
    line(e.TargetsChecked(1, targets=(ASKED,)))
    (told,) = line.sent(SendToolOutput)
    assert '"status":"closed"' in told.output
    assert line.sent(RingHuman) == []
