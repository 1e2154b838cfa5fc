"""One stream that only listens, without a socket: who is let in, who says what, one end only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hookflash.carriers.twilio.media import MAX_INVALID_MESSAGES
from hookflash.carriers.twilio.notes_stream import NotesStream
from hookflash.core.events import CallerAudio

WIRE = Path(__file__).parents[2] / "wire" / "twilio"
CONNECTED, START, AUDIO, _, MARK, DIGIT, STOP = (WIRE / "stream.jsonl").read_text().splitlines()
SID = "MZ11111111111111111111111111111111"
CALL = "CA22222222222222222222222222222222"


@dataclass
class Line:
    """What is around a stream: a socket, tokens and ears, written down."""

    listens: bool = True
    closed: list[tuple[int, str]] = field(default_factory=list)
    attached: list[tuple[str, int]] = field(default_factory=list)
    heard: list[tuple[str, CallerAudio]] = field(default_factory=list)
    ends: int = 0

    def stream(self) -> NotesStream:
        return NotesStream(
            close_socket=lambda code, reason: self.closed.append((code, reason)),
            redeem=lambda call_sid, token: 7 if token == "good-token" else None,
            attach=self.attach,
        )

    def attach(self, call_sid: str, step: int, stream: NotesStream):
        self.attached.append((call_sid, step))
        return self if self.listens else None

    def hear(self, speaker: str, sound: CallerAudio) -> None:
        self.heard.append((speaker, sound))

    def ended(self) -> None:
        self.ends += 1


def opened() -> tuple[Line, NotesStream]:
    line = Line()
    stream = line.stream()
    stream.receive(CONNECTED)
    stream.receive(START)
    return line, stream


def sound(track: str, payload: str = "/w==", **other: object) -> str:
    media = {"track": track, "chunk": "2", "timestamp": "20", "payload": payload}
    return json.dumps({"event": "media", "streamSid": SID, "media": media, **other})


def test_the_caller_is_inbound_and_what_they_hear_is_the_human() -> None:
    line, stream = opened()
    assert (line.attached, stream.started, stream.stream_sid) == ([(CALL, 7)], True, SID)
    stream.receive(sound("inbound"))
    stream.receive(sound("outbound", "fn5+"))
    stream.receive(sound("outbound", ""))
    assert line.heard == [
        ("caller", CallerAudio("/w==", 1, 20)),
        ("human", CallerAudio("fn5+", 3, 20)),
    ]
    assert line.closed == []


def test_a_wrong_token_and_anything_before_start_is_sent_away() -> None:
    for text in (START.replace("good-token", "another"), AUDIO, STOP, "{"):
        line = Line()
        stream = line.stream()
        stream.receive(text)
        stream.receive(START)
        assert [code for code, _ in line.closed] == [1008], text
        assert (line.attached, line.ends, stream.started) == ([], 0, False)


def test_sound_that_is_no_telephones_is_sent_away() -> None:
    line = Line()
    line.stream().receive(START.replace("audio/x-mulaw", "audio/opus"))
    assert (line.closed, line.attached) == ([(1008, "expected start")], [])


def test_a_call_that_has_gone_on_is_no_error_to_the_carrier() -> None:
    line = Line(listens=False)
    stream = line.stream()
    stream.receive(START)
    stream.receive(sound("inbound"))
    stream.closed("gone")
    assert (line.closed, line.heard, line.ends) == ([(1000, "nobody listens")], [], 0)


@pytest.mark.parametrize("end", ["stop", "closed", "close"])
def test_the_end_is_told_once_whoever_makes_it(end: str) -> None:
    line, stream = opened()
    if end == "stop":
        stream.receive(STOP)
    elif end == "closed":
        stream.closed("closed with 1006")
    else:
        stream.close()
    stream.receive(sound("inbound"))
    stream.receive(STOP)
    stream.close()
    stream.closed("closed by us")
    assert (line.ends, line.heard) == (1, [])
    assert line.closed == ([] if end == "closed" else [(1000, "")])


def test_an_event_without_meaning_for_the_call_is_ignored() -> None:
    line, stream = opened()
    for text in (MARK, DIGIT, '{"event":"weather"}'):
        stream.receive(text)
    assert (line.heard, line.closed, line.ends) == ([], [], 0)


def test_garbage_is_let_pass_up_to_a_bound() -> None:
    line, stream = opened()
    for text in (
        START,
        CONNECTED,
        sound("inbound", "no base64"),
        sound("inbound", streamSid="MZ9"),
    ):
        stream.receive(text)
    for _ in range(MAX_INVALID_MESSAGES - 5):
        stream.receive("{")
    stream.receive(sound("inbound"))
    assert (len(line.heard), line.closed) == (1, [])
    stream.receive("{")
    assert (line.closed, line.ends) == ([(1002, "not a media stream")], 1)
