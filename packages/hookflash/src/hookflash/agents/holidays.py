"""Days on which a line is closed, as people write them.

    2026-12-25                          the whole day
    2026-12-25 Christmas Day            with the name that callers may be told
    12-25 Christmas Day                 every year
    2026-12-24 14:00-24:00 a party      a part of the day; open as ever before and after

By the clock on the wall: a span that has begun the evening before ends at midnight too.
"""

from __future__ import annotations

import re
from datetime import date

import msgspec

from hookflash.errors import ConfigError

_HOLIDAY = re.compile(
    r"(?:(?P<year>\d{4})-)?(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:\s+(?P<begins>\d\d?:\d\d)-(?P<ends>\d\d?:\d\d))?"
    r"(?:\s+(?P<name>\S.*))?"
)
_EXPECTED = (
    "expected a date and perhaps a part of the day and a name, such as '2026-12-25',"
    " '12-25 Christmas Day' (every year) or '2026-12-24 14:00-24:00'"
)
_LEAP_YEAR = 2028


class Closing(msgspec.Struct, frozen=True):
    """Closed on one day from minute `begins` to minute `ends`; every year, if `year` is None."""

    year: int | None
    month: int
    day: int
    begins: int = 0
    ends: int = 24 * 60
    name: str = ""

    def falls_on(self, day: date) -> bool:
        """Say whether this is the day."""
        return (self.month, self.day) == (day.month, day.day) and self.year in (None, day.year)


def parse_holiday(text: str) -> Closing:
    """Read a holiday, or raise `ConfigError` that shows what is wrong with it."""
    where = f"holiday {text!r}"
    match = _HOLIDAY.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(f"{where}: {_EXPECTED}")
    year = int(match["year"]) if match["year"] else None
    month, day = int(match["month"]), int(match["day"])
    try:
        date(_LEAP_YEAR if year is None else year, month, day)
    except ValueError as error:
        raise ConfigError(f"{where}: there is no such day; {_EXPECTED}") from error
    name = match["name"] or ""
    if match["begins"] is None:
        return Closing(year, month, day, name=name)
    begins, ends = read_minute(match["begins"], where), read_minute(match["ends"], where)
    if begins >= ends:
        raise ConfigError(
            f"{where}: it must end after it begins, at 24:00 at the latest; write a second"
            " holiday for the next day"
        )
    return Closing(year, month, day, begins, ends, name)


def read_minute(clock: str, where: str) -> int:
    """Return the minute of the day of a time such as 9:30; `where` is for the error."""
    hour, minute = (int(each) for each in clock.split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise ConfigError(f"{where}: there is no time {clock}")
    return hour * 60 + minute
