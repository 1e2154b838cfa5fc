"""Opening hours, as people write them: `mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin`.

Parts are separated by commas; each is days (`mon`, `mon-fri`, `daily`) and a span of time in the
given zone. A span that ends before it begins runs past midnight into the next day.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from hookflash.errors import ConfigError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_PART = re.compile(
    rf"(?:(?P<first>{_DAY})(?:-(?P<last>{_DAY}))?|(?P<daily>daily))\s+"
    r"(?P<opens>\d\d?:\d\d)-(?P<closes>\d\d?:\d\d)",
    re.IGNORECASE,
)
_EXPECTED = "expected hours such as 'mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin'"


class Span(msgspec.Struct, frozen=True):
    """Open on weekday `day` (Monday is 0) from minute `opens` of that day for `minutes`."""

    day: int
    opens: int
    minutes: int


class Hours(msgspec.Struct, frozen=True):
    """When a line is open, in one time zone."""

    spans: tuple[Span, ...]
    zone: tzinfo

    def open_at(self, moment: datetime) -> bool:
        """Say whether `moment` (with a time zone) is inside the hours; the end is outside."""
        local = moment.astimezone(self.zone)
        for back in (0, 1):
            # A span may have begun yesterday. Wall-clock minutes are compared, so that nine
            # o'clock is nine o'clock on the day the clocks change too.
            day = (local - timedelta(days=back)).weekday()
            minute = local.hour * 60 + local.minute + back * 24 * 60
            if any(
                span.day == day and span.opens <= minute < span.opens + span.minutes
                for span in self.spans
            ):
                return True
        return False


def parse_hours(text: str) -> Hours:
    """Read opening hours, or raise `ConfigError` that shows the part that is wrong."""
    spans_text, _, zone_name = text.strip().rpartition(" ")
    if not spans_text or ":" in zone_name:
        raise ConfigError(f"hours {text!r}: {_EXPECTED}; the time zone is missing")
    spans: list[Span] = []
    for part in spans_text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise ConfigError(f"hours {text!r}: {_EXPECTED}, got {part.strip()!r}")
        opens, closes = _minute(match["opens"], text), _minute(match["closes"], text)
        minutes = (closes - opens) % (24 * 60) or 24 * 60
        spans.extend(Span(day, opens, minutes) for day in _days(match))
    return Hours(tuple(spans), _zone(zone_name, text))


def _days(match: re.Match[str]) -> list[int]:
    if match["daily"]:
        return list(range(7))
    first = _DAYS.index(match["first"].lower())
    last = _DAYS.index((match["last"] or match["first"]).lower())
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _minute(clock: str, text: str) -> int:
    hour, minute = (int(each) for each in clock.split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise ConfigError(f"hours {text!r}: there is no time {clock}")
    return hour * 60 + minute


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
