"""The messages of the media WebSocket: up as Twilio writes them, down as strictly as Twilio reads.

No I/O. Up: `sequenceNumber`, `chunk` and `timestamp` are decimal strings; `media.track` is
`inbound`, `dtmf.track` is `inbound_track`. Down: only the documented fields, all of them, with
the stream's own SID; anything else is a warning (31951), a binary frame is another (31950), and
neither is carried out.
Source: Twilio, Media Streams WebSocket messages; error dictionary 31950, 31951.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from hookflash_local.carrier import alerts


@dataclass(frozen=True)
class Media:
    """Raw mu-law to be played."""

    payload: bytes


@dataclass(frozen=True)
class Mark:
    name: str


@dataclass(frozen=True)
class Clear:
    pass


class BadMessage(Exception):
    """The message is not carried out. `code` is Twilio's warning."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def _fields(value: Any, *names: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        got = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise BadMessage(
            alerts.STREAM_MESSAGE, f"expected exactly the fields {sorted(names)}, got {got}"
        )
    return value


def read(message: str | bytes, stream_sid: str) -> Media | Mark | Clear:
    """Read one message from the server. Raises BadMessage."""
    if isinstance(message, bytes):
        raise BadMessage(alerts.STREAM_BINARY, "a binary frame, expected text")
    try:
        value = json.loads(message)
    except ValueError:
        raise BadMessage(alerts.STREAM_MESSAGE, "not JSON") from None
    event = value.get("event") if isinstance(value, dict) else None
    result: Media | Mark | Clear
    if event == "media":
        inner = _fields(_fields(value, "event", "streamSid", "media")["media"], "payload")
        try:
            result = Media(base64.b64decode(inner["payload"], validate=True))
        except (binascii.Error, TypeError, ValueError):
            raise BadMessage(alerts.STREAM_MESSAGE, "media.payload is not base64") from None
    elif event == "mark":
        inner = _fields(_fields(value, "event", "streamSid", "mark")["mark"], "name")
        if not isinstance(inner["name"], str):
            raise BadMessage(alerts.STREAM_MESSAGE, "mark.name is not a string")
        result = Mark(inner["name"])
    elif event == "clear":
        _fields(value, "event", "streamSid")
        result = Clear()
    else:
        raise BadMessage(alerts.STREAM_MESSAGE, f"unknown event {event!r}")
    if value["streamSid"] != stream_sid:
        raise BadMessage(alerts.STREAM_MESSAGE, "streamSid is not this stream's")
    return result


def connected() -> str:
    return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})


class Upward:
    """Writes the messages after `connected` and counts them, from 1; chunks for each track."""

    def __init__(
        self,
        account_sid: str,
        call_sid: str,
        stream_sid: str,
        tracks: tuple[str, ...] = ("inbound",),
    ) -> None:
        self.account_sid = account_sid
        self.call_sid = call_sid
        self.stream_sid = stream_sid
        self.tracks = tracks
        self._sequence = 0
        self._chunks = dict.fromkeys(tracks, 0)

    def start(self, parameters: dict[str, str]) -> str:
        return self._write(
            "start",
            {
                "accountSid": self.account_sid,
                "streamSid": self.stream_sid,
                "callSid": self.call_sid,
                "tracks": list(self.tracks),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
        )

    def media(self, payload: bytes, timestamp_ms: int, track: str = "inbound") -> str:
        """`timestamp_ms` counts from the start of the stream to the frame's first sample."""
        self._chunks[track] += 1
        return self._write(
            "media",
            {
                "track": track,
                "chunk": str(self._chunks[track]),
                "timestamp": str(timestamp_ms),
                "payload": base64.b64encode(payload).decode(),
            },
        )

    def dtmf(self, digit: str) -> str:
        return self._write("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> str:
        return self._write("mark", {"name": name})

    def stop(self) -> str:
        return self._write("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def _write(self, event: str, body: dict[str, Any]) -> str:
        self._sequence += 1
        return json.dumps(
            {
                "event": event,
                "sequenceNumber": str(self._sequence),
                "streamSid": self.stream_sid,
                event: body,
            }
        )
