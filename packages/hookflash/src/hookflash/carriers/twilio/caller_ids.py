"""The numbers of a call's parties, and which of them may be shown to whom. No I/O.

Twilio's rules: a phone may be shown the numbers of the call itself and any of the account's. After
a call by SIP only those of the account are allowed. In a call placed by REST, the caller's number
needs the `CallToken` of their call. A browser may also be shown `client:name`, a SIP phone any
word.

Sources: twilio.com/docs/voice/twiml/dial (callerId), /voice/api/call-resource (From, CallToken).
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
"""The caller id for targets that need no number. A caller's own display name is never shown."""

_MIN_DIGITS = 7


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a call.

    `call_sid` is the caller's leg, which names rooms and URLs of the call. `number` is the phone
    number of the other party, `own_number` is the line's; either may be None. `call_token` came
    with the call. `consulting`: a document is for a human's leg in a consultation.
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
        """Read the parties from the fields of a voice webhook."""
        return cls(
            call_sid=call_sid,
            number=outer_number(direction, caller, called),
            own_number=own_number(direction, caller, called),
            call_token=call_token,
            consulting=consulting,
        )

    def shown(self, caller_id: str | None) -> str | None:
        """Return the number that a human sees, or None. `caller_id` is as in `DialHumans`."""
        if caller_id == CALLER:
            return self.number or self.own_number
        return caller_id or self.own_number

    def shown_to_all(self, caller_id: str | None, kinds: Set[str]) -> str | None:
        """Return the caller id for targets of these kinds that are dialled together.

        None leaves it to Twilio, which shows the caller. For a phone Twilio refuses that if they
        came by SIP.
        """
        number = self.shown(caller_id)
        if number is not None or len(kinds) != 1:
            return number
        return NAMELESS.get(next(iter(kinds)))


def own_number(direction: str, caller: str, called: str) -> str | None:
    """Return the line's number in a call, which may always be shown to a human, or None.

    An inbound call came to that number, an outbound call from it. A call by SIP or from a browser
    has no such number: the plan must then set a caller id.
    """
    number, other = (called, caller) if direction == "inbound" else (caller, called)
    return None if _is_sip(other) or not E164.fullmatch(number) else number


def outer_number(direction: str, caller: str, called: str) -> str | None:
    """Return the other party's number, if it may be shown to a human."""
    number, other = (caller, called) if direction == "inbound" else (called, caller)
    if _is_sip(other) or not E164.fullmatch(number) or is_withheld(number):
        return None
    return number


def same_number(reported: str, number: str) -> bool:
    """Return whether `reported` may be `number`, which is in E.164 form.

    Networks also write a number without its `+`, in its national form, or as a SIP address.
    """
    if _is_sip(reported):
        reported = reported.partition(":")[2].partition("@")[0]
    if reported.startswith("+"):
        return reported == number
    digits = re.sub(r"\D", "", reported).lstrip("0")
    return len(digits) >= _MIN_DIGITS and number.endswith(digits)


def _is_sip(address: str) -> bool:
    return address.lower().startswith(("sip:", "sips:"))
