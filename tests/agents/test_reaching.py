"""An agent's ways to a human: the key, the hook that knows who is free, and when it is asked."""

from __future__ import annotations

import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.plans import Cold
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError

ANNA = (Target.client("anna"),)


def make(*keys: str, **options: object) -> Agent:
    agent = Agent("desk", instructions="x", **options)
    for key in keys:
        agent.handoff(key, when="x", plan=Cold(ANNA))
    return agent


async def is_free(target: Target) -> bool:
    return True


def test_without_a_key_none_is_listened_to() -> None:
    setup = make("sales").call_setup()
    assert (setup.key_to_human, setup.key_destination) == (None, None)


@pytest.mark.parametrize(
    ("keys", "options", "leads_to"),
    [
        (("sales", "desk"), {"key_destination": "desk", "fallback": "sales"}, "desk"),
        (("sales", "desk"), {"fallback": "desk"}, "desk"),
        (("sales",), {}, "sales"),
    ],
)
def test_the_key_leads_where_it_was_said_or_where_it_can(keys, options, leads_to: str) -> None:
    setup = make(*keys, key_to_human="0", **options).call_setup()
    assert (setup.key_to_human, setup.key_destination) == ("0", leads_to)


@pytest.mark.parametrize("keys", [(), ("sales", "desk")])
def test_a_key_that_leads_nowhere_is_refused(keys) -> None:
    with pytest.raises(ConfigError, match="leads nowhere: name one of its destinations"):
        make(*keys, key_to_human="0").check()


def test_an_unknown_destination_of_the_key_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"key_destination='x' is not one of .* \(sales\)"):
        make("sales", key_to_human="0", key_destination="x").check()


@pytest.mark.parametrize("key", ["", "00", "A", "zero"])
def test_a_key_is_one_of_a_telephones(key: str) -> None:
    with pytest.raises(ConfigError, match="key_to_human is one key"):
        make(key_to_human=key)


@pytest.mark.parametrize(
    ("plan", "hook", "checked"),
    [
        ({}, None, False),
        ({"hours": "mon-fri 09:00-17:00 UTC"}, None, True),
        ({"hours": "mon-fri 09:00-17:00 UTC", "holidays": ("12-25 Christmas Day",)}, None, True),
        ({}, is_free, True),
    ],
)
def test_a_destination_is_checked_if_there_is_something_to_find_out(
    plan, hook, checked: bool
) -> None:
    agent = make()
    agent.handoff("sales", when="x", plan=Cold(ANNA, **plan))
    if hook is not None:
        agent.presence(hook)
    assert agent.destinations[0].checked is checked


def test_hours_that_cannot_be_read_are_refused_when_they_are_given() -> None:
    with pytest.raises(ConfigError, match="expected hours such as"):
        make().handoff("sales", when="x", plan=Cold(ANNA, hours="always"))
    with pytest.raises(ConfigError, match="there is no such day"):
        plan = Cold(ANNA, hours="daily 09:00-17:00 UTC", holidays=("2027-02-29",))
        make().handoff("sales", when="x", plan=plan)


def test_holidays_need_the_time_zone_of_the_hours() -> None:
    with pytest.raises(ConfigError, match="Cold: holidays need the time zone of the hours"):
        plan = Cold(ANNA, holidays=("12-25",))
        make().handoff("sales", when="x", plan=plan)
