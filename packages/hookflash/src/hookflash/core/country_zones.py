"""The time zone of a telephone number's country, for countries that have only one.

A country with several zones is not here, because its number does not say which applies. A number
with a mobile or non-geographic prefix has the zone of its country.
"""

from __future__ import annotations

_ZONES = {
    "+27": "Africa/Johannesburg",
    "+30": "Europe/Athens",
    "+31": "Europe/Amsterdam",
    "+32": "Europe/Brussels",
    "+33": "Europe/Paris",
    "+36": "Europe/Budapest",
    "+39": "Europe/Rome",
    "+40": "Europe/Bucharest",
    "+41": "Europe/Zurich",
    "+43": "Europe/Vienna",
    "+44": "Europe/London",
    "+45": "Europe/Copenhagen",
    "+46": "Europe/Stockholm",
    "+47": "Europe/Oslo",
    "+48": "Europe/Warsaw",
    "+49": "Europe/Berlin",
    "+65": "Asia/Singapore",
    "+81": "Asia/Tokyo",
    "+82": "Asia/Seoul",
    "+91": "Asia/Kolkata",
    "+353": "Europe/Dublin",
    "+358": "Europe/Helsinki",
    "+420": "Europe/Prague",
    "+421": "Europe/Bratislava",
    "+852": "Asia/Hong_Kong",
    "+971": "Asia/Dubai",
    "+972": "Asia/Jerusalem",
}


def zone_of(number: str) -> str | None:
    """Return the IANA name of a number's time zone; None if its country has several, or is
    unknown.

    `number` is in E.164 form.
    """
    return _ZONES.get(number[:3]) or _ZONES.get(number[:4])
