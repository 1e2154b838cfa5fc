"""The media socket's messages, word by word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash_local.carrier.media.stream_messages import (
    BadMessage,
    Clear,
    Mark,
    Media,
    Upward,
    connected,
    read,
)

SID = "MZ1"


def test_what_goes_up_is_numbered_in_decimal_texts() -> None:
    up = Upward("AC1", "CA1", SID)
    assert json.loads(connected()) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert json.loads(up.start({"a": "b"}))["start"]["customParameters"] == {"a": "b"}
    assert json.loads(up.media(b"\xff\x00", 0)) == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": SID,
        "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "/wA="},
    }
    assert json.loads(up.media(b"", 20))["media"]["chunk"] == "2"
    assert json.loads(up.dtmf("#"))["dtmf"] == {"track": "inbound_track", "digit": "#"}
    assert json.loads(up.mark("m"))["mark"] == {"name": "m"}
    assert json.loads(up.stop())["sequenceNumber"] == "6"


@pytest.mark.parametrize(
    ("message", "order"),
    [
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"/wA="}}', Media(b"\xff\x00")),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":"m"}}', Mark("m")),
        ('{"streamSid":"MZ1","event":"clear"}', Clear()),
    ],
)
def test_exactly_the_documented_messages_are_taken(
    message: str, order: Media | Mark | Clear
) -> None:
    assert read(message, SID) == order


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        '"clear"',
        '{"event":"hello","streamSid":"MZ1"}',
        '{"event":"clear"}',
        '{"event":"clear","streamSid":"MZ2"}',
        '{"event":"clear","streamSid":"MZ1","clear":{}}',
        '{"event":"mark","streamSid":"MZ1"}',
        '{"event":"mark","streamSid":"MZ1","mark":"m"}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":1}}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":"m","more":1}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"*"}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":1}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"","track":"outbound"}}',
        '{"event":["media"],"streamSid":"MZ1"}',
    ],
)
def test_everything_else_is_invalid(message: str) -> None:
    with pytest.raises(BadMessage) as error:
        read(message, SID)
    assert error.value.code == 31951


def test_a_binary_frame_is_malformed() -> None:
    with pytest.raises(BadMessage) as error:
        read(b"{}", SID)
    assert error.value.code == 31950


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_garbage_raises_nothing_else(message: str) -> None:
    with pytest.raises(BadMessage):
        read(message, SID)
