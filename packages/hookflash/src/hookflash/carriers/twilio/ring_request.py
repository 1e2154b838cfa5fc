"""The request to ring a human, as form fields of `POST Calls`. No I/O.

A phone sees a number of the account, or the caller's own if the token of their call proves it. A
browser or SIP phone may also see the name `hookflash`, for a line without a number.

Source: twilio.com/docs/voice/api/call-resource, Create a Call.
"""

from __future__ import annotations

from hookflash.carriers.twilio.caller_ids import CALLER, NAMELESS, Parties
from hookflash.carriers.twilio.urls import Urls
from hookflash.core.commands import RingHuman
from hookflash.errors import ConfigError

STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")

Fields = dict[str, str | list[str]]


def ring_fields(what: RingHuman, urls: Urls, parties: Parties) -> Fields:
    """Return the form fields; a list is a repeated field.

    Raises `ConfigError` for a target that cannot be rung, or that needs a number of the line.
    """
    fields: Fields = {
        "To": _address(what),
        **_shown(what, parties),
        "Url": urls.human(parties.call_sid, what.wave, what.leg, "answered"),
        "Method": "POST",
        "StatusCallback": urls.human_status(parties.call_sid, what.wave, what.leg),
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": list(STATUS_EVENTS),
        "Timeout": str(what.ring_seconds),
    }
    if what.target.extension:
        fields["SendDigits"] = what.target.keys
    elif what.detect and what.target.kind != "client":
        # `Url` is requested only after the detection. Twilio ignores this if digits are sent.
        fields["MachineDetection"] = "Enable"
    return fields


def _address(what: RingHuman) -> str:
    kind, address = what.target.kind, what.target.address
    if kind == "queue":
        raise ConfigError("a queue cannot be rung; its humans take the caller from it themselves")
    return f"client:{address}" if kind == "client" else address


def _shown(what: RingHuman, parties: Parties) -> Fields:
    kind = what.target.kind
    if what.caller_id == CALLER and parties.number is not None:
        if kind != "phone":
            return {"From": parties.number}
        if parties.call_token:
            return {"From": parties.number, "CallToken": parties.call_token}
    number = parties.own_number if what.caller_id == CALLER else parties.shown(what.caller_id)
    number = number or NAMELESS.get(kind)
    if number is None:
        raise ConfigError(
            "a telephone is rung from a number of yours, and the caller's line has none: set"
            " HOOKFLASH_CALLER_ID, or caller_id in the plan"
        )
    return {"From": number}
