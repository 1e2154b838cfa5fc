"""The plans that authors write: one class a manner, and mistakes that are told in their words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.context import CallContext
from hookflash.agents.load_agent import load_agent
from hookflash.agents.plans import (
    PLANS,
    Cold,
    Consult,
    Plan,
    Queue,
    Refer,
    Warm,
    address_functions,
    handoff_plan,
)
from hookflash.core.handoff_plan import HandoffPlan, Target, queue_target
from hookflash.errors import ConfigError

ANNA, BEN = Target.phone("+15550102"), Target.client("ben")
DESK = Target.sip("sip:desk@example.com")


@pytest.mark.parametrize(
    ("plan", "played"),
    [
        (Cold(ANNA), HandoffPlan(targets=(ANNA,), accept="any-answer")),
        (
            Cold([ANNA, BEN], order="ring", talk_seconds=600, sorry="Sorry."),
            HandoffPlan(
                targets=(ANNA, BEN),
                order="ring",
                accept="any-answer",
                talk_seconds=600,
                sorry="Sorry.",
            ),
        ),
        (
            Warm((ANNA, BEN), notes=True, whisper="{reason}"),
            HandoffPlan(
                targets=(ANNA, BEN), manner="warm", accept="press-1", notes=True, whisper="{reason}"
            ),
        ),
        (Consult(ANNA), HandoffPlan(targets=(ANNA,), manner="consult")),
        (Refer(DESK), HandoffPlan(targets=(DESK,), manner="refer", accept="any-answer")),
        (
            Queue("support", announce_seconds=5, leave_key=""),
            HandoffPlan(
                targets=(queue_target("support"),), queue_announce_seconds=5, queue_leave_key=""
            ),
        ),
        (
            Queue("support", first=[ANNA], ring_seconds=9),
            HandoffPlan(targets=(ANNA, queue_target("support")), ring_seconds=9),
        ),
    ],
)
def test_a_plan_is_played_as_it_says(plan: Plan, played: HandoffPlan) -> None:
    assert handoff_plan(plan) == played


def owner(call: CallContext) -> Target | None:
    return ANNA


def test_a_function_of_the_call_takes_the_place_of_a_target() -> None:
    plan = Warm([owner, BEN])
    assert handoff_plan(plan).targets == (Target("function", "owner"), BEN)
    assert address_functions(plan) == {0: owner}
    assert handoff_plan(Refer(owner)).kinds == {"function"}
    assert address_functions(Queue("support", first=owner)) == {0: owner}
    agent = Agent("shop", instructions="x")
    agent.handoff("desk", when="x", plan=plan)
    assert agent.destinations[0].checked
    assert agent.address_functions == {"desk": {0: owner}}


def test_the_fallback_needs_a_target_that_is_known() -> None:
    agent = Agent("shop", instructions="x", fallback="desk")
    agent.handoff("desk", when="x", plan=Warm(owner))
    with pytest.raises(ConfigError, match="has no target but functions of the call"):
        agent.check()


@pytest.mark.parametrize("kind", PLANS)
def test_each_field_of_a_plan_applies_to_how_the_core_plays_it(kind: type[Plan]) -> None:
    renamed = {"name", "first", "announce_seconds", "leave_key"}
    assert set(kind.__struct_fields__) - renamed <= set(HandoffPlan.__struct_fields__)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Cold("+15550102"), r'^Cold: targets .*Target.phone\("\+15550102"\).*got \'\+15'),
        (lambda: Warm(("+15550102",)), r"^Warm: targets must be .*; the first is '\+15550102'"),
        (lambda: Warm([ANNA, BEN, None]), "the third is None"),
        (lambda: Warm([ANNA, BEN, DESK, 4]), "the 4th is 4"),
        (lambda: Warm([ANNA, lambda: BEN]), "Warm: targets: <lambda> must take one argument"),
        (lambda: Warm(dict), "expected a function of the call.* got the class dict"),
        (lambda: Warm([]), "got an empty list"),
        (lambda: Warm(7), "got 7"),
        (lambda: Cold(queue_target("support")), r"a queue is Queue\('support'\), not a target"),
        (lambda: Cold([ANNA] * 11, order="ring"), "at most 10 targets can ring at once"),
        (lambda: Cold(ANNA, order="round-robin"), "Cold: order must be one of hunt, ring; got"),
        (lambda: Consult(ANNA, ring_seconds=4), "Consult: ring_seconds must be .* 5 to 600"),
        (lambda: Warm(ANNA, whisper="{name}"), r"Warm: whisper has '\{name\}', .*destination"),
        (lambda: Warm(ANNA, holidays=("12-25",)), "Warm: holidays need the time zone"),
        (
            lambda: Cold(Target.phone("+15550102", "12"), accept="human-detected"),
            "Cold: .*not possible with an extension",
        ),
        (lambda: Refer(ANNA), r"Refer: hands the caller to SIP addresses only; expected Target"),
        (lambda: Queue("a/b"), "Queue: expected a workflow SID"),
        (lambda: Queue(ANNA), "Queue: expected a workflow SID"),
        (lambda: Queue("support", first="+15550102"), "Queue: first must be a target"),
        (lambda: Queue("support", leave_key="12"), "Queue: leave_key must be one key"),
    ],
)
def test_a_mistake_says_which_plan_what_was_expected_and_what_came(
    make: Callable[[], Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        make()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Cold(ANNA, give_back=True),  # type: ignore[call-arg]
        lambda: Consult(ANNA, accept_prompt="x"),  # type: ignore[call-arg]
        lambda: Queue("support", talk_seconds=60),  # type: ignore[call-arg]
        lambda: Refer(DESK, talk_seconds=60),  # type: ignore[call-arg]
    ],
)
def test_a_field_of_another_manner_cannot_be_given(wrong: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="Unexpected keyword argument"):
        wrong()


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ('Warm(targets=("+15550102",))', "Warm: targets must be a target such as"),
        ('Warm("+15550102")', "Warm: targets must be a target such as"),
        ('Warm(Target.phone("5550102"))', "Target.phone: expected a number in E.164 form"),
        ("Cold(Target.client('a'), notes=True)", "Unexpected keyword argument 'notes'"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(tmp_path: Path, plan: str, says: str) -> None:
    file = tmp_path / "shop.py"
    file.write_text(
        "from hookflash import Agent, Cold, Target, Warm\n"
        'agent = Agent("shop", instructions="x")\n'
        f'agent.handoff("desk", when="x", plan={plan})\n'
    )
    with pytest.raises(ConfigError) as raised:
        load_agent(str(file))
    assert "shop.py, line 3" in str(raised.value)
    assert says in str(raised.value)
