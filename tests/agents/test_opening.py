"""When a line opens next, against a search that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookflash.agents.holidays import Closing
from hookflash.agents.hours import Hours, Span, parse_hours

DAYS = 6
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    # Its clocks change at midnight; its clocks lost a whole day.
    *("America/Havana", "Pacific/Apia"),
)
# A day before the clocks of each zone are changed, among others.
STARTS = (
    *("2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04", "2026-10-03"),
    *("2011-12-28", "2026-12-30", "2028-02-27"),
)


def is_open(hours: Hours, moment: datetime) -> bool:
    """As the text says it, by way of dates and not of minutes."""
    wall = moment.astimezone(hours.zone).replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    for closing in hours.closings:
        if closing.falls_on(wall.date()):
            begins = midnight + timedelta(minutes=closing.begins)
            if begins <= wall < midnight + timedelta(minutes=closing.ends):
                return False
    for span in hours.spans:
        for day in (midnight - timedelta(days=1), midnight):
            opens = day + timedelta(minutes=span.opens)
            if day.weekday() == span.day and opens <= wall < opens + timedelta(
                minutes=span.minutes
            ):
                return True
    return False


def every_minute(hours: Hours, moment: datetime) -> datetime | None:
    if is_open(hours, moment):
        return moment
    minute = moment.replace(second=0, microsecond=0)
    for _ in range(DAYS * 24 * 60):
        minute += timedelta(minutes=1)
        if is_open(hours, minute):
            return minute
    return None


minutes = st.integers(0, 1439)
spans = st.builds(Span, st.integers(0, 6), minutes, st.integers(1, 1440))


@st.composite
def closings(draw: st.DrawFn, start: datetime) -> Closing:
    day = (start + timedelta(days=draw(st.integers(-1, DAYS)))).date()
    begins = draw(st.one_of(st.just(0), minutes))
    ends = draw(st.one_of(st.just(1440), st.integers(begins + 1, 1440)))
    return Closing(draw(st.sampled_from((None, day.year))), day.month, day.day, begins, ends)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Hours, datetime]:
    start = datetime.fromisoformat(draw(st.sampled_from(STARTS))).replace(tzinfo=UTC)
    moment = start + timedelta(seconds=draw(st.integers(0, 3 * 86_400)))
    hours = Hours(
        tuple(draw(st.lists(spans, max_size=3))),
        ZoneInfo(draw(st.sampled_from(ZONES))),
        tuple(draw(st.lists(closings(start), max_size=3))),
    )
    return hours, moment


def sundays(opens: int, zone: str) -> Hours:
    """Return hours of 20 minutes on each Sunday, from minute `opens`."""
    return Hours((Span(6, opens, 20),), ZoneInfo(zone))


@settings(max_examples=150, deadline=None)
@given(cases())
# They open in the hour that comes twice: in its first turn, and in its second.
@example((sundays(140, "Europe/Berlin"), datetime(2026, 10, 24, 14, 22, 53, tzinfo=UTC)))
@example((sundays(140, "Europe/Berlin"), datetime(2026, 10, 25, 0, 50, tzinfo=UTC)))
@example((sundays(105, "America/New_York"), datetime(2026, 10, 31, 3, 30, 23, tzinfo=UTC)))
@example((sundays(75, "America/New_York"), datetime(2026, 11, 1, 5, 40, tzinfo=UTC)))
def test_it_opens_next_when_a_search_of_every_minute_says_so(case: tuple[Hours, datetime]) -> None:
    hours, moment = case
    found, searched = hours.opens_next(moment), every_minute(hours, moment)
    if searched is None:
        assert found is None or found > moment + timedelta(days=DAYS) - timedelta(minutes=1)
    else:
        # In an hour that comes twice, `==` of two zones is always False (PEP 495): compare in UTC.
        assert found is not None and found.tzinfo is hours.zone
        assert found.astimezone(UTC) == searched
    assert hours.open_at(moment) is is_open(hours, moment)


def opens(text: str, moment: str, *holidays: str) -> str | None:
    hours = parse_hours(text, holidays)
    found = hours.opens_next(datetime.fromisoformat(moment).replace(tzinfo=hours.zone))
    return None if found is None else found.strftime("%a %Y-%m-%d %H:%M %Z")


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("mon-fri 09:00-17:00 UTC", "2027-01-08 17:00", "Mon 2027-01-11 09:00 UTC"),
        ("mon-fri 09:00-17:00 UTC", "2027-01-11 10:30", "Mon 2027-01-11 10:30 UTC"),
        ("mon-fri 09:00-17:00 UTC", "2027-01-11 08:59:30", "Mon 2027-01-11 09:00 UTC"),
        # Nine o'clock, though the night was an hour shorter, or longer.
        ("daily 09:00-17:00 Europe/Berlin", "2026-03-28 20:00", "Sun 2026-03-29 09:00 CEST"),
        ("daily 09:00-17:00 Europe/Berlin", "2026-10-24 20:00", "Sun 2026-10-25 09:00 CET"),
        # Half past two does not exist; it opens when the clocks have been put forward.
        ("daily 02:30-04:00 Europe/Berlin", "2026-03-28 20:00", "Sun 2026-03-29 03:00 CEST"),
        ("sun 02:10-02:50 Europe/Berlin", "2026-03-28 20:00", "Sun 2026-04-05 02:10 CEST"),
        # Half past two comes twice; it opens the first time.
        ("daily 02:30-04:00 Europe/Berlin", "2026-10-24 20:00", "Sun 2026-10-25 02:30 CEST"),
        ("sun 01:45-02:00 America/New_York", "2026-10-31 20:00", "Sun 2026-11-01 01:45 EDT"),
    ],
)
def test_it_opens_by_the_clock_on_the_wall(text: str, moment: str, expected: str) -> None:
    assert opens(text, moment) == expected


def test_holidays_are_passed_over() -> None:
    week = "mon-fri 09:00-17:00 Europe/Berlin"
    holidays = ("12-25", "12-26", "2026-12-28 08:00-12:00 stock-taking")
    assert opens(week, "2026-12-24 17:30", *holidays) == "Mon 2026-12-28 12:00 CET"


def test_a_span_over_midnight_continues_after_a_holiday() -> None:
    assert opens("thu 22:00-06:00 UTC", "2026-12-24 23:00", "12-24") == "Fri 2026-12-25 00:00 UTC"


def test_what_does_not_open_within_a_year_never_opens() -> None:
    every_day = [f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)]
    real = [each for each in every_day if each not in ("02-30", "02-31", "04-31", "06-31")]
    real = [each for each in real if each not in ("09-31", "11-31")]
    assert opens("daily 09:00-17:00 UTC", "2027-01-01 00:00", *real) is None
    once = [each for each in real if each != "12-24"]
    assert opens("daily 09:00-17:00 UTC", "2026-12-25 00:00", *once) == "Fri 2027-12-24 09:00 UTC"
