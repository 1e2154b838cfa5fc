"""The parts of a line fit together."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.core.commands import ConnectAgent, DialHumans, Speak
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError
from hookflash.server.line import NUMBERS_KEPT, TwilioLine

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
    line.write.remember("CA1", "+15550100")
    line.write.remember("CA1", None)
    assert 'callerId="+15550100"' in line.write("CA1", (ANNA,))
    assert "callerId" not in line.write("CA2", (ANNA,))
    for number in range(NUMBERS_KEPT):
        line.write.remember(f"CB{number}", "+15550101")
    assert "callerId" not in line.write("CA1", (ANNA,))


def test_language_and_voice_are_those_of_the_line() -> None:
    line = open_line(language="de-DE", voice="Polly.Vicki")
    assert '<Say language="de-DE" voice="Polly.Vicki">' in line.write("CA1", (Speak("x"),))


async def test_the_rest_side_writes_with_the_same_tokens() -> None:
    line = open_line()
    control = line.control(account_sid="AC1", auth_token="t", api_url="http://127.0.0.1:1")
    assert isinstance(control, TwilioControl)
    assert control._render is line.write
    await control.aclose()


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
