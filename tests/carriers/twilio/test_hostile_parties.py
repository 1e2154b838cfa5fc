"""What a caller by SIP writes into their address is visible and short before anything stores it."""

from __future__ import annotations

import pytest

from hookflash.carriers.twilio.messages import Unknown, decode
from hookflash.carriers.twilio.webhooks import Form, call_arrived, error_of, forwarded
from hookflash.core.visible_text import ADDRESS_CHARS
from hookflash.server.webhook_forms import describe_notice

REVERSED = "sip:\u202eanna@example.com"
LONG = "sip:" + "a" * 20_000
SECOND_LINE = "sip:a@example.com\n2026-01-01 hookflash.server ! all calls are lost"


def form(**fields: str) -> Form:
    known = {"CallSid": "CA1", "From": "+15550100", "To": "+15550101", "CallStatus": "ringing"}
    return Form({name: [value] for name, value in (known | fields).items()})


@pytest.mark.parametrize("address", [REVERSED, LONG, SECOND_LINE])
def test_an_address_is_one_short_line_that_shows_everything(address: str) -> None:
    arrived = call_arrived(form(From=address, To=address))
    passed_on = forwarded(form(From=address, ForwardedFrom=address))
    assert passed_on is not None
    shown = {arrived.caller, arrived.called, passed_on.by, passed_on.caller}
    assert len(shown) == 1
    for each in shown:
        assert each.isprintable() and 4 < len(each) <= ADDRESS_CHARS


def test_an_address_that_can_be_shown_stays_as_it_is() -> None:
    address = "sip:anna.müller@example.com;transport=tls"
    assert call_arrived(form(From=address)).caller == address
    assert call_arrived(form()).caller == "+15550100"


def test_what_stands_in_a_notice_or_an_error_begins_no_line_of_the_log() -> None:
    text = "a\nb\u202ec"
    assert describe_notice(form(CallStatus=text)) == "a\\nb\\u202ec"
    assert error_of(form(ErrorCode="1\n2", ErrorMessage=text)) == "error 1\\n2, a\\nb\\u202ec"


def test_an_unknown_event_of_a_stream_is_logged_on_one_line() -> None:
    unknown = decode('{"event": "a\\nb\\u202e", "streamSid": "c\\nd"}')
    assert unknown == Unknown("a\\nb\\u202e", "c\\nd")
