"""REST: IncomingPhoneNumbers. No I/O.

    IncomingPhoneNumbers.json        list, by PhoneNumber
    IncomingPhoneNumbers/{PN}.json   fetch; update sets the webhooks

A number has the SID `PN` and 32 hex digits made from its digits.

Source: Twilio, IncomingPhoneNumber resource.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from hookflash_local.carrier.exchange import NumberConfig
from hookflash_local.carrier.ids import API_VERSION
from hookflash_local.carrier.rest.rest_request import Answer, Resource, RestRequest, page

_NAMES = {
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "fallback_url",
    "VoiceFallbackMethod": "fallback_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_method",
}
"""Twilio's names of the fields, and those of a `NumberConfig`."""


def number_sid(number: str) -> str:
    """Return the SID of a number."""
    return f"PN{hashlib.sha256(number.encode()).hexdigest()[:32]}"


def _body(request: RestRequest, number: str, config: NumberConfig) -> dict[str, Any]:
    account, sid = request.exchange.settings.account_sid, number_sid(number)
    return {
        "account_sid": account,
        "sid": sid,
        "phone_number": number,
        "friendly_name": number,
        "voice_url": config.voice_url,
        "voice_method": config.voice_method,
        "voice_fallback_url": config.fallback_url or "",
        "voice_fallback_method": config.fallback_method,
        "status_callback": config.status_callback or "",
        "status_callback_method": config.status_method,
        "voice_application_sid": "",
        "uri": f"/{API_VERSION}/Accounts/{account}/IncomingPhoneNumbers/{sid}.json",
    }


def list_(request: RestRequest) -> Answer:
    wanted = request.query.get("PhoneNumber", "")
    numbers = request.exchange.directory.numbers
    found = [
        _body(request, number, config) for number, config in numbers.items() if wanted in number
    ]
    return page(request, "incoming_phone_numbers", found)


def _number(request: RestRequest) -> str:
    """Find a number by its SID. Raises RestError."""
    for number in request.exchange.directory.numbers:
        if number_sid(number) == request.names["number"]:
            return number
    raise request.gone()


def fetch(request: RestRequest) -> Answer:
    number = _number(request)
    return 200, _body(request, number, request.exchange.directory.numbers[number])


def update(request: RestRequest) -> Answer:
    number, numbers = _number(request), request.exchange.directory.numbers
    changes = {_NAMES[name]: value for name, value in request.pairs if name in _NAMES}
    numbers[number] = replace(numbers[number], **changes)
    return 200, _body(request, number, numbers[number])


_ONE = "/IncomingPhoneNumbers/{number}.json"

RESOURCES = (
    Resource("GET", "/IncomingPhoneNumbers.json", list_),
    Resource("GET", _ONE, fetch),
    Resource("POST", _ONE, update),
)
