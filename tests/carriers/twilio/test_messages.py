"""The codec of the media socket: captured messages in, values out, and back."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hookflash.carriers.twilio.messages import (
    Connected,
    Dtmf,
    Frames,
    Mark,
    Media,
    SoundFinder,
    Start,
    Stop,
    Unknown,
    decode,
    to_event,
)
from hookflash.core.events import CallerAudio, DigitPressed, MarkReturned, StreamStopped
from hookflash.errors import CarrierProtocolError

WIRE = Path(__file__).parents[2] / "wire" / "twilio"
STREAM = (WIRE / "stream.jsonl").read_text().splitlines()
ODD = (WIRE / "odd.jsonl").read_text().splitlines()
SID = "MZ11111111111111111111111111111111"


def test_a_captured_stream_is_read_to_its_end() -> None:
    kinds = [type(decode(line)) for line in STREAM]
    assert kinds == [Connected, Start, Media, Media, Mark, Dtmf, Stop]


def test_text_and_bytes_read_alike() -> None:
    assert [decode(line) for line in STREAM] == [decode(line.encode()) for line in STREAM]


def test_start_says_who_it_is_and_carries_our_parameter() -> None:
    start = decode(STREAM[1])
    assert isinstance(start, Start)
    assert start.sid() == SID
    assert start.start.call_sid == "CA22222222222222222222222222222222"
    assert start.parameter("token") == "good-token"
    assert start.parameter("other") == ""
    assert (start.start.media_format.sample_rate, start.start.media_format.channels) == (8000, 1)


def test_the_stream_sid_may_stand_inside_start_only_and_a_parameter_must_be_text() -> None:
    start = decode(
        '{"event":"start","start":{"callSid":"CA1","streamSid":"MZ1","customParameters":{"token":1}}}'
    )
    assert isinstance(start, Start)
    assert start.sid() == "MZ1"
    assert start.parameter("token") == ""


@pytest.mark.parametrize(
    ("sids", "form", "checked"),
    [
        (("MZ1", ""), {}, "MZ1"),
        (("", "MZ2"), {}, "MZ2"),
        (("MZ1", "MZ2"), {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}, "MZ1"),
    ],
)
def test_a_start_with_a_sid_and_telephone_sound_is_accepted(
    sids: tuple[str, str], form: dict[str, object], checked: str
) -> None:
    assert started(*sids, form).checked_sid() == checked


@pytest.mark.parametrize(
    ("sid", "form"),
    [
        ("", {}),
        ("MZ1", {"encoding": "audio/x-l16"}),
        ("MZ1", {"sampleRate": 16000}),
        ("MZ1", {"channels": 2}),
    ],
)
def test_a_start_without_a_sid_or_with_other_sound_is_a_protocol_error(
    sid: str, form: dict[str, object]
) -> None:
    with pytest.raises(CarrierProtocolError, match="expected a stream SID and audio/x-mulaw, 8000"):
        started(sid, "", form).checked_sid()


def started(outer_sid: str, inner_sid: str, form: dict[str, object]) -> Start:
    """Return a start message with the stream's SID in either place and a media format."""
    inner = {"callSid": "CA1", "streamSid": inner_sid, "mediaFormat": form}
    start = decode(json.dumps({"event": "start", "streamSid": outer_sid, "start": inner}))
    assert isinstance(start, Start)
    return start


def test_captured_messages_become_the_events_of_the_core() -> None:
    events = [to_event(m) for m in map(decode, STREAM) if not isinstance(m, Connected | Start)]
    silence = base64.b64encode(b"\xff" * 160).decode()
    assert events == [
        CallerAudio(silence, 160, 0),
        CallerAudio("/35+fn7///9+fg==", 10, 20),
        MarkReturned("g0:item_A:4000"),
        DigitPressed("0"),
        StreamStopped(SID, "stop"),
    ]


def test_unusual_valid_messages_are_read_or_ignored() -> None:
    messages = [decode(line) for line in ODD]
    assert messages[-1] == Unknown("transcription", "MZ1")
    assert [to_event(m) for m in messages if isinstance(m, Media | Dtmf | Stop)] == [
        CallerAudio("/w==", 1, 20),
        CallerAudio("//8=", 2, 40),
        None,
        None,
        DigitPressed("5"),
        DigitPressed("A"),
        StreamStopped("", "stop"),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 159, 160, 161, 4000, 80_000])
