from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hookflash import ConfigError
from hookflash.agents.hours import parse_hours

BERLIN = parse_hours("mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2027-01-04 07:59", False),  # Monday, 08:59 in Berlin
        ("2027-01-04 08:00", True),
        ("2027-01-04 16:29", True),
        ("2027-01-04 16:30", False),
        ("2027-01-09 09:00", True),  # Saturday
        ("2027-01-09 13:00", False),
        ("2027-01-10 10:00", False),  # Sunday
        ("2027-07-05 07:00", True),  # Monday in summer: nine o'clock comes an hour earlier
        ("2027-07-05 06:59", False),
    ],
)
def test_a_line_is_open_by_the_clock_of_its_zone(moment: str, is_open: bool) -> None:
    assert BERLIN.open_at(utc(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2027-01-08 21:59", False),  # Friday
        ("2027-01-08 22:00", True),
        ("2027-01-09 05:59", True),
        ("2027-01-09 06:00", False),
        ("2027-01-10 23:00", True),  # Sunday night, into Monday
        ("2027-01-11 05:00", True),
        ("2027-01-08 05:00", False),
    ],
)
def test_a_span_may_run_past_midnight(moment: str, is_open: bool) -> None:
    assert parse_hours("fri 22:00-6:00, sun 22:00-06:00 UTC").open_at(utc(moment)) is is_open


def test_daily_and_around_the_clock() -> None:
    always = parse_hours("daily 00:00-24:00 UTC")
    assert all(always.open_at(utc(f"2027-01-{day:02} 23:59")) for day in range(4, 11))


def test_days_may_run_past_the_end_of_the_week() -> None:
    weekend = parse_hours("Sat-Mon 00:00-24:00 utc")
    open_days = [day for day in range(4, 11) if weekend.open_at(utc(f"2027-01-{day:02} 12:00"))]
    assert open_days == [4, 9, 10]  # Monday, Saturday, Sunday


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the time zone is missing"),
        ("mon-fri 09:00-17:30", "the time zone is missing"),
        ("Europe/Berlin", "the time zone is missing"),
        ("monday 9-5 UTC", "got 'monday 9-5'"),
        ("mon 09:00-17:30; tue 09:00-17:30 UTC", "expected hours such as"),
        ("mon 09:00-25:00 UTC", "there is no time 25:00"),
        ("mon 09:60-10:00 UTC", "there is no time 09:60"),
        ("mon 09:00-17:30 Europe/Atlantis", "no time zone 'Europe/Atlantis' is known here"),
        ("mon 09:00-17:30 ../../etc/passwd", "no time zone"),
    ],
)
def test_wrong_hours_are_shown_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_hours(text)
