"""The stand-in's speech API: `POST /v1/audio/speech`, on the port of the realtime sessions.

    {"model", "input", "voice", "response_format": "pcm", "instructions", "speed"}
        -> 200, 24 kHz, 16-bit little-endian, mono (audio/pcm)
        -> 400, 401, 404, 405, 413 and {"error": {"message", "type", "param", "code"}}

Read from the official package's types and not from Hookflash's client. Of the formats only `pcm`
is spoken, and `speed` has no effect. websockets answers nothing but GET, so a connection whose
first bytes are another method is answered here, once, and closed.

    resource              | acquired                 | released
    one request's answer  | when it is all there     | when it is sent, or its connection is lost
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

from hookflash_local.model.formats import PCM_RATE

log = logging.getLogger("hookflash.call.standin.model")

PATH = "/v1/audio/speech"
LONGEST_TEXT = 4096
CHARACTER_MS = 65
"""How long the pattern lasts for each character."""

Speak = Callable[[str, str], Awaitable[bytes]]
"""Speaks a text in a voice: 24 kHz, 16-bit little-endian, mono."""

_VOICES = frozenset(
    "alloy ash ballad coral echo sage shimmer verse marin cedar fable onyx nova".split()
)
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_LARGEST_REQUEST = 64 * 1024
_UPGRADES_BEGIN = b"GET "


class Posted(NamedTuple):
    """An HTTP request that is no upgrade. `body` is None if it was larger than is read."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes


def refusal(status: int, message: str, *, code: str | None = None, param: str = "") -> Answer:
    """Return an error as the API words it."""
    fault = {
        "message": message,
        "type": "invalid_request_error",
        "param": param or None,
        "code": code,
    }
    return Answer(status, "application/json", json.dumps({"error": fault}).encode())


def read_order(posted: Posted) -> dict[str, Any] | Answer:
    """Return the fields of a request for speech, or what refuses it."""
    if posted.path.partition("?")[0] != PATH:
        return refusal(404, f"Invalid URL ({posted.method} {posted.path})")
    if posted.method != "POST":
        return refusal(405, f"Not allowed to {posted.method} on {PATH}.")
    scheme, _, key = posted.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key.strip():
        return refusal(401, "You did not provide an API key.", code="invalid_api_key")
    if posted.body is None:
        return refusal(413, "The request is too large.")
    try:
        order = json.loads(posted.body)
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
        return refusal(400, "This stand-in speaks pcm only.", param="response_format")
    if not isinstance(order.get("instructions", ""), str):
        return refusal(400, "'instructions' must be a string.", param="instructions")
    speed = order.get("speed", 1.0)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
        return refusal(400, "'speed' must be from 0.25 to 4.", param="speed")
    return order


def voice_name(order: dict[str, Any]) -> str:
    """Return the voice of a request, a custom one by its id."""
    voice = order["voice"]
    return str(voice["id"]) if isinstance(voice, dict) else str(voice)


async def pattern(text: str, voice: str) -> bytes:
    """Stand in for speech: two sines whose pitch depends on text and voice, 65 ms a character.

    The same text in the same voice gives the same sound, another one another.
    """
    seed = hashlib.sha256(f"{voice}\n{text}".encode()).digest()
    # Both repeat after 50 ms, so that the pattern has no click.
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
    # `array` has the machine's byte order, which the API has not.
    spoken = b"".join(sample.to_bytes(2, "little", signed=True) for sample in period)
    samples = len(text) * CHARACTER_MS * PCM_RATE // 1000
    return (spoken * (samples // size + 1))[: 2 * samples]


class HttpOrSession(ServerConnection):
    """A connection that is an upgrade, or one plain HTTP request that `answer` answers.

    Upgrades take exactly the steps that they take without it.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        *arguments: Any,
        answer: Callable[[Posted], Awaitable[Answer]],
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
            posted = _posted(self._data)
            if posted is not None:
                self._answering = self.loop.create_task(self._reply(posted))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        super().connection_lost(exc)
        if self._is_plain:
            # It was no upgrade, so none has failed, which would be logged.
            self.protocol.handshake_exc = None

    async def _reply(self, posted: Posted) -> None:
        try:
            answer = await self._answer(posted)
        except Exception:
            log.exception("model stand-in ! a request for speech failed")
            answer = refusal(500, "The server had an error while processing your request.")
        head = (
            f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}\r\n"
            f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + answer.body)
        self.transport.close()


def _posted(data: bytes) -> Posted | None:
    """Read a request; None while it is not complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        too_long = len(head) > _LARGEST_REQUEST
        return Posted("", "", {}, None) if too_long else None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    size = int(length) if length.isdecimal() else _LARGEST_REQUEST + 1
    path = rest.partition(" ")[0]
    if size > _LARGEST_REQUEST:
        return Posted(method, path, headers, None)
    if len(body) < size:
        return None
    return Posted(method, path, headers, body[:size])
