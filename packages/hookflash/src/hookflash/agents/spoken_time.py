"""When a line opens, as one would say it on the telephone: "tomorrow at nine in the morning".

One form for each language, by its ISO 639-1 code. For another language there are the English
words, which the model puts into the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, tzinfo

import msgspec


class _Language(msgspec.Struct, frozen=True):
    """How a day and a time are said: `near` within a week, `far` after it, `clock` the time."""

    today: str
    tomorrow: str
    near: str
    far: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    clock: Callable[[int, int], str]
    number: Callable[[int], str] = str
    """The day of the month."""


def spoken_opening(opens: datetime, zone: tzinfo, *, now: datetime, language: str = "en") -> str:
    """Say when `opens` is, seen from `now`, by the clock of `zone`.

    Within a week the day of the week is enough; beyond, the date is said too.
    """
    words = _LANGUAGES.get(language.lower()[:2], _ENGLISH)
    local, today = opens.astimezone(zone), now.astimezone(zone).date()
    return f"{_day(local.date(), today, words)} {words.clock(local.hour, local.minute)}"


def _day(day: date, today: date, words: _Language) -> str:
    ahead = (day - today).days
    if ahead <= 1:
        return words.tomorrow if ahead == 1 else words.today
    form = words.near if ahead < 7 else words.far
    return form.format(
        weekday=words.weekdays[day.weekday()],
        month=words.months[day.month - 1],
        day=words.number(day.day),
    )


_HOURS = "twelve one two three four five six seven eight nine ten eleven".split()


def _english(hour: int, minute: int) -> str:
    if minute == 0 and hour in (0, 12):
        return "at noon" if hour else "at midnight"
    if hour < 12:
        part = "in the morning"
    else:
        part = "in the afternoon" if hour < 18 else "in the evening"
    clock = f"{hour % 12 or 12}:{minute:02}" if minute else _HOURS[hour % 12]
    return f"at {clock} {part}"


def _german(hour: int, minute: int) -> str:
    return f"um {hour} Uhr {minute}" if minute else f"um {hour} Uhr"


def _spanish(hour: int, minute: int) -> str:
    article = "a la" if hour == 1 else "a las"
    return f"{article} {hour}:{minute:02}"


def _french(hour: int, minute: int) -> str:
    if minute == 0 and hour in (0, 12):
        return "à midi" if hour else "à minuit"
    hours = f"à {hour} heure" if hour < 2 else f"à {hour} heures"
    return f"{hours} {minute}" if minute else hours


_ENGLISH = _Language(
    today="today",
    tomorrow="tomorrow",
    near="on {weekday}",
    far="on {weekday}, {month} {day},",
    weekdays=tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    months=tuple(
        "January February March April May June July August September October November"
        " December".split()
    ),
    clock=_english,
)

_LANGUAGES = {
    "en": _ENGLISH,
    "de": _Language(
        today="heute",
        tomorrow="morgen",
        near="am {weekday}",
        far="am {weekday}, dem {day}. {month},",
        weekdays=tuple("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split()),
        months=tuple(
            "Januar Februar März April Mai Juni Juli August September Oktober November"
            " Dezember".split()
        ),
        clock=_german,
    ),
    "es": _Language(
        today="hoy",
        tomorrow="mañana",
        near="el {weekday}",
        far="el {weekday} {day} de {month}",
        weekdays=tuple("lunes martes miércoles jueves viernes sábado domingo".split()),
        months=tuple(
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
            " diciembre".split()
        ),
        clock=_spanish,
    ),
    "fr": _Language(
        today="aujourd'hui",
        tomorrow="demain",
        near="{weekday}",
        far="{weekday} {day} {month}",
        weekdays=tuple("lundi mardi mercredi jeudi vendredi samedi dimanche".split()),
        months=tuple(
            "janvier février mars avril mai juin juillet août septembre octobre novembre"
            " décembre".split()
        ),
        clock=_french,
        number=lambda day: "1er" if day == 1 else str(day),
    ),
}
