"""Names and notations of Twilio: SIDs, dates. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

API_VERSION = "2010-04-01"


def new_sid(prefix: str, entropy: Random) -> str:
    """Return a fresh SID: two letters and 32 hexadecimal digits."""
    return prefix + entropy.randbytes(16).hex()


def is_sid(prefix: str, text: str) -> bool:
    return re.fullmatch(prefix + "[0-9a-f]{32}", text) is not None


def snake_case(name: str) -> str:
    """Return a resource's name as REST bodies write it: AddOnResults, add_on_results."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def rfc2822(wall: float | None) -> str | None:
    """Return a date as REST bodies and callbacks write it, or None."""
    return None if wall is None else format_datetime(datetime.fromtimestamp(wall, UTC))


def iso8601(wall: float) -> str:
    """Return a date as stream callbacks write it."""
    stamp = datetime.fromtimestamp(wall, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
