"""The stand-in's speech API: `POST /v1/audio/speech`, on the port of the realtime sessions.

    {"model", "input", "voice", "response_format": "pcm", "instructions", "speed"}
        -> 200, 24 kHz, 16-bit little-endian, mono (audio/pcm)
        -> 400, 401, 404, 405, 413 and {"error": {"message", "type", "param", "code"}}

Written from the types of the official openai package, not from Hookflash's client. Only the format
`pcm` is supported, and `speed` has no effect. The websockets server answers only GET. So a
connection that begins with another method is handled here, for one request.

    resource              | acquired                     | released
    one request's answer  | when the request is complete | when it is sent, or on connection loss
"""

from __future__ import annotations

import asyncio
import hashlib
import http
import json
import logging
import math
from array import array
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.server import ServerProtocol

from hookflash_local.model.audio_formats import PCM_RATE

log = logging.getLogger("hookflash.call.standin.model")

PATH = "/v1/audio/speech"
LONGEST_TEXT = 4096
CHARACTER_MS = 65
"""Length of the tone pattern per character."""

Speak = Callable[[str, str], Awaitable[bytes]]
"""Synthesizes a text in a voice as 24 kHz, 16-bit little-endian, mono PCM."""

_VOICES = frozenset(
    "alloy ash ballad coral echo sage shimmer verse marin cedar fable onyx nova".split()
)
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_LARGEST_REQUEST = 64 * 1024
_UPGRADES_BEGIN = b"GET "


class HttpRequest(NamedTuple):
    """An HTTP request that is not an upgrade. `body` is None if it was too large."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class Answer(NamedTuple):
    """An HTTP answer. `kind` is its content type."""

    status: int
    kind: str
    body: bytes


def refusal(status: int, message: str, *, code: str | None = None, param: str = "") -> Answer:
    """Return an error in the API's format."""
    fault = {
        "message": message,
        "type": "invalid_request_error",
        "param": param or None,
        "code": code,
    }
    return Answer(status, "application/json", json.dumps({"error": fault}).encode())


def read_request(request: HttpRequest) -> dict[str, Any] | Answer:
    """Return the fields of a valid speech request, or the answer that refuses it."""
    if request.path.partition("?")[0] != PATH:
        return refusal(404, f"Invalid URL ({request.method} {request.path})")
    if request.method != "POST":
        return refusal(405, f"Not allowed to {request.method} on {PATH}.")
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key.strip():
        return refusal(401, "You did not provide an API key.", code="invalid_api_key")
    if request.body is None:
        return refusal(413, "The request is too large.")
    try:
        order = json.loads(request.body)
    except ValueError:
        return refusal(400, "We could not parse the JSON body of your request.")
    if not isinstance(order, dict):
        return refusal(400, "The body must be an object.")
    for name in ("model", "input"):
        if not isinstance(order.get(name), str) or not order[name]:
            return refusal(400, f"'{name}' must be a string that is not empty.", param=name)
    if len(order["input"]) > LONGEST_TEXT:
        return refusal(400, f"'input' may have {LONGEST_TEXT} characters.", param="input")
    voice = order.get("voice")
    custom = isinstance(voice, dict) and isinstance(voice.get("id"), str)
    if not custom and not (isinstance(voice, str) and voice in _VOICES):
        return refusal(400, f"'voice' must be one of {', '.join(sorted(_VOICES))}.", param="voice")
    if order.get("response_format", "mp3") not in _FORMATS:
        return refusal(
            400, f"'response_format' must be one of {_FORMATS}.", param="response_format"
        )
    if order.get("response_format") != "pcm":
        return refusal(
            400, "This stand-in supports response_format 'pcm' only.", param="response_format"
        )
    if not isinstance(order.get("instructions", ""), str):
        return refusal(400, "'instructions' must be a string.", param="instructions")
    speed = order.get("speed", 1.0)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
        return refusal(400, "'speed' must be from 0.25 to 4.", param="speed")
    return order


def voice_name(order: dict[str, Any]) -> str:
    """Return the voice of a request; for a custom voice, its ID."""
    voice = order["voice"]
    return str(voice["id"]) if isinstance(voice, dict) else str(voice)


async def pattern(text: str, voice: str) -> bytes:
    """Return two sine tones instead of speech, 65 ms per character, as 24 kHz 16-bit PCM.

    Their pitch depends on the text and the voice, so different texts have different audio.
    """
    seed = hashlib.sha256(f"{voice}\n{text}".encode()).digest()
    # Both tones repeat after 50 ms, so the pattern has no click.
    pitch, formant = 100 + 20 * (seed[0] % 6), 400 + 20 * (seed[1] % 40)
    size = PCM_RATE // 20
    turn = 2 * math.pi / PCM_RATE
    period = array(
        "h",
        (
            round(4000 * math.sin(pitch * turn * n) + 3000 * math.sin(formant * turn * n))
            for n in range(size)
        ),
    )
    # `array` uses the machine's byte order; the API uses little-endian.
    spoken = b"".join(sample.to_bytes(2, "little", signed=True) for sample in period)
    samples = len(text) * CHARACTER_MS * PCM_RATE // 1000
    return (spoken * (samples // size + 1))[: 2 * samples]


class HttpOrSession(ServerConnection):
    """A connection that is either a WebSocket or one plain HTTP request, answered by `answer`.

    WebSocket connections are passed on unchanged.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        *arguments: Any,
        answer: Callable[[HttpRequest], Awaitable[Answer]],
        **options: Any,
    ) -> None:
        super().__init__(protocol, *arguments, **options)
        self._answer = answer
        self._is_plain: bool | None = None
        self._data = b""
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self._is_plain is False:
            super().data_received(data)
            return
        self._data += data
        if self._is_plain is None and len(self._data) >= len(_UPGRADES_BEGIN):
            self._is_plain = not self._data.startswith(_UPGRADES_BEGIN)
            if not self._is_plain:
                super().data_received(self._data)
                return
        if self._is_plain and self._answering is None:
            request = _parse_request(self._data)
            if request is not None:
                self._answering = self.loop.create_task(self._reply(request))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        super().connection_lost(exc)
        if self._is_plain:
            # It was not an upgrade, so websockets must not log a failed handshake.
            self.protocol.handshake_exc = None

    async def _reply(self, request: HttpRequest) -> None:
        try:
            answer = await self._answer(request)
        except Exception:
            # The request gets its answer whatever the speech libraries raise, as from OpenAI.
            log.exception("model stand-in ! speech request failed")
            answer = refusal(500, "The server had an error while processing your request.")
        head = (
            f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}\r\n"
            f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + answer.body)
        self.transport.close()


def _parse_request(data: bytes) -> HttpRequest | None:
    """Return the request, or None while it is incomplete."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        too_long = len(head) > _LARGEST_REQUEST
        return HttpRequest("", "", {}, None) if too_long else None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    size = int(length) if length.isdecimal() else _LARGEST_REQUEST + 1
    path = rest.partition(" ")[0]
    if size > _LARGEST_REQUEST:
        return HttpRequest(method, path, headers, None)
    if len(body) < size:
        return None
    return HttpRequest(method, path, headers, body[:size])