def test_any_payload_length_is_measured_right(size: int) -> None:
    payload = base64.b64encode(bytes(size)).decode()
    message = decode(json.dumps({"event": "media", "media": {"payload": payload}}))
    assert isinstance(message, Media)
    assert to_event(message) == CallerAudio(payload, size, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "null",
        "[]",
        "NaN",
        "{}",
        '{"event":5}',
        '{"event":"media"}',
        '{"event":"media","media":[]}',
        '{"event":"media","media":{"payload":7}}',
        '{"event":"media","media":{"payload":"","timestamp":"soon"}}',
        '{"event":"media","media":{"payload":"","timestamp":-1}}',
        '{"event":"media","media":{"payload":"","timestamp":1e400}}',
        '{"event":"start","start":{}}',
        '{"event":"mark"}',
        '{"event":"dtmf","dtmf":{}}',
        '{"event":"stop"',
        "[" * 100_000,
        '{"event":"media","media":{"x":' + "[" * 100_000,
        '{"event":"x","y":' + "[" * 100_000,
        '{"event":"' + "x" * 100_000,
        "\ud800",
        b"\xff\xfe",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_garbage_is_a_protocol_error_with_a_short_message(text: str | bytes) -> None:
    with pytest.raises(CarrierProtocolError, match="media socket: expected") as caught:
        decode(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("payload", "padded", "size"),
    [("/w", "/w==", 1), ("//8", "//8=", 2), ("/35+fn7///9+fg", "/35+fn7///9+fg==", 10)],
)
def test_base64_without_padding_is_padded_for_the_model(
    payload: str, padded: str, size: int
) -> None:
    message = decode(json.dumps({"event": "media", "media": {"payload": payload}}))
    assert isinstance(message, Media)
    assert to_event(message) == CallerAudio(padded, size, 0)


@pytest.mark.parametrize(
    "odd",
    [
        {"streamSid": None, "media": {"payload": "/w==", "timestamp": "20", "track": "inbound"}},
        {"streamSid": SID, "media": {"payload": "/w==", "timestamp": None, "track": "inbound"}},
        {"streamSid": SID, "media": {"payload": "/w==", "timestamp": "20", "track": None}},
        {"streamSid": SID, "sequenceNumber": None, "media": {"payload": "/w==", "chunk": None}},
    ],
    ids=["stream SID", "timestamp", "track", "not read"],
)
def test_a_null_in_media_reads_like_a_missing_field(odd: dict[str, object]) -> None:
    without = {name: value for name, value in odd.items() if value is not None}
    media = odd["media"]
    assert isinstance(media, dict)
    without["media"] = {name: value for name, value in media.items() if value is not None}
    message = decode(json.dumps({"event": "media"} | odd))
    assert isinstance(message, Media)
    assert message == decode(json.dumps({"event": "media"} | without).encode())
    assert decode(json.dumps({"event": "media"} | odd).encode()) == message


def test_a_null_in_start_reads_like_a_missing_field() -> None:
    details = {"callSid": "CA1", "customParameters": None, "accountSid": None, "mediaFormat": None}
    start = decode(json.dumps({"event": "start", "streamSid": "MZ1", "start": details}))
    assert isinstance(start, Start)
    assert start.checked_sid() == "MZ1"
    assert start.parameter("token") == ""


def test_a_null_that_must_be_something_is_a_protocol_error() -> None:
    for text in (
        '{"event":"media","media":null}',
        '{"event":"media","media":{"payload":null}}',
        '{"event":"start","start":{"callSid":null}}',
        '{"event":"mark","mark":{"name":null}}',
        '{"event":"media","media":{"payload":7,"track":null}}',
        '{"event":"media","media":{"x":null,"y":' + "[" * 100_000,
    ):
        for data in (text, text.encode()):
            with pytest.raises(CarrierProtocolError, match="media socket: expected"):
                decode(data)


@pytest.mark.parametrize("payload", ["####", "/w8AA", "/w=", "/w==/w==", "/w==\n", "\u20ac", '"}}'])
def test_a_payload_that_is_not_base64_is_a_protocol_error(payload: str) -> None:
    message = decode(json.dumps({"event": "media", "media": {"payload": payload}}))
    assert isinstance(message, Media)
    with pytest.raises(CarrierProtocolError, match="base64"):
        to_event(message)


@pytest.mark.parametrize("digit", ["", "E", "12", "\u0665", 10, -1])
def test_a_digit_that_no_telephone_has_is_a_protocol_error(digit: str | int) -> None:
    message = decode(json.dumps({"event": "dtmf", "dtmf": {"digit": digit}}))
    assert isinstance(message, Dtmf)
    with pytest.raises(CarrierProtocolError, match="digit"):
        to_event(message)


def test_what_we_send_has_exactly_the_documented_fields() -> None:
    frames = Frames(SID)
    assert json.loads(frames.media("/35+fg==")) == {
        "event": "media",
        "streamSid": SID,
        "media": {"payload": "/35+fg=="},
    }
    assert json.loads(frames.mark('0:item "A":20')) == {
        "event": "mark",
        "streamSid": SID,
        "mark": {"name": '0:item "A":20'},
    }
    assert json.loads(frames.clear()) == {"event": "clear", "streamSid": SID}


@given(st.text(), st.text(), st.binary())
def test_whatever_is_sent_is_one_json_object_that_reads_back(
    sid: str, name: str, sound: bytes
) -> None:
    frames = Frames(sid.encode("utf-8", "ignore").decode())
    mark = decode(frames.mark(name.encode("utf-8", "ignore").decode()))
    assert isinstance(mark, Mark)
    payload = base64.b64encode(sound).decode()
    media = decode(frames.media(payload))
    assert isinstance(media, Media)
    assert media.media.payload == payload


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
names = st.sampled_from(["connected", "start", "media", "mark", "dtmf", "stop", "Media", ""])
fields = st.fixed_dictionaries(
    {"event": names | json_values},
    optional={
        "streamSid": json_values,
        "start": st.fixed_dictionaries(
            {"callSid": st.text(max_size=9) | json_values},
            optional={
                "streamSid": json_values,
                "mediaFormat": json_values,
                "customParameters": json_values,
            },
        )
        | json_values,
        "media": st.fixed_dictionaries(
            {"payload": st.text(max_size=9) | json_values},
            optional={"timestamp": json_values, "track": json_values},
        )
        | json_values,
        "mark": st.fixed_dictionaries({"name": json_values}) | json_values,
        "dtmf": st.fixed_dictionaries({"digit": json_values}) | json_values,
    },
)
garbage = st.one_of(
    fields.map(lambda value: json.dumps(value)),
    json_values.map(lambda value: json.dumps(value)),
    st.text(),
    st.binary(),
    st.sampled_from(STREAM).flatmap(
        lambda line: st.integers(0, len(line)).map(lambda cut: line[:cut])
    ),
)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbage)
@example('{"event":"media","media":{"payload":"\\ud800"}}')
def test_garbage_of_any_shape_is_read_or_refused_and_never_crashes(text: str | bytes) -> None:
    read_or_refused(text)


