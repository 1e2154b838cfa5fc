"""Opening hours, as people write them: `mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin`.

Parts are separated by commas; each is days (`mon`, `mon-fri`, `daily`) and a span of time in the
given zone. A span that ends before it begins runs past midnight into the next day. Holidays
(`holidays.py`) close what would be open.

All times are local times of that zone. Nine o'clock is nine o'clock on the days when the clocks
change, too. An hour that is skipped is never open, and one that comes twice is open twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from hookflash.agents.holidays import Closing, parse_holiday, read_minute
from hookflash.errors import ConfigError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_PART = re.compile(
    rf"(?:(?P<first>{_DAY})(?:-(?P<last>{_DAY}))?|(?P<daily>daily))\s+"
    r"(?P<opens>\d\d?:\d\d)-(?P<closes>\d\d?:\d\d)",
    re.IGNORECASE,
)
_EXPECTED = "expected hours such as 'mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin'"
_ONE_DAY = timedelta(days=1)
_MINUTES = 24 * 60
_DAYS_AHEAD = 366


class Span(msgspec.Struct, frozen=True):
    """Open on weekday `day` (Monday is 0) from minute `opens` of that day for `minutes`."""

    day: int
    opens: int
    minutes: int


class Hours(msgspec.Struct, frozen=True):
    """When a line is open, in one time zone. Every `moment` has a time zone, whichever it is."""

    spans: tuple[Span, ...]
    zone: tzinfo
    closings: tuple[Closing, ...] = ()

    def open_at(self, moment: datetime) -> bool:
        """Say whether `moment` is inside the hours; the end is outside."""
        local = moment.astimezone(self.zone)
        if self._closing(local) is not None:
            return False
        for back in (0, 1):
            # A span may have begun yesterday.
            day = (local - timedelta(days=back)).weekday()
            minute = local.hour * 60 + local.minute + back * _MINUTES
            if any(
                span.day == day and span.opens <= minute < span.opens + span.minutes
                for span in self.spans
            ):
                return True
        return False

    def closing_at(self, moment: datetime) -> Closing | None:
        """Return the holiday that closes `moment`, if one does."""
        return self._closing(moment.astimezone(self.zone))

    def opens_next(self, moment: datetime) -> datetime | None:
        """Return when it is open next, in this zone: `moment` itself when it is open then.

        None when it does not open within a year.
        """
        if self.open_at(moment):
            return moment.astimezone(self.zone)
        begin = moment.astimezone(UTC)
        for number in range(_DAYS_AHEAD):
            start = begin + number * _ONE_DAY
            for candidate in self._turns(start, start + _ONE_DAY):
                if self.open_at(candidate):
                    return candidate.astimezone(self.zone)
        return None

    def _closing(self, local: datetime) -> Closing | None:
        minute = local.hour * 60 + local.minute
        for closing in self.closings:
            if closing.falls_on(local.date()) and closing.begins <= minute < closing.ends:
                return closing
        return None

    def _turns(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the moments from `start` to `end` (both in UTC) at which it may begin to be open.

        These are the beginnings of spans, the ends of closings, and the changes of the clock.
        """
        found = {
            moment
            for wall in self._walls(start, end)
            for moment in (_utc(wall, self.zone, 0), _utc(wall, self.zone, 1))
            if start < moment <= end
        }
        if _offset(start, self.zone) != _offset(end, self.zone):
            found.add(_change(start, end, self.zone))
        return sorted(found)

    def _walls(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Return the local times at which a span begins or a closing ends."""
        first, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        for number in range((last - first).days + 1):
            day = first + number * _ONE_DAY
            for span in self.spans:
                if span.day == day.weekday():
                    yield _wall(day, span.opens)
            for closing in self.closings:
                if closing.falls_on(day):
                    yield _wall(day, closing.ends)


def parse_hours(text: str, holidays: Iterable[str] = ()) -> Hours:
    """Read opening hours, and holidays, or raise `ConfigError` that shows what is wrong."""
    spans_text, _, zone_name = text.strip().rpartition(" ")
    if not spans_text or ":" in zone_name:
        raise ConfigError(f"hours {text!r}: {_EXPECTED}; the time zone is missing")
    if isinstance(holidays, str):
        raise ConfigError(f"holidays is a list of holidays; write [{holidays!r}]")
    where = f"hours {text!r}"
    spans: list[Span] = []
    for part in spans_text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise ConfigError(f"{where}: {_EXPECTED}, got {part.strip()!r}")
        opens, closes = read_minute(match["opens"], where), read_minute(match["closes"], where)
        minutes = (closes - opens) % _MINUTES or _MINUTES
        spans.extend(Span(day, opens, minutes) for day in _days(match))
    closings = tuple(parse_holiday(each) for each in holidays)
    return Hours(tuple(spans), _zone(zone_name, text), closings)


def _days(match: re.Match[str]) -> list[int]:
    if match["daily"]:
        return list(range(7))
    first = _DAYS.index(match["first"].lower())
    last = _DAYS.index((match["last"] or match["first"]).lower())
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _wall(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def _utc(wall: datetime, zone: tzinfo, fold: int) -> datetime:
    """Return when `wall` is shown in `zone`: `fold` chooses where it is shown twice."""
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _offset(moment: datetime, zone: tzinfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _change(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """Return the second at which the clock of `zone` is changed between `start` and `end`."""
    before = _offset(start, zone)
    low, high = 0, int((end - start).total_seconds())
    # Clocks are changed at a full second, and `start` may lie between two.
    start = start.replace(microsecond=0)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(start + timedelta(seconds=middle), zone) == before:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


def _zone(name: str, text: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    # Imported here: most agents have no hours.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"hours {text!r}: no time zone {name!r} is known here; use an IANA name such as"
            " Europe/Berlin (where the system has none at all: pip install tzdata)"
        ) from error
