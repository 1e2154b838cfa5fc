"""The order to ring a human: its fields, against those that are documented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.ring_request import ring_fields
from hookflash.carriers.twilio.urls import RETRY
from hookflash.core.commands import RingHuman
from hookflash.core.handoff_plan import Target, queue_target
from hookflash.errors import ConfigError

from .conftest import CALL, PARTIES, URLS, caller_ids, clients, few, phones, sips

# Source: twilio.com/docs/voice/api/call-resource, the parameters of Create a Call that we use.
DOCUMENTED = {
    *("To", "From", "Url", "Method", "StatusCallback", "StatusCallbackMethod"),
    *("StatusCallbackEvent", "Timeout", "MachineDetection", "CallToken", "SendDigits"),
}
STATUSES = {"initiated", "ringing", "answered", "completed"}

PHONE, ANNA = Target.phone("+15550177"), Target.client("anna")
DESK = Target.sip("sip:desk@example.com?x-a=1")


def ring(target: Target = PHONE, **more: object) -> RingHuman:
    return RingHuman(**{"wave": 2, "leg": 1, "target": target, "ring_seconds": 25, **more})


def test_a_telephone_is_rung_from_our_number_and_asked_about_when_somebody_answers() -> None:
    about = f"https://line.example.com/twilio/human/{CALL}/2/1"
    assert ring_fields(ring(), URLS, PARTIES) == {
        "To": "+15550177",
        "From": "+15550100",
        "Url": f"{about}/answered" + RETRY,
        "Method": "POST",
        "StatusCallback": f"{about}/status",
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "Timeout": "25",
    }


@pytest.mark.parametrize(
    ("target", "to"),
    [(PHONE, "+15550177"), (ANNA, "client:anna"), (DESK, "sip:desk@example.com?x-a=1")],
)
def test_each_kind_of_target_has_its_form(target: Target, to: str) -> None:
    assert ring_fields(ring(target), URLS, PARTIES)["To"] == to


@pytest.mark.parametrize(("target", "detected"), [(PHONE, True), (DESK, True), (ANNA, False)])
def test_a_detection_comes_before_the_question(target: Target, detected: bool) -> None:
    fields = ring_fields(ring(target, detect=True), URLS, PARTIES)
    assert (fields.get("MachineDetection") == "Enable") is detected


def shown(target: Target, caller_id: str | None, parties: Parties) -> tuple[object, object]:
    fields = ring_fields(ring(target, caller_id=caller_id), URLS, parties)
    return fields["From"], fields.get("CallToken")


def test_the_callers_own_number_is_shown_where_it_may_be() -> None:
    proven = Parties(call_sid=CALL, number="+15550142", own_number="+15550100", call_token="T")
    assert shown(PHONE, "caller", proven) == ("+15550142", "T")
    assert shown(PHONE, "caller", PARTIES) == ("+15550100", None)
    assert shown(ANNA, "caller", PARTIES) == ("+15550142", None)
    assert shown(DESK, "caller", PARTIES) == ("+15550142", None)
    assert shown(PHONE, "+15550111", proven) == ("+15550111", None)
    withheld = Parties(call_sid=CALL, own_number="+15550100", call_token="T")
    assert shown(PHONE, "caller", withheld) == ("+15550100", None)


def test_a_line_without_a_number_can_ring_browsers_and_sip_telephones() -> None:
    nameless = Parties(call_sid=CALL)
    assert shown(ANNA, None, nameless)[0] == "client:hookflash"
    assert shown(DESK, "caller", nameless)[0] == "hookflash"
    for caller_id in (None, "caller"):
        with pytest.raises(ConfigError, match="caller_id in the plan"):
            shown(PHONE, caller_id, nameless)


@pytest.mark.parametrize("detect", [False, True])
def test_an_extension_is_sent_as_keys_and_nobody_listens_for_machines_then(detect: bool) -> None:
    """Twilio ignores MachineDetection where SendDigits is set."""
    what = ring(Target.phone("+15550177", extension=",12#"), detect=detect)
    fields = ring_fields(what, URLS, PARTIES)
    assert (fields["To"], fields["SendDigits"]) == ("+15550177", "WW12#")
    assert "MachineDetection" not in fields
    assert "SendDigits" not in ring_fields(ring(), URLS, PARTIES)


def test_a_queue_is_not_rung() -> None:
    with pytest.raises(ConfigError, match="queue"):
        ring_fields(ring(queue_target("desk")), URLS, PARTIES)


@given(
    st.builds(
        RingHuman, few, few, phones | clients | sips, st.integers(5, 600), caller_ids, st.booleans()
    ),
    st.sampled_from(["", "token"]),
)
def test_every_order_uses_only_documented_parameters_and_absolute_addresses(
    what: RingHuman, token: str
) -> None:
    parties = Parties(call_sid=CALL, number="+15550142", own_number="+15550100", call_token=token)
    fields = ring_fields(what, URLS, parties)
    assert set(fields) <= DOCUMENTED
    assert set(fields["StatusCallbackEvent"]) == STATUSES
    for name in ("Url", "StatusCallback"):
        assert str(fields[name]).startswith("https://line.example.com/twilio/human/")
    assert all(isinstance(each, str | list) and each for each in fields.values())
