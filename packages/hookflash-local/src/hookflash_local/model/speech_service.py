"""The parts of the local speech for others: text spoken, and recorded sound written down.

    POST /speak        {"text": "..."}     -> mu-law at 8 kHz, one byte a sample (audio/basic)
    POST /transcribe   mu-law, or a WAV    -> {"text": "...", "utterances": [
                                               {"start_ms": 0, "end_ms": 1450, "text": "..."}]}

A recording is heard as a call would be: voice activity finds the utterances, each is transcribed,
and `text` is all of them. A request that is wrong is answered with 400, 413 or 404 and
`{"error": "what was expected"}`. Only the loopback is served, under its own names, so that no web
page of a stranger can reach it through a browser.

    resource                | acquired     | released
    listening port, task    | __aenter__   | __aexit__
    worker threads          | __aenter__   | __aexit__, when they have ended what they do
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookflash.errors import ConfigError
from hookflash_local.audio.wav import decode_wav
from hookflash_local.model.local import Parts
from hookflash_local.model.parts import SpeechEnded
from hookflash_local.model.speech_client import Transcript, Utterance

LONGEST_TEXT: Final = 10_000
"""Characters: more than five minutes of speech."""

LARGEST_SOUND: Final = 32 * 1024 * 1024
"""An hour of mu-law, or six minutes of a studio's WAV."""

_WORKERS = 2
_CLOSING = b"\xff" * 8000 * 2
"""Silence that ends the last utterance, whatever the ears wait for."""


class _Order(msgspec.Struct, frozen=True):
    text: str


def transcribe(parts: Parts, sound: bytes) -> Transcript:
    """Write down a whole recording (mu-law). Slow: a fiftieth of its length or more."""
    found = []
    for heard in parts.new_ears({}).hear(sound + _CLOSING):
        if isinstance(heard, SpeechEnded) and (text := parts.transcriber.transcribe(heard.audio)):
            end_ms = min(heard.at_ms, len(sound) // 8)
            found.append(Utterance(heard.at_ms - len(heard.audio) // 8, end_ms, text))
    return Transcript(" ".join(one.text for one in found), found)


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: whoever started the process ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class SpeechService:
    """Serves what is above: `async with SpeechService(parts) as speech: speech.url`."""

    def __init__(self, parts: Parts, *, port: int = 0) -> None:
        self._parts = parts
        self._port = port
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="speech-service")
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is, without a path: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(64)
        self._port = listener.getsockname()[1]
        app = Starlette(
            routes=[
                Route("/speak", self._speak, methods=["POST"]),
                Route("/transcribe", self._transcribe, methods=["POST"]),
            ],
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
            ],
        )
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = _Server(config)
        serve = self._server.serve(sockets=[listener])
        self._task = asyncio.create_task(serve, name="speech service")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None and self._task is not None, "it was entered"
        self._server.should_exit = True
        await self._task
        await asyncio.to_thread(self._workers.shutdown)

    async def _speak(self, request: Request) -> Response:
        try:
            order = msgspec.json.decode(await _body(request, 8 * LONGEST_TEXT), type=_Order)
        except _TooLarge:
            return _refusal(413, f"the text may have {LONGEST_TEXT} characters")
        except msgspec.MsgspecError as error:
            return _refusal(400, f'expected JSON such as {{"text": "Hello."}}: {error}')
        if len(order.text) > LONGEST_TEXT:
            return _refusal(
                413, f"the text may have {LONGEST_TEXT} characters, it has {len(order.text)}"
            )
        sound = await asyncio.get_running_loop().run_in_executor(
            self._workers, lambda: b"".join(self._parts.voice.speak(order.text))
        )
        return Response(sound, media_type="audio/basic")

    async def _transcribe(self, request: Request) -> Response:
        try:
            sound = await _body(request, LARGEST_SOUND)
            if sound[:4] == b"RIFF":
                sound = decode_wav(sound, "the recording")
        except _TooLarge:
            return _refusal(413, f"the recording may have {LARGEST_SOUND} bytes")
        except ConfigError as error:
            return _refusal(400, str(error))
        transcript = await asyncio.get_running_loop().run_in_executor(
            self._workers, transcribe, self._parts, sound
        )
        return _json(200, transcript)


class _TooLarge(Exception):
    """The body is larger than what it may be."""


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise _TooLarge
    return bytes(body)


def _refusal(status: int, text: str) -> Response:
    return _json(status, {"error": text})


def _json(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
