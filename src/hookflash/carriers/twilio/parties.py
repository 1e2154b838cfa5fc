"""Who is on a call, as far as numbers that may be shown and addresses go. No I/O.

Rules of Twilio's: to a telephone may be shown the numbers of the call itself and any of ours; after
a call that came by SIP, ours only; in a call placed by REST, the caller's only with the `CallToken`
that came with their call. Sources: twilio.com/docs/voice/twiml/dial (callerId),
/voice/api/call-resource (From, CallToken).
"""

from __future__ import annotations

import msgspec

from hookflash.core.handoff_plan import E164

CALLER = "caller"
"""The caller id of a plan that shows the caller's own number."""


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
        """Return the number that a human sees; None leaves it to Twilio.

        `caller_id` is as in `DialHumans`.
        """
        if caller_id == CALLER:
            return self.number or self.own_number
        return caller_id or self.own_number


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
    return None if _is_sip(other) or not E164.fullmatch(number) else number


def _is_sip(address: str) -> bool:
    return address.lower().startswith(("sip:", "sips:"))
