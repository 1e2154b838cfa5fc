"""The SID, the numbers and the beginning of a call, which all three machines read."""

from __future__ import annotations

import msgspec


class CallInfo(msgspec.Struct):
    """Is filled in when the call arrives or is placed. Times are seconds since 1970.

    Of a call that the line has placed: `answered_at` is when somebody or something answered, and
    `answered_by` is what was detected. `unanswered` is the carrier's word for why nobody did.
    """

    call_sid: str = ""
    caller: str = ""
    called: str = ""
    arrived_at: float = 0.0
    outbound: bool = False
    answered_at: float | None = None
    answered_by: str = ""
    unanswered: str = ""

    @property
    def party(self) -> str:
        """The number or address of the other side: the caller's, or that of who was called."""
        return self.called if self.outbound else self.caller
