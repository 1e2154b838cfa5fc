from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hookflash import Agent, ConfigError, Directory

MONDAY_NOON = datetime(2027, 1, 4, 12, tzinfo=UTC)
MONDAY_NIGHT = datetime(2027, 1, 4, 23, tzinfo=UTC)

SHOP = Agent("shop", instructions="Sell.")
NIGHT = Agent("night", instructions="Take messages.")
DESK = Agent("desk", instructions="Help.")


def test_the_first_entry_that_fits_the_line_and_the_hour_answers() -> None:
    directory = Directory()
    directory.add(SHOP, lines=["+15550100", "+15550102"], hours="daily 09:00-17:00 UTC")
    directory.add(DESK, lines=["client:desk"])
    directory.add(NIGHT)
    assert directory.find("+15550100", MONDAY_NOON) is SHOP
    assert directory.find("+15550102", MONDAY_NOON) is SHOP
    assert directory.find("+15550100", MONDAY_NIGHT) is NIGHT
    assert directory.find("client:desk", MONDAY_NIGHT) is DESK
    assert directory.find("+15550199", MONDAY_NOON) is NIGHT


def test_a_directory_without_a_matching_entry_has_no_agent() -> None:
    directory = Directory()
    directory.add(SHOP, lines=["+15550100"])
    assert directory.find("+15550199", MONDAY_NOON) is None


def test_one_agent_alone_answers_everything() -> None:
    directory = Directory.of(SHOP)
    assert directory.find("+15550100", MONDAY_NIGHT) is SHOP
    assert Directory.of(directory) is directory


def test_agents_are_found_by_name_and_listed_once() -> None:
    directory = Directory()
    directory.add(SHOP, lines=["+15550100"])
    directory.add(NIGHT)
    directory.add(SHOP, lines=["+15550102"])
    assert directory.agents == (SHOP, NIGHT)
    assert directory.get("night") is NIGHT
    assert directory.get("day") is None
    assert repr(directory) == "Directory(['shop', 'night', 'shop'])"


@pytest.mark.parametrize("line", ["555-0100", "15550100", "desk", "", "client:"])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="agent 'shop': a line is a number in E.164 form"):
        Directory().add(SHOP, lines=[line])


def test_mistakes_in_an_entry_are_named() -> None:
    directory = Directory()
    with pytest.raises(ConfigError, match=r"lines is a list of lines; write \['\+15550100'\]"):
        directory.add(SHOP, lines="+15550100")
    with pytest.raises(ConfigError, match="expected an Agent, got str"):
        directory.add("shop")  # type: ignore[arg-type]  # the mistake is the test
    with pytest.raises(ConfigError, match="the time zone is missing"):
        directory.add(SHOP, hours="mon 09:00-17:00")
    with pytest.raises(ConfigError, match="agent 'shop' has holidays but no hours"):
        directory.add(SHOP, holidays=["12-25"])
    assert directory.agents == ()


def test_on_a_holiday_the_next_agent_answers() -> None:
    directory = Directory()
    directory.add(SHOP, hours="daily 09:00-17:00 UTC", holidays=["2027-01-06 Epiphany"])
    directory.add(NIGHT)
    assert directory.find("+15550100", datetime(2027, 1, 5, 12, tzinfo=UTC)) is SHOP
    assert directory.find("+15550100", datetime(2027, 1, 6, 12, tzinfo=UTC)) is NIGHT


def test_two_agents_of_one_name_are_refused() -> None:
    directory = Directory.of(SHOP)
    with pytest.raises(ConfigError, match="two agents are named 'shop'"):
        directory.add(Agent("shop", instructions="Sell other things."))


def test_a_directory_is_complete_when_its_agents_are() -> None:
    with pytest.raises(ConfigError, match="no agent answers"):
        Directory().check()
    assert Directory.of(SHOP).check().agents == (SHOP,)
    with pytest.raises(ConfigError, match="Agent 'lost': fallback='desk'"):
        Directory.of(Agent("lost", instructions="Help.", fallback="desk")).check()
