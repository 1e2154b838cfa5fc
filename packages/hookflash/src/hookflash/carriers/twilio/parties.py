"""Who is on a call, as far as numbers that may be shown and addresses go. No I/O.

Rules of Twilio's: to a telephone may be shown the numbers of the call itself and any of ours; after
a call that came by SIP, ours only; in a call placed by REST, the caller's only with the `CallToken`
that came with their call. To a browser may also be shown a `client:name`, to a SIP telephone any
word. Sources: twilio.com/docs/voice/twiml/dial (callerId), /voice/api/call-resource (From,
CallToken).
"""

from __future__ import annotations

import re
from collections.abc import Set

import msgspec

from hookflash.core.caller_number import is_withheld
from hookflash.core.handoff_plan import E164

CALLER = "caller"
"""The caller id of a plan that shows the caller's own number."""

NAMELESS = {"client": "client:hookflash", "sip": "hookflash"}
"""Who calls, for targets that need no number. What a caller calls themselves is shown to nobody."""

_LEAST_DIGITS = 7


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """`call_sid` is the caller's leg, by which rooms and addresses of the call are named.

    `number` is the telephone number of the person outside, `own_number` that of ours, each None
    where there is none. `call_token` came with the call. `consulting` says that a document is for
    a human's leg on which the agent itself talks.
    """

    call_sid: str
    number: str | None = None
    own_number: str | None = None
    call_token: str = ""
    consulting: bool = False

    @classmethod
    def of(
        cls,
        call_sid: str,
        *,
        direction: str,
        caller: str,
        called: str,
        call_token: str = "",
        consulting: bool = False,
    ) -> Parties:
        """Read who is on a call from what its voice webhook said."""
        return cls(
            call_sid=call_sid,
            number=outer_number(direction, caller, called),
            own_number=own_number(direction, caller, called),
            call_token=call_token,
            consulting=consulting,
        )

    def shown(self, caller_id: str | None) -> str | None:
        """Return the number that a human sees, or None if there is none.

        `caller_id` is as in `DialHumans`.
        """
        if caller_id == CALLER:
            return self.number or self.own_number
        return caller_id or self.own_number

    def shown_to_all(self, caller_id: str | None, kinds: Set[str]) -> str | None:
        """Return what targets of these kinds see that are dialled together; None leaves it to
        Twilio, which shows the caller and refuses that to a telephone if they came by SIP."""
        number = self.shown(caller_id)
        if number is not None or len(kinds) != 1:
            return number
        return NAMELESS.get(next(iter(kinds)))


def own_number(direction: str, caller: str, called: str) -> str | None:
    """Return the number of ours in a call, which may always be shown to a human; or None.

    An inbound call came to our number, an outbound one from it. A call that came over SIP or
    from a browser has no telephone number of ours: then the plan has to name a caller id.
    """
    number, other = (called, caller) if direction == "inbound" else (caller, called)
    return None if _is_sip(other) or not E164.fullmatch(number) else number


def outer_number(direction: str, caller: str, called: str) -> str | None:
    """Return the number of the person outside, if it is one that may be shown to a human."""
    number, other = (caller, called) if direction == "inbound" else (called, caller)
    if _is_sip(other) or not E164.fullmatch(number) or is_withheld(number):
        return None
    return number


def same_number(told: str, number: str) -> bool:
    """Return whether `told` may be `number`, which is in E.164 form: networks also write one
    without its `+`, as it is dialled inside its country, or as a SIP address."""
    if _is_sip(told):
        told = told.partition(":")[2].partition("@")[0]
    if told.startswith("+"):
        return told == number
    digits = re.sub(r"\D", "", told).lstrip("0")
    return len(digits) >= _LEAST_DIGITS and number.endswith(digits)


def _is_sip(address: str) -> bool:
    return address.lower().startswith(("sip:", "sips:"))
