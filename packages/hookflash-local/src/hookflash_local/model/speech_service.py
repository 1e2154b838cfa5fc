"""Serve the local speech over HTTP: text to speech, and transcription of recordings.

    POST /speak        {"text": "..."}     -> mu-law at 8 kHz, one byte a sample (audio/basic)
    POST /transcribe   mu-law, or a WAV    -> {"text": "...", "utterances": [
                                               {"start_ms": 0, "end_ms": 1450, "text": "..."}]}

A recording is processed like a call: turn detection finds the utterances, and each is transcribed.
`text` joins them. An invalid request is answered with 400, 404 or 413 and `{"error": "..."}`. The
service listens on the loopback only and checks the host name, so no foreign web page can use it
through a browser.

    resource                | acquired     | released
    listening port, task    | __aenter__   | __aexit__
    worker threads          | __init__     | __aexit__, when their work is done
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
from hookflash_local.model.components import SpeechEnded
from hookflash_local.model.local_model import Components
from hookflash_local.model.speech_client import Transcript, Utterance

LONGEST_TEXT: Final = 10_000
"""Characters: more than five minutes of speech."""

LARGEST_SOUND: Final = 32 * 1024 * 1024
"""Bytes: an hour of mu-law, or six minutes of 16-bit stereo WAV at 44.1 kHz."""

_WORKERS = 2
_CLOSING = b"\xff" * 8000 * 2
"""Two seconds of silence: longer than any silence for which the turn detector waits."""


class _SpeakRequest(msgspec.Struct, frozen=True):
    text: str


def transcribe(components: Components, sound: bytes) -> Transcript:
    """Transcribe a whole recording (mu-law at 8 kHz). Slow: 1/50 of its length or more."""
    found = []
    for heard in components.new_turn_detector({}).feed(sound + _CLOSING):
        if isinstance(heard, SpeechEnded) and (
            text := components.transcriber.transcribe(heard.audio)
        ):
            end_ms = min(heard.at_ms, len(sound) // 8)
            found.append(Utterance(heard.at_ms - len(heard.audio) // 8, end_ms, text))
    return Transcript(" ".join(one.text for one in found), found)


class _Server(uvicorn.Server):
    """A server that installs no signal handlers: the parent process ends this one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class SpeechService:
    """Serves the two endpoints: `async with SpeechService(components) as speech: speech.url`."""

    def __init__(self, components: Components, *, port: int = 0) -> None:
        self._components = components
        self._port = port
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="speech-service")
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL without a path: `http://127.0.0.1:PORT`."""
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
            order = msgspec.json.decode(await _body(request, 8 * LONGEST_TEXT), type=_SpeakRequest)
        except _TooLarge:
            return _refusal(413, f"expected a text of at most {LONGEST_TEXT} characters")
        except msgspec.MsgspecError as error:
            return _refusal(400, f'expected JSON such as {{"text": "Hello."}}: {error}')
        if len(order.text) > LONGEST_TEXT:
            return _refusal(
                413,
                f"expected a text of at most {LONGEST_TEXT} characters, got {len(order.text)}",
            )
        sound = await asyncio.get_running_loop().run_in_executor(
            self._workers, lambda: b"".join(self._components.voice.speak(order.text))
        )
        return Response(sound, media_type="audio/basic")

    async def _transcribe(self, request: Request) -> Response:
        try:
            sound = await _body(request, LARGEST_SOUND)
            if sound[:4] == b"RIFF":
                sound = decode_wav(sound, "the recording")
        except _TooLarge:
            return _refusal(413, f"expected a recording of at most {LARGEST_SOUND} bytes")
        except ConfigError as error:
            return _refusal(400, str(error))
        transcript = await asyncio.get_running_loop().run_in_executor(
            self._workers, transcribe, self._components, sound
        )
        return _json(200, transcript)


class _TooLarge(Exception):
    """The request's body is too large."""


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
