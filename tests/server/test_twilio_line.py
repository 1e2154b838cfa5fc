"""The parts of a line fit together."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.core.commands import ConnectAgent, DialHumans, RingHuman, Screen, Speak
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError
from hookflash.server.twilio_line import MAX_PARTIES, TwilioLine

ANNA = DialHumans(1, (Target.client("anna"),), 20)


def open_line(**more: object) -> TwilioLine:
    return TwilioLine.open(public_url="https://line.example.com", auth_tokens=["t"], **more)


def test_a_written_stream_carries_a_token_that_is_good_for_its_call_and_step() -> None:
    line = open_line()
    document = ET.fromstring(line.write("CA1", (ConnectAgent(4),)))
    parameter = document.find("Connect/Stream/Parameter")
    assert parameter is not None
    token = parameter.attrib["value"]
    assert line.tokens.redeem("CA2", token) is None
    assert line.tokens.redeem("CA1", token) == 4


def test_the_number_that_was_remembered_is_shown_to_humans() -> None:
    line = open_line()
    line.write.remember(Parties(call_sid="CA1", own_number="+15550100"))
    assert 'callerId="+15550100"' in line.write("CA1", (ANNA,))
    assert 'callerId="client:hookflash"' in line.write("CA2", (ANNA,))
    for number in range(MAX_PARTIES):
        line.write.remember(Parties(call_sid=f"CB{number}", own_number="+15550101"))
    assert 'callerId="client:hookflash"' in line.write("CA1", (ANNA,))


def test_a_call_that_came_to_no_number_shows_the_number_that_was_set() -> None:
    line = open_line(caller_id="+15550177")
    line.write.remember(Parties(call_sid="CA1", own_number="+15550100"))
    assert 'callerId="+15550100"' in line.write("CA1", (ANNA,))
    line.write.remember(Parties(call_sid="CA2"))
    assert 'callerId="+15550177"' in line.write("CA2", (ANNA,))
    ring_request = RingHuman(1, 0, Target.phone("+15550102"), 20)
    assert line.write.ring_request("CA2", ring_request)["From"] == "+15550177"


def test_language_and_voice_are_those_of_the_line() -> None:
    line = open_line(language="de-DE", voice="Polly.Vicki")
    assert '<Say language="de-DE" voice="Polly.Vicki">' in line.write("CA1", (Speak("x"),))


async def test_the_rest_side_writes_with_the_same_tokens() -> None:
    line = open_line()
    control = line.control(account_sid="AC1", auth_token="t", api_url="http://127.0.0.1:1")
    assert isinstance(control, TwilioControl)
    assert control._writer is line.write
    document = ET.fromstring(line.write.for_rest("CA1", (ConnectAgent(4),)))
    token = document.findall("Connect/Stream/Parameter")[0].attrib["value"]
    assert line.tokens.redeem("CA1", token) == 4
    await control.aclose()


def test_a_humans_leg_has_a_token_of_its_own_and_the_addresses_of_the_callers_call() -> None:
    line = open_line()
    document = ET.fromstring(line.write("CA1", (ConnectAgent(4),), leg_sid="CA9"))
    connect = document.findall("Connect")[0]
    token = connect.findall("Stream/Parameter")[0].attrib["value"]
    assert connect.attrib["action"].startswith("https://line.example.com/twilio/consult/CA1/4#")
    assert line.tokens.redeem("CA1", token) is None
    assert line.tokens.redeem("CA9", token) == 4


def test_what_a_call_knows_of_itself_counts_more_than_what_a_webhook_told() -> None:
    line = open_line()
    ring = RingHuman(1, 0, Target.phone("+15550177"), 20, "caller")
    told = Parties.of(
        *("CA1",), direction="inbound", caller="+15550142", called="+15550100", call_token="T"
    )
    line.write.remember(told)
    line.write.remember(Parties(call_sid="CA1", own_number="+15550100"))
    assert line.write.ring_request("CA1", ring)["CallToken"] == "T"
    line.write.find = {"CA1": Parties(call_sid="CA1", own_number="+15550111")}.get
    assert line.write.ring_request("CA1", ring)["From"] == "+15550111"


def test_a_leg_that_is_moved_by_rest_belongs_to_the_call_that_it_was_rung_for() -> None:
    line = open_line()
    parties = Parties(call_sid="CA1", own_number="+15550100", consulting=True)
    line.write.find = {"CA9": parties}.get
    document = line.write.for_rest("CA9", (Screen(2, 0, "x"),))
    assert "/twilio/human/CA1/2/0/pressed" in document


def test_unsigned_is_granted_only_among_stand_ins() -> None:
    peers = ("http://127.0.0.1:1", "ws://127.0.0.1:2/v1/realtime")
    with pytest.raises(ConfigError, match="stand-in"):
        open_line(allow_unsigned=True, peers=peers)
    for wrong in ("https://api.twilio.com", "wss://api.openai.com/v1/realtime"):
        with pytest.raises(ConfigError, match="stand-in"):
            TwilioLine.open(
                public_url="http://127.0.0.1:3",
                auth_tokens=(),
                allow_unsigned=True,
                peers=(*peers, wrong),
            )
    assert TwilioLine.open(
        public_url="http://127.0.0.1:3", auth_tokens=(), allow_unsigned=True, peers=peers
    )
