"""The request to call somebody, as form fields of `POST Calls`. No I/O.

Answering machine detection is asynchronous, so that a person is not kept in silence until it has a
result. It listens for the end of a mailbox's greeting, which the message must not cut into.

Source: twilio.com/docs/voice/api/call-resource, Create a Call; answering-machine-detection.
"""

from __future__ import annotations

from hookflash.carriers.twilio.ring_request import STATUS_EVENTS, Fields
from hookflash.carriers.twilio.urls import Urls


def place_fields(*, caller: str, called: str, ring_seconds: int, urls: Urls) -> Fields:
    """Return the form fields; a list is a repeated field. The numbers are in E.164 form."""
    return {
        "To": called,
        "From": caller,
        "Url": urls.voice(),
        "Method": "POST",
        "FallbackUrl": urls.voice(),
        "FallbackMethod": "POST",
        "StatusCallback": urls.status(),
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": list(STATUS_EVENTS),
        "Timeout": str(ring_seconds),
        "MachineDetection": "DetectMessageEnd",
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": urls.detected(),
        "AsyncAmdStatusCallbackMethod": "POST",
    }
