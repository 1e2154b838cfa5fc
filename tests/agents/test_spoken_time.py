from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hookflash.agents.spoken_time import spoken_opening

NOW = datetime(2026, 12, 30, 18, 0, tzinfo=UTC)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")


def said(opens: str, language: str = "en") -> str:
    moment = datetime.fromisoformat(opens).replace(tzinfo=BERLIN)
    return spoken_opening(moment, BERLIN, now=NOW, language=language)


@pytest.mark.parametrize(
    ("opens", "expected"),
    [
        ("2026-12-30 19:30", "today at 7:30 in the evening"),
        ("2026-12-31 09:00", "tomorrow at nine in the morning"),
        ("2026-12-31 00:00", "tomorrow at midnight"),
        ("2026-12-31 00:05", "tomorrow at 12:05 in the morning"),
        ("2027-01-01 12:00", "on Friday at noon"),
        ("2027-01-05 14:15", "on Tuesday at 2:15 in the afternoon"),
        ("2027-01-06 08:00", "on Wednesday, January 6, at eight in the morning"),
    ],
)
def test_the_day_is_said_as_seen_from_now(opens: str, expected: str) -> None:
    assert said(opens) == expected


@pytest.mark.parametrize(
    ("language", "opens", "expected"),
    [
        ("de", "2026-12-31 09:00", "morgen um 9 Uhr"),
        ("de", "2026-12-30 20:30", "heute um 20 Uhr 30"),
        ("de", "2027-01-04 09:00", "am Montag um 9 Uhr"),
        ("de-AT", "2027-03-01 09:00", "am Montag, dem 1. März, um 9 Uhr"),
        ("es", "2026-12-31 01:00", "mañana a la 1:00"),
        ("es", "2027-03-01 09:05", "el lunes 1 de marzo a las 9:05"),
        ("fr", "2026-12-31 12:00", "demain à midi"),
        ("fr", "2026-12-31 01:00", "demain à 1 heure"),
        ("fr", "2027-01-04 09:30", "lundi à 9 heures 30"),
        ("fr", "2027-03-01 00:00", "lundi 1er mars à minuit"),
        ("fr", "2027-03-02 09:00", "mardi 2 mars à 9 heures"),
        ("ja", "2026-12-31 09:00", "tomorrow at nine in the morning"),
    ],
)
def test_other_languages_have_their_own_words(language: str, opens: str, expected: str) -> None:
    assert said(opens, language) == expected


def test_the_day_is_that_of_the_zone_and_not_of_greenwich() -> None:
    opens = datetime(2026, 12, 30, 21, 0, tzinfo=UTC)
    tokyo = ZoneInfo("Asia/Tokyo")
    said = spoken_opening(opens, tokyo, now=datetime(2026, 12, 30, 14, 0, tzinfo=UTC))
    assert said == "tomorrow at six in the morning"
