from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hookflash import ConfigError
from hookflash.agents.holidays import Closing, parse_holiday
from hookflash.agents.hours import parse_hours


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("2026-12-25", Closing(2026, 12, 25)),
        (" 2026-12-25  Christmas Day ", Closing(2026, 12, 25, name="Christmas Day")),
        ("12-25 Christmas Day", Closing(None, 12, 25, name="Christmas Day")),
        ("02-29", Closing(None, 2, 29)),
        ("2026-12-24 14:00-24:00", Closing(2026, 12, 24, 840, 1440)),
        ("2026-12-24 9:00-12:30 a party", Closing(2026, 12, 24, 540, 750, "a party")),
    ],
)
def test_a_holiday_is_a_date_a_part_of_the_day_and_a_name(text: str, closing: Closing) -> None:
    assert parse_holiday(text) == closing


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a date"),
        ("Christmas", "expected a date"),
        ("25.12.2026", "expected a date"),
        ("2026-02-29", "there is no such day"),
        ("13-01", "there is no such day"),
        ("2026-12-24 14:00-25:00", "there is no time 25:00"),
        ("2026-12-24 22:00-06:00", "write a second holiday for the next day"),
        (20261224, "expected a date"),
    ],
)
def test_a_wrong_holiday_is_shown_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_holiday(text)


def test_the_holidays_are_a_list() -> None:
    with pytest.raises(ConfigError, match=r"write \['12-25'\]"):
        parse_hours("daily 09:00-17:00 UTC", "12-25")


def test_a_holiday_of_one_year_is_none_in_another() -> None:
    assert Closing(2026, 12, 25).falls_on(date(2026, 12, 25))
    assert not Closing(2026, 12, 25).falls_on(date(2027, 12, 25))
    assert Closing(None, 12, 25).falls_on(date(2027, 12, 25))
    assert not Closing(None, 12, 25).falls_on(date(2027, 12, 26))


def test_a_holiday_closes_its_day_in_the_zone_of_the_hours_and_can_be_named() -> None:
    shop = parse_hours(
        "daily 09:00-18:00 Europe/Berlin", ["12-25 Christmas Day", "2026-12-24 14:00-24:00"]
    )
    eve, day = datetime(2026, 12, 24, 13, tzinfo=UTC), datetime(2026, 12, 25, 9, tzinfo=UTC)
    assert shop.open_at(eve.replace(hour=12, minute=59))
    assert not shop.open_at(eve)
    assert not shop.open_at(day)
    closing = shop.closing_at(day)
    assert closing is not None
    assert closing.name == "Christmas Day"
    assert shop.closing_at(eve.replace(hour=10)) is None
