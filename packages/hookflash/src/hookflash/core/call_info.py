"""The SID, the numbers and the beginning of a call, which all three machines read."""

from __future__ import annotations

import msgspec


class CallInfo(msgspec.Struct):
    """Is filled in once, when the call arrives. `arrived_at` is seconds since 1970."""

    call_sid: str = ""
    caller: str = ""
    called: str = ""
    arrived_at: float = 0.0
