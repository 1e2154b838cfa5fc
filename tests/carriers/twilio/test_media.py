"""One media stream without a socket: admission, order, garbage, and one end only."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hookflash.carriers.twilio.media import MAX_INVALID_MESSAGES, MediaStream
from hookflash.core.events import (
    AnyEvent,
    CallerAudio,
    DigitPressed,
    MarkReturned,
    StreamStarted,
    StreamStopped,
)

WIRE = Path(__file__).parents[2] / "wire" / "twilio"
STREAM = (WIRE / "stream.jsonl").read_text().splitlines()
CONNECTED, START, AUDIO, _, MARK, DIGIT, STOP = STREAM
SID = "MZ11111111111111111111111111111111"
CALL = "CA22222222222222222222222222222222"


@dataclass
class Line:
    """What is around a stream: a socket, tokens and one call, written down."""

    call_exists: bool = True
    sent: list[str] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    events: list[AnyEvent] = field(default_factory=list)

    def stream(self) -> MediaStream:
        return MediaStream(
            send_text=self.sent.append,
            close_socket=lambda code, reason: self.closed.append((code, reason)),
            redeem=self.redeem,
            attach=self.attach,
        )

    def redeem(self, call_sid: str, token: str) -> int | None:
        self.asked.append(("redeem", call_sid, token))
        return 7 if token == "good-token" else None

    def attach(self, call_sid: str, stream: MediaStream):
        self.asked.append(("attach", call_sid, stream.stream_sid))
        return self.events.append if self.call_exists else None


def opened() -> tuple[Line, MediaStream]:
    line = Line()
    stream = line.stream()
    stream.receive(CONNECTED)
    stream.receive(START)
    return line, stream


def test_the_token_is_checked_before_anything_else_and_the_stream_begins() -> None:
    line, stream = opened()
    assert line.asked == [("redeem", CALL, "good-token"), ("attach", CALL, SID)]
    assert line.events == [StreamStarted(SID, 7)]
    assert stream.started
    assert stream.stream_sid == SID


def test_a_captured_stream_becomes_events_in_order() -> None:
    line, stream = opened()
    for text in STREAM[2:]:
        stream.receive(text.encode())
    assert [type(event) for event in line.events] == [
        StreamStarted,
        CallerAudio,
        CallerAudio,
        MarkReturned,
        DigitPressed,
        StreamStopped,
    ]
    assert line.closed == [(1000, "")]


def test_nothing_is_sent_before_start_nor_after_the_end() -> None:
    line = Line()
    stream = line.stream()
    for text in (CONNECTED, None, START, STOP):
        if text is not None:
            stream.receive(text)
        if not stream.started or text == STOP:
            stream.play("/w==")
            stream.mark("m")
            stream.clear()
            stream.close()
    assert line.sent == []
    assert line.closed == [(1000, "")]


def test_what_is_played_marked_and_cleared_goes_out_in_order() -> None:
    line, stream = opened()
    stream.play("/w==")
    stream.mark("0:a:1")
    stream.clear()
    assert [json.loads(text) for text in line.sent] == [
        {"event": "media", "streamSid": SID, "media": {"payload": "/w=="}},
        {"event": "mark", "streamSid": SID, "mark": {"name": "0:a:1"}},
        {"event": "clear", "streamSid": SID},
    ]


def test_a_wrong_token_closes_the_socket_and_touches_no_call() -> None:
    for start in (START.replace("good-token", "bad"), START.replace('"token":', '"other":')):
        line = Line()
        stream = line.stream()
        stream.receive(CONNECTED)
        stream.receive(start)
        stream.receive(START)
        stream.receive(AUDIO)
        stream.closed("gone")
        assert line.closed == [(1008, "token")]
        assert [name for name, *_ in line.asked] == ["redeem"]
        assert line.events == []


def test_a_call_that_is_not_there_closes_the_socket() -> None:
    line = Line(call_exists=False)
    stream = line.stream()
    stream.receive(START)
    stream.play("/w==")
    stream.closed()
    assert line.closed == [(1011, "no such call")]
    assert line.sent == line.events == []


@pytest.mark.parametrize("first", [AUDIO, MARK, DIGIT, STOP, "garbage", "{}", b"\xff"])
def test_anything_but_connected_and_start_at_the_beginning_closes_the_socket(
    first: str | bytes,
) -> None:
    line = Line()
    stream = line.stream()
    stream.receive(first)
    stream.receive(START)
    assert line.closed == [(1008, "expected start")]
    assert line.asked == line.events == []


def test_a_stream_in_another_format_is_refused() -> None:
    for start in (
        START.replace("audio/x-mulaw", "audio/l16"),
        START.replace("8000", "16000"),
        START.replace(SID, ""),
    ):
        line = Line()
        stream = line.stream()
        stream.receive(start)
        assert line.closed == [(1008, "expected start")]
        assert line.events == []


@pytest.mark.parametrize("sid", ["", "../x", "CA 1", "C" * 65, "CA\u202e", "CA\\u0000"])
def test_a_start_with_an_invalid_call_sid_is_refused_before_its_token_is_used(sid: str) -> None:
    line = Line()
    stream = line.stream()
    stream.receive(START.replace(CALL, sid))
    assert line.closed == [(1008, "expected start")]
    assert line.asked == line.events == []


def test_an_unknown_event_is_let_pass_at_any_time_and_never_counted() -> None:
    line = Line()
    stream = line.stream()
    stream.receive('{"event":"hello"}')
    stream.receive(START)
    for _ in range(2 * MAX_INVALID_MESSAGES):
        stream.receive('{"event":"transcription","text":"x"}')
    assert line.events == [StreamStarted(SID, 7)]
    assert line.closed == []


def test_empty_audio_and_sound_of_another_track_say_nothing() -> None:
    line, stream = opened()
    stream.receive('{"event":"media","media":{"payload":""}}')
    stream.receive('{"event":"media","media":{"track":"outbound","payload":"/w=="}}')
    assert line.events == [StreamStarted(SID, 7)]


def test_a_few_invalid_messages_do_not_end_the_call() -> None:
    line, stream = opened()
    for garbage in ("", "[]", CONNECTED, START, AUDIO.replace(SID, "MZ2"), '{"event":"mark"}'):
        stream.receive(garbage)
    stream.receive(AUDIO)
    assert [type(event) for event in line.events] == [StreamStarted, CallerAudio]
    assert line.closed == []


def test_too_much_garbage_ends_this_stream_once() -> None:
    line, stream = opened()
    for _ in range(MAX_INVALID_MESSAGES + 5):
        stream.receive("garbage")
    stream.receive(AUDIO)
    stream.closed("closed with 1002")
    assert line.events == [StreamStarted(SID, 7), StreamStopped(SID, "too many invalid messages")]
    assert line.closed == [(1002, "not a media stream")]


def test_our_own_close_ends_in_one_stream_stopped_when_the_socket_is_gone() -> None:
    line, stream = opened()
    stream.close()
    stream.close()
    stream.play("/w==")
    assert line.closed == [(1000, "")]
    assert line.events == [StreamStarted(SID, 7)]
    stream.receive(MARK)
    stream.closed("closed with 1000")
    stream.closed("closed with 1006")
    assert line.events[1:] == [
        MarkReturned("g0:item_A:4000"),
        StreamStopped(SID, "closed with 1000"),
    ]
    assert line.sent == []


def test_stop_and_a_bare_close_are_one_end_in_either_order() -> None:
    for end in (["stop", "closed"], ["closed", "stop"], ["stop", "stop", "closed"]):
        line, stream = opened()
        for how in end:
            if how == "stop":
                stream.receive(STOP)
            else:
                stream.closed("closed")
        assert line.events == [StreamStarted(SID, 7), StreamStopped(SID, end[0])]


def test_ten_thousand_pieces_of_garbage_on_many_sockets_leave_a_good_one_alone() -> None:
    dice = random.Random(1)
    good, stream = opened()
    bad: list[Line] = []
    for _ in range(10_000 // 50):
        line, victim = opened()
        for _ in range(50):
            text = bytearray(dice.choice(STREAM[1:4]).encode())
            at = dice.randrange(len(text))
            text[at : at + 3] = dice.randbytes(3)
            victim.receive(bytes(text))
        victim.closed()
        bad.append(line)
    stream.receive(AUDIO)
    assert [type(event) for event in good.events] == [StreamStarted, CallerAudio]
    assert good.closed == []
    for line in bad:
        assert sum(isinstance(event, StreamStopped) for event in line.events) == 1


# --- the caller's sound, given on without an event ------------------------------------------------


def forwarding() -> tuple[Line, MediaStream, list[tuple[bytes, bytes]]]:
    line, stream = opened()
    line.events.clear()
    taken: list[tuple[bytes, bytes]] = []
    stream.forward_sound(lambda payload, sound: taken.append((payload, sound)))
    return line, stream, taken


MESSAGE = (
    f'{{"event":"media","sequenceNumber":"3","media":{{"track":"inbound","chunk":"1",'
    f'"timestamp":"5","payload":"/v7+"}},"streamSid":"{SID}"}}'
)
SID_FIRST = (
    f'{{"event":"media","sequenceNumber":"3","streamSid":"{SID}","media":{{"track":"inbound",'
    f'"chunk":"1","timestamp":"5","payload":"/v7+"}}}}'
)


@pytest.mark.parametrize("text", [MESSAGE, SID_FIRST])
def test_sound_is_forwarded_until_it_is_to_be_posted_again(text: str) -> None:
    line, stream, taken = forwarding()
    stream.receive(text.encode())
    assert taken == [(b"/v7+", bytes([0xFE] * 3))]
    assert line.events == []
    stream.forward_sound(None)
    stream.receive(text.encode())
    assert line.events == [CallerAudio("/v7+", 3, 5)]
    assert len(taken) == 1


@pytest.mark.parametrize(
    "text",
    [
        MESSAGE.replace('":', '": '),
        MESSAGE.replace("/v7+", "\\/v7+"),
        MESSAGE.replace("/v7+", "\\u002fv7+"),
        MESSAGE.replace('{"event":"media",', "{").replace('"}}', '"},"event":"media"}'),
    ],
)
def test_sound_in_another_form_is_posted(text: str) -> None:
    line, stream, taken = forwarding()
    stream.receive(text.encode())
    assert taken == []
    if json.loads(text).get("event"):
        assert line.events == [CallerAudio("/v7+", 3, 5)]


@pytest.mark.parametrize(
    "text",
    [
        MESSAGE.replace(SID, "MZ" + "2" * 32),
        MESSAGE.replace("/v7+", "/v7+A"),
        MESSAGE.replace("/v7+", "/v7+!"),
        MESSAGE.replace("/v7+", "/v7=+v7+"),
        MESSAGE.replace("/v7+", "\u00e9"),
        MESSAGE.replace('"payload":"/v7+"', '"payload":'),
        MESSAGE[:-40],
    ],
)
def test_a_message_that_is_not_valid_is_counted_and_never_forwarded(text: str) -> None:
    line, stream, taken = forwarding()
    for _ in range(MAX_INVALID_MESSAGES):
        stream.receive(text.encode())
    assert taken == []
    assert line.closed == [(1002, "not a media stream")]


@pytest.mark.parametrize(
    "text", [MESSAGE.replace("inbound", "outbound"), MESSAGE.replace("/v7+", "")]
)
def test_another_track_and_no_sound_are_passed_over(text: str) -> None:
    line, stream, taken = forwarding()
    stream.receive(text.encode())
    assert (taken, line.events, line.closed) == ([], [], [])


def test_after_the_end_nothing_is_forwarded() -> None:
    _, stream, taken = forwarding()
    stream.receive(STOP)
    stream.receive(MESSAGE.encode())
    assert taken == []
