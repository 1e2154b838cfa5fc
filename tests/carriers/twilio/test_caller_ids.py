"""Who is on a call, and what may be shown of them."""

from __future__ import annotations

import pytest

from hookflash.carriers.twilio.caller_ids import Parties, outer_number, own_number, same_number

CALLS = [
    # direction, from, to, ours, theirs
    ("inbound", "+15550142", "+15550100", "+15550100", "+15550142"),
    ("inbound", "anonymous", "+15550100", "+15550100", None),
    ("inbound", "client:web", "+15550100", "+15550100", None),
    ("inbound", "sip:a@example.com", "+15550100", None, None),
    ("inbound", "+15550142", "sip:line@example.com", None, None),
    ("inbound", "client:web", "", None, None),
    ("inbound", "+266696687", "+15550100", "+15550100", None),
    ("inbound", "RESTRICTED", "+15550100", "+15550100", None),
    ("outbound", "+15550100", "+15550142", "+15550100", "+15550142"),
    ("outbound", "client:web", "+15550142", None, "+15550142"),
]


@pytest.mark.parametrize(("direction", "caller", "called", "ours", "theirs"), CALLS)
def test_each_side_has_a_number_if_it_is_one_that_may_be_shown(
    direction: str, caller: str, called: str, ours: str | None, theirs: str | None
) -> None:
    assert own_number(direction, caller, called) == ours
    assert outer_number(direction, caller, called) == theirs
    parties = Parties.of("CA1", direction=direction, caller=caller, called=called)
    assert (parties.own_number, parties.number) == (ours, theirs)


@pytest.mark.parametrize(
    ("told", "same"),
    [
        ("+15550142", True),
        ("15550142", True),
        ("0015550142", True),
        ("5550142", True),
        ("(555) 01-42", True),
        ("sip:+15550142@10.0.0.1:5060", True),
        ("sip:5550143@10.0.0.1:5060", False),
        ("550142", False),
        ("+5550142", False),
        ("+15550143", False),
        ("client:web", False),
        ("", False),
    ],
)
def test_a_number_is_known_in_the_spellings_of_networks(told: str, same: bool) -> None:
    assert same_number(told, "+15550142") is same
