"""SIP addresses: their form, length and headers."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.carrier import Human, sip


@pytest.mark.parametrize(
    "address",
    [
        "sip:desk@example.test",
        "sips:desk@example.test:5061;transport=tls;region=ie1",
        "sip:desk@example.test?x-order=42&X-Name=Anna%20B&User-to-User=abc%3Bencoding%3Dhex",
        "sip:a@h?" + "x-a=" + "1" * 1019,
    ],
)
def test_good_addresses(address: str) -> None:
    assert sip.problem(address) is None


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("sip:desk", 13243),
        ("desk@example.test", 13243),
        ("sip:de sk@example.test", 13243),
        ("sip:desk@example.test;transport=sctp", 13243),
        ("sip:" + "a" * 250 + "@h", 13243),
        ("sip:a@h?" + "x-a=" + "1" * 1020, 21227),
        ("sip:a@h?x-order", 21228),
        ("sip:a@h?Via=b", 21228),
        ("sip:a@h?x-a=1\r\nVia: b", 21228),
    ],
)
def test_what_is_wrong_with_an_address(address: str, code: int) -> None:
    found = sip.problem(address)
    assert found is not None and found[0] == code


def test_a_referred_call_may_have_any_header() -> None:
    assert sip.problem("sip:a@h?Subject=b", any_header=True) is None


def test_headers_are_decoded_and_a_plus_is_a_plus() -> None:
    found = sip.headers_of("sip:a@h;transport=tls?x-a=1%202&x-b=+15550100002")
    assert found == {"x-a": "1 2", "x-b": "+15550100002"}


async def test_a_desk_is_screened_and_its_call_id_told(world: Any) -> None:
    world.carrier.humans["sip:desk@example.test"] = Human.accepts(0.5)
    world.app.answers["/screen"] = (
        '<Response><Gather numDigits="1" action="/accept"><Say>about billing</Say></Gather>'
        "<Hangup/></Response>"
    )
    target = "sip:desk@example.test;transport=tls?x-order=42&amp;x-reason=billing"
    inner = f'<Sip url="/screen">{target}</Sip>'
    call = await world.call(f'<Response><Dial action="/after">{inner}</Dial></Response>')
    await call.timeline.until("bridged")
    child = call.children[0]
    assert sip.headers_of(child.about.to) == {"x-order": "42", "x-reason": "billing"}
    await world.carrier.line(child).hang_up()
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialBridged"], form["DialSipResponseCode"]) == ("true", "200")
    assert form["DialSipCallId"] == world.app.forms("/screen")[0]["SipCallId"]
    assert not world.carrier.alerts


async def test_a_busy_desk_says_so_in_sip(world: Any) -> None:
    world.carrier.humans["sip:desk@example.test"] = Human.busy()
    inner = "<Sip>sip:desk@example.test</Sip>"
    call = await world.call(f'<Response><Dial action="/after">{inner}</Dial></Response>')
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialSipResponseCode"]) == ("busy", "486")
