"""Calls that the simulation found, as the plans that it was shrunk to."""

from __future__ import annotations

from ..plan import Act, Fault, HumanPlan, Order, Plan
from ..play import play

ASKS = (Act("say", "human", 1.0), Act("stay", seconds=40.0))
ACCEPTS = (HumanPlan("accepts", answer_after=3.0, talks_seconds=8.0),)


def broken(plan: Plan, *kinds: str) -> list[str]:
    """Return what a plan breaks, as far as it is of these kinds."""
    return [str(each) for each in play(plan).violations if each.kind in kinds]


def test_a_move_that_was_carried_out_though_rest_broke_off_brings_the_human():
    plan = Plan(seed=1, acts=ASKS, humans=ACCEPTS, faults=(Fault("rest-broken"),))
    assert broken(plan, "outcome", "accepted") == []


def test_a_human_who_meets_the_caller_while_the_process_is_down_is_in_the_record():
    plan = Plan(
        seed=1,
        acts=ASKS,
        humans=ACCEPTS,
        manner="warm",
        accept="any-answer",
        faults=(Fault("kill", 1.5, "bridging"),),
        think_seconds=0.2,
    )
    assert broken(plan, "outcome") == []


def test_a_supervisor_who_calls_a_checked_hand_off_off_leaves_nobody_in_silence():
    plan = Plan(
        seed=1,
        acts=(*ASKS, Act("wait", seconds=5.0)),
        manner="warm",
        asks="slow",
        orders=(Order("cancel", 0.5, "checking"),),
    )
    assert broken(plan, "silence") == []


def test_a_media_stream_that_freezes_is_replaced():
    plan = Plan(
        seed=1,
        acts=(
            Act("say", "What does it cost?", 1.0),
            Act("say", "What does it cost?", 1.0),
            Act("wait", seconds=12.0),
        ),
        faults=(Fault("stream-frozen", 9.0),),
    )
    assert broken(plan, "silence") == []