def test_ten_thousand_damaged_messages_are_read_or_refused_and_never_crash() -> None:
    dice = random.Random(3)
    outcomes = Counter(read_or_refused(damaged(dice)) for _ in range(10_000))
    assert outcomes["refused"] > 1_000
    assert outcomes["read"] > 500


def damaged(dice: random.Random) -> bytes:
    """Return a captured message with some bytes changed, lost, doubled or cut off."""
    text = bytearray(dice.choice(STREAM + ODD).encode())
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) or 1)
        match dice.randrange(5):
            case 0:
                text[at : at + 1] = dice.randbytes(1)
            case 1:
                del text[at : at + dice.randint(1, 30)]
            case 2:
                text[at:at] = text[at : at + dice.randint(1, 30)]
            case 3:
                text[at : at + 1] = dice.choice([b'"', b"{", b"}", b"[", b"null", b"-", b"1e9"])
            case _:
                del text[at:]
    return bytes(text)


def read_or_refused(text: str | bytes) -> str:
    try:
        message = decode(text)
        if isinstance(message, Media | Mark | Dtmf | Stop):
            event = to_event(message)
            assert not isinstance(event, CallerAudio) or event.size > 0
    except CarrierProtocolError as error:
        assert str(error).startswith("media socket:")
        return "refused"
    return "read"


# --- sound, found by its bytes --------------------------------------------------------------------

SOUND = (
    f'{{"event":"media","sequenceNumber":"3","media":{{"track":"inbound","chunk":"1",'
    f'"timestamp":"5","payload":"/v7+"}},"streamSid":"{SID}"}}'
)
SID_FIRST = (
    f'{{"event":"media","sequenceNumber":"3","streamSid":"{SID}","media":{{"track":"inbound",'
    f'"chunk":"1","timestamp":"5","payload":"/v7+"}}}}'
)


@pytest.mark.parametrize("text", [SOUND, SID_FIRST])
def test_the_payload_of_a_message_is_found_by_its_bytes(text: str) -> None:
    assert SoundFinder(SID).find(text.encode()) == b"/v7+"


@pytest.mark.parametrize("usual", [SOUND, SID_FIRST])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SID, "MZ" + "2" * 32),
        ("inbound", "outbound"),
        ('":', '": '),
        ('{"event":"media",', '{"event":"mark",'),
        ('"payload":', '"content":'),
        ("}", "} "),
    ],
)
def test_a_message_in_another_form_is_not_recognised(usual: str, old: str, new: str) -> None:
    assert SoundFinder(SID).find(usual.replace(old, new).encode()) == b""


@pytest.mark.parametrize("usual", [SOUND, SID_FIRST])
def test_what_is_found_is_what_the_decoder_reads(usual: str) -> None:
    """Whatever byte of a message is changed: what is found is the payload that the decoder reads.

    It may be found as well in what is not JSON any more.
    """
    finder = SoundFinder(SID)
    for place in range(len(usual)):
        for other in '"\\{}:,A=\x00':
            text = (usual[:place] + other + usual[place + 1 :]).encode()
            found = finder.find(text)
            try:
                sound = base64.b64decode(found, validate=True)
                message = decode(text)
            except (ValueError, CarrierProtocolError):
                continue
            if sound:
                assert isinstance(message, Media)
                assert message.media.payload.encode() == found
                assert message.media.track == "inbound"
                assert message.stream_sid == SID
