"""The other side of the carrier: a small web server, written for tests, on loopback.

It answers webhooks with whatever a test puts there, and speaks as a media server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hookflash_local.carrier import AUTH_TOKEN, Leg, NumberConfig, StandinCarrier
from hookflash_local.simulation.loop import VirtualLoop

ORIGIN = "https://line.example.test"
LINE = "+15550100001"
ANNA = "+15550100002"
BERT = "+15550100003"
CALLER = "+15550100009"

Answer = str | Response | Callable[[dict[str, str]], str | Response | Awaitable[Any]]


class App:
    """Answers `answers[path]`: TwiML, a response, or a function of the form. `seen` is in order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.requests: list[Request] = []
        self.port = 0
        self.bad_signatures: list[str] = []
        self.grown = asyncio.Event()

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for at, form in self.seen if at == path]

    async def form(self, path: str, number: int = 0) -> dict[str, str]:
        """Wait for the request with this number (from 0) to `path`."""
        while len(self.forms(path)) <= number:
            await self.grown.wait()
        return self.forms(path)[number]

    async def handle(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        path = request.url.path
        url = ORIGIN + path + (f"?{request.url.query}" if request.url.query else "")
        validator = RequestValidator(AUTH_TOKEN)
        if not validator.validate(url, form, request.headers.get("x-twilio-signature", "")):
            self.bad_signatures.append(url)
        self.seen.append((path, form))
        self.requests.append(request)
        self.grown.set()
        self.grown = asyncio.Event()
        answer: Any = self.answers.get(path, "<Response/>")
        if callable(answer) and not isinstance(answer, Response):
            answer = answer(form)
            if asyncio.iscoroutine(answer):
                answer = await answer
        if isinstance(answer, str):
            return Response(answer, media_type="text/xml")
        return answer


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def app() -> AsyncIterator[App]:
    the_app = App()
    routes = [Route("/{rest:path}", the_app.handle, methods=["GET", "POST"])]
    options: dict[str, Any] = {"log_config": None, "lifespan": "off", "ws": "none"}
    server = _Server(uvicorn.Config(Starlette(routes=routes), port=0, **options))
    task = asyncio.create_task(server.serve())
    await server.listening.wait()
    the_app.port = server.servers[0].sockets[0].getsockname()[1]
    yield the_app
    server.should_exit = True
    await task


class Media:
    """A media server's end of one stream."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.headers = connection.request.headers if connection.request else {}
        self.path = connection.request.path if connection.request else ""
        self.messages: list[dict[str, Any]] = []
        self.stream_sid = ""
        self.over = asyncio.Event()
        self.grown = asyncio.Event()

    async def read(self) -> None:
        try:
            async for text in self.connection:
                message = json.loads(text)
                self.messages.append(message)
                self.stream_sid = message.get("streamSid", self.stream_sid)
                self.grown.set()
                self.grown = asyncio.Event()
        except ConnectionClosed:
            pass
        self.over.set()
        self.grown.set()

    async def until(self, event: str, count: int = 1) -> dict[str, Any]:
        while True:
            found = [message for message in self.messages if message["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            assert not self.over.is_set(), f"the stream ended without {count} of {event}"
            await self.grown.wait()

    def names(self) -> list[str]:
        return [m["mark"]["name"] for m in self.messages if m["event"] == "mark"]

    async def send(self, event: str, **more: Any) -> None:
        message = {"event": event, "streamSid": self.stream_sid, **more}
        await self.connection.send(json.dumps(message))

    async def play(self, sound: bytes) -> None:
        await self.send("media", media={"payload": base64.b64encode(sound).decode()})

    async def mark(self, name: str) -> None:
        await self.send("mark", mark={"name": name})

    async def clear(self) -> None:
        await self.send("clear")


class MediaServer:
    """Accepts streams; `script` is run for each, `streams` lists them."""

    def __init__(self) -> None:
        self.streams: list[Media] = []
        self.script: Callable[[Media], Awaitable[None]] | None = None
        self.server: Server
        self.port = 0

    async def accept(self, connection: ServerConnection) -> None:
        media = Media(connection)
        self.streams.append(media)
        reader = asyncio.create_task(media.read())
        if self.script:
            await media.until("start")
            await self.script(media)
        await reader


@pytest.fixture
async def media_server() -> AsyncIterator[MediaServer]:
    the_server = MediaServer()
    async with serve(the_server.accept, "127.0.0.1", 0) as server:
        the_server.port = next(iter(server.sockets)).getsockname()[1]
        yield the_server


MEDIA = "wss://media.example.test/media"
STREAM = f'<Response><Connect action="/next"><Stream url="{MEDIA}"/></Connect></Response>'


class World:
    """Both sides, and shorthands for what tests do most."""

    STREAM = STREAM
    MEDIA = MEDIA
    ORIGIN = ORIGIN
    LINE = LINE
    CALLER = CALLER
    ANNA = ANNA
    BERT = BERT

    def __init__(self, app: App, media: MediaServer, carrier: StandinCarrier) -> None:
        self.app = app
        self.media = media
        self.carrier = carrier

    async def call(self, twiml: str, script: Any = None, **more: Any) -> Leg:
        """Let CALLER call LINE, whose webhook answers `twiml`."""
        self.app.answers["/voice"] = twiml
        return await self.carrier.place_call(from_=CALLER, to=LINE, script=script, **more)

    async def stream(self, call: Leg) -> Media:
        """Wait until the call has a media stream, and return the server's end of it."""
        await call.timeline.until("stream-started")
        media = self.media.streams[-1]
        await media.until("start")
        return media


Worlds = Callable[..., Awaitable[World]]


@pytest.fixture
async def worlds(app: App, media_server: MediaServer) -> AsyncIterator[Worlds]:
    """Make a world with the carrier's settings: `await worlds(speed=20)`."""
    opened: list[StandinCarrier] = []

    async def make(**settings: Any) -> World:
        tunnel = {
            ORIGIN: f"http://127.0.0.1:{app.port}",
            "https://media.example.test": f"http://127.0.0.1:{media_server.port}",
        }
        # Real time is dear.
        speed = 1.0 if isinstance(asyncio.get_running_loop(), VirtualLoop) else 20.0
        carrier = StandinCarrier(tunnel=tunnel, **{"speed": speed, **settings})
        await carrier.__aenter__()
        opened.append(carrier)
        carrier.numbers[LINE] = NumberConfig(f"{ORIGIN}/voice")
        return World(app, media_server, carrier)

    yield make
    for carrier in opened:
        await carrier.__aexit__(None, None, None)
        assert carrier.leftovers() == []


@pytest.fixture
async def world(worlds: Worlds) -> World:
    return await worlds()
