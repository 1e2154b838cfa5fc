"""Callers: who withholds their number, and what the others are called."""

from __future__ import annotations

import pytest

from hookflash.core.caller_number import is_withheld, masked, spoken_caller

WITHHELD = [
    *("", "  ", "-", "anonymous", "Anonymous", "ANONYMOUS", "RESTRICTED", "Restricted"),
    *("unknown", "Unavailable", "Not Available", "not-available", "Blocked", "hidden"),
    *("Private Number", "PRIVATE_NUMBER", "No Caller ID", "Unknown Caller", "Caller ID withheld"),
    *("+266696687", "266696687", "+8656696", "+2562533", "+7748283"),
    *(f"+{digits}" for digits in ("7378742883", "7378742833", "86282452253")),
    *("sip:anonymous@anonymous.invalid", "SIP:Anonymous@sip.example.com:5060", "sips:RESTRICTED@x"),
    *("sip:x@anonymous.invalid;transport=tls", '"Anonymous" <sip:anonymous@example.com>'),
    *("sip:+266696687@example.com", "client:anonymous", "tel:+266696687"),
]
TOLD = [
    ("+15550100", "A caller whose number ends in 0 1 0 0"),
    ("tel:+1-555-0100", "A caller whose number ends in 0 1 0 0"),
    ("sip:+15550142@example.com;user=phone", "A caller whose number ends in 0 1 4 2"),
    ("sip:15550142@example.com", "A caller whose number ends in 0 1 4 2"),
    ("client:anna", "anna"),
    ("sip:joe.doe@example.com", "joe.doe"),
    ('"Joe" <sip:joe.doe@example.com>', "joe.doe"),
    ("sip:100@pbx.example.com", "100"),
    ("client:private-clinic", "private-clinic"),
    ("sip:<say>@example.com", "say"),
]


@pytest.mark.parametrize("caller", WITHHELD)
def test_who_withholds_their_number_is_called_a_caller(caller: str) -> None:
    assert is_withheld(caller)
    assert spoken_caller(caller) == "A caller"


@pytest.mark.parametrize(("caller", "spoken"), TOLD)
def test_who_says_who_they_are_is_named_without_their_number(caller: str, spoken: str) -> None:
    assert not is_withheld(caller)
    assert spoken_caller(caller) == spoken


@pytest.mark.parametrize("caller", ["+15552666966", "+1555256253"])
def test_a_number_that_only_looks_alike_is_a_number(caller: str) -> None:
    assert not is_withheld(caller)


def test_an_address_without_anything_that_can_be_said_is_a_caller() -> None:
    assert spoken_caller("client:\N{SNOWMAN}") == "A caller"


def test_of_each_telephone_number_in_a_text_two_digits_are_left() -> None:
    text = "The source phone number provided, +1 (555) 010-0142, is not yet verified: code 21210"
    told = "The source phone number provided, …42, is not yet verified: code 21210"
    assert masked(text) == told
