"""Time zones of telephone numbers are real, and unknown for countries with several."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from hookflash.core import country_zones
from hookflash.core.country_zones import zone_of


def test_each_zone_exists() -> None:
    for zone in country_zones._ZONES.values():
        assert ZoneInfo(zone).key == zone


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+4455501", "Europe/London"),
        ("+35355501", "Europe/Dublin"),
        ("+15550101", None),
        ("+6155501", None),
    ],
)
def test_a_number_has_the_zone_of_its_country(number: str, zone: str | None) -> None:
    assert zone_of(number) == zone
