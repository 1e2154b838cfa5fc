from __future__ import annotations

import pytest

from hookflash import Agent, Cold, Directory, Target
from hookflash.errors import ConfigError
from hookflash_local.demo.handoff_overrides import RING_SECONDS, read_humans, with_overrides
from hookflash_local.demo.scripted_parties import HUMAN_CHOICES, human


def shop() -> Agent:
    agent = Agent("shop", instructions="You answer the phone of a shop.")
    plan = Cold(Target.phone("+15550102"), ring_seconds=30)
    agent.handoff("desk", when="the caller wants a person", plan=plan)
    return agent


def test_humans_are_read_one_after_another() -> None:
    assert read_humans("busy, no-answer,accepts") == ["busy", "no-answer", "accepts"]


def test_what_nobody_can_do_is_said_with_what_can_be_done() -> None:
    with pytest.raises(ConfigError, match="expected answers, accepts, .* got 'dances'"):
        read_humans("busy,dances")


@pytest.mark.parametrize("choice", HUMAN_CHOICES)
def test_each_choice_is_somebody(choice: str) -> None:
    assert human(choice).answer_after >= 0  # type: ignore[arg-type]  # one of the choices


def test_plans_are_tried_in_another_manner_and_with_a_place_for_each_human() -> None:
    agent = shop()
    tried = with_overrides(agent, manner="warm", humans=["busy", "no-answer", "accepts"])
    assert isinstance(tried, Agent)
    (destination,) = tried.destinations
    assert destination.plan.manner == "warm"
    assert len(destination.plan.targets) == 3
    assert destination.plan.ring_seconds == RING_SECONDS
    assert tried.tools == agent.tools
    assert agent.destinations[0].plan.manner == "cold", "the agent itself stays as it is"


def test_a_plan_is_left_alone_where_nothing_else_is_wanted() -> None:
    agent = shop()
    assert with_overrides(agent, manner=None, humans=["busy"]) is agent


def test_a_directory_cannot_be_changed() -> None:
    with pytest.raises(ConfigError, match="need a single agent, got a directory"):
        with_overrides(Directory.of(shop()), manner="warm", humans=["busy"])
