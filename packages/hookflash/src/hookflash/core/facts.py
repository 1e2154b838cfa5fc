"""Who calls whom since when: what all machines may read of a call."""

from __future__ import annotations

import msgspec


class Facts(msgspec.Struct):
    """Written once, when the call arrives. `arrived_at` is seconds since 1970."""

    call_sid: str = ""
    caller: str = ""
    called: str = ""
    arrived_at: float = 0.0
