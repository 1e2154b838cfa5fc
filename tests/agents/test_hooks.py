from __future__ import annotations

import functools
from typing import Any

import pytest

from hookflash import Agent, CallView, Cold, ConfigError, Delivery, Frustration, Target


def make() -> Agent:
    return Agent("shop", instructions="Help.")


async def is_free(target: Target) -> bool:
    return True


async def answer(question: str, call: CallView) -> str:
    return "Yes."


async def policy(call: CallView) -> tuple[str, str] | None:
    return None


def deliver(delivery: Delivery) -> None:
    """Take it."""


async def deliver_async(delivery: Delivery) -> None:
    """Take it."""


class Desk:
    async def __call__(self, target: Target) -> bool:
        return True

    async def is_free(self, target: Target, slowly: bool = False) -> bool:
        return not slowly


def test_an_agent_has_no_hooks_but_those_that_it_is_given() -> None:
    agent = make()
    hooks = (agent.presence_hook, agent.delivery_hook, agent.answer_hook, agent.policies)
    assert hooks == (None, None, None, ())


def test_a_decorated_function_is_registered_and_unchanged() -> None:
    agent = make()
    assert agent.presence(is_free) is is_free is agent.presence_hook
    assert agent.on_delivery(deliver) is deliver is agent.delivery_hook
    assert agent.answers(answer) is answer is agent.answer_hook
    frustration = Frustration("support")
    assert agent.policy(policy) is policy
    assert agent.policy(frustration) is frustration
    assert agent.policies == (policy, frustration)


@pytest.mark.parametrize(
    "hook",
    [is_free, Desk(), Desk().is_free, functools.partial(Desk.is_free, Desk())],
)
def test_whatever_can_be_called_and_awaited_will_do(hook: Any) -> None:
    agent = make()
    agent.presence(hook)
    assert agent.presence_hook is hook


def test_deliveries_may_be_taken_by_either_kind_of_function() -> None:
    make().on_delivery(deliver)
    make().on_delivery(deliver_async)


@pytest.mark.parametrize(
    ("name", "hook", "complaint"),
    [
        ("presence", lambda target: True, "got a function that is not async; write async def"),
        ("presence", "anna", r"expected `async def is_free\(target\) -> bool`, got str"),
        ("presence", answer, "got other parameters"),
        ("on_delivery", lambda: None, "got other parameters"),
        ("answers", policy, "got other parameters"),
        ("policy", deliver, "got a function that is not async"),
        ("policy", "frustration", "@agent.policy expected `async def policy"),
    ],
)
def test_what_cannot_be_called_as_it_must_be_is_refused(
    name: str, hook: Any, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=f"Agent 'shop': @agent.{name}.*{complaint}|{complaint}"):
        getattr(make(), name)(hook)


@pytest.mark.parametrize(
    ("name", "hook"), [("presence", is_free), ("on_delivery", deliver), ("answers", answer)]
)
def test_there_is_one_of_each(name: str, hook: Any) -> None:
    agent = make()
    getattr(agent, name)(hook)
    with pytest.raises(ConfigError, match=f"@agent.{name} was given two functions"):
        getattr(agent, name)(hook)


def test_frustration_must_lead_to_a_destination_of_the_agents() -> None:
    agent = make()
    agent.policy(Frustration("support"))
    with pytest.raises(ConfigError, match=r"Frustration\('support'\) .* \(none\); add agent.hand"):
        agent.check()
    plan = Cold(Target.client("anna"))
    agent.handoff("support", when="anything", plan=plan)
    assert agent.check() is agent
