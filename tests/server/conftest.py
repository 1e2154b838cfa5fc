"""A server with a fake switchboard, and a Twilio that signs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from hookflash.cluster.peers import Answer, serve_requests
from hookflash.core.commands import ConnectAgent, HangUp, Instruction
from hookflash.core.events import AnyEvent, CallArrived
from hookflash.server import workers
from hookflash.server.app import create_app, serve
from hookflash.server.carrier_answers import Asked
from hookflash.server.twilio_line import TwilioLine

TOKEN = "auth-token"
PUBLIC = "https://line.example.com"
FORM = "application/x-www-form-urlencoded"


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@dataclass
class FakeCalls:
    """A switchboard that writes down what it is asked and answers what it is told to."""

    draining: bool = False
    known: set[str] = field(default_factory=set)
    answers: list[tuple[Instruction, ...] | Exception] = field(default_factory=list)
    asked: list[CallArrived | tuple[str, Asked]] = field(default_factory=list)
    legs: list[str] = field(default_factory=list)
    posted: list[tuple[str, AnyEvent]] = field(default_factory=list)
    streams: list[Any] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    rung: set[str] = field(default_factory=set)
    """The telephones that a call rings, and what they show."""
    shown: list[str] = field(default_factory=list)
    fail_on: type | None = None
    drain_forever: bool = False

    async def arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]:
        self.asked.append(arrived)
        self.known.add(arrived.call_sid)
        return self._answer()

    async def ask(
        self, call_sid: str, asked: Asked, *, leg_sid: str = ""
    ) -> tuple[Instruction, ...]:
        self.asked.append((call_sid, asked))
        self.legs.append(leg_sid)
        return self._answer()

    async def post(self, call_sid: str, event: AnyEvent) -> bool:
        return self.take(call_sid, event)

    def take(self, call_sid: str, event: AnyEvent) -> bool:
        if type(event) is self.fail_on:
            raise RuntimeError("the core has a bug")
        self.posted.append((call_sid, event))
        self.changed.set()
        return call_sid in self.known

    def rings(self, is_number: Callable[[str], bool], caller: str, *, call_sid: str) -> bool:
        self.shown.append(caller)
        return any(map(is_number, self.rung))

    def attach(self, call_sid: str, stream: Any) -> Callable[[AnyEvent], object] | None:
        if call_sid not in self.known:
            return None
        self.streams.append(stream)
        return lambda event: self.take(call_sid, event)

    async def drain(self, seconds: float) -> None:
        self.draining = True
        self.drained.append(seconds)
        self.changed.set()
        if self.drain_forever:
            await asyncio.Event().wait()

    def _answer(self) -> tuple[Instruction, ...]:
        answer = self.answers.pop(0) if self.answers else (ConnectAgent(1), HangUp())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until(self, done: Callable[[FakeCalls], bool]) -> None:
        """Wait for something to have happened."""
        async with asyncio.timeout(300):
            while not done(self):
                await self.changed.wait()
                self.changed.clear()


def sign(url: str, body: bytes = b"", token: str = TOKEN) -> str:
    return RequestValidator(token).compute_signature(
        url.partition("#")[0], dict(parse_qsl(body.decode(), keep_blank_values=True))
    )


@dataclass
class LocalAnswerer:
    """A line, its calls, its app, and a signing Twilio in front of it."""

    calls: FakeCalls
    line: TwilioLine
    app: Starlette

    async def post(
        self, path: str, body: bytes, *, under: str = "", token: str = TOKEN, **headers: str
    ) -> httpx.Response:
        """Send a webhook as Twilio does; `under` is a prefix that the proxy leaves in place."""
        url = self.line.urls.http(path)
        async with self.client() as client:
            return await client.post(
                under + path,
                content=body,
                headers={
                    "Content-Type": FORM,
                    "X-Twilio-Signature": sign(url, body, token),
                    **{name.replace("_", "-"): value for name, value in headers.items()},
                },
            )

    def client(self, peer: str = "192.0.2.7", host: str = "internal:8080") -> httpx.AsyncClient:
        # The Host header is deliberately not the public one.
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(peer, 4711)), base_url=f"http://{host}"
        )

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Serve on a free port of this machine."""
        stop = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(
                self.app,
                self.calls,
                port=0,
                drain_seconds=0,
                on_listening=port.set_result,
                stop=stop,
            )
        )
        try:
            yield await port
        finally:
            stop.set()
            await serving


class AtOnce(Executor):
    """Does its work at once, as the virtual loop does that of a thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _serve_requests_with_socket_file(
    path: Path, answer: Answer
) -> contextlib.AbstractAsyncContextManager[None]:
    """Workers find one another by the files of their sockets; the virtual network makes none."""
    path.touch()
    return serve_requests(path, answer)


@pytest.fixture
def virtual_workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the virtual loop workers have no threads, and no connection is handed over."""
    if not request.node.get_closest_marker("realtime"):
        monkeypatch.setattr("hookflash.cluster.claims.ThreadPoolExecutor", lambda *_: AtOnce())
        monkeypatch.setattr(workers, "serve_requests", _serve_requests_with_socket_file)
        monkeypatch.setattr(
            workers, "receive_connections", lambda path, adopt: contextlib.nullcontext()
        )


@pytest.fixture
def make_webhook_server() -> Callable[..., LocalAnswerer]:
    def make(
        *,
        public_url: str = PUBLIC,
        auth_tokens: tuple[str, ...] = (TOKEN,),
        allow_unsigned: bool = False,
        caller_id: str | None = None,
    ) -> LocalAnswerer:
        line = TwilioLine.open(
            public_url=public_url,
            auth_tokens=auth_tokens,
            allow_unsigned=allow_unsigned,
            caller_id=caller_id,
        )
        calls = FakeCalls()
        return LocalAnswerer(calls, line, create_app(calls, line))

    return make


@pytest.fixture
def webhook_server(make_webhook_server: Callable[..., LocalAnswerer]) -> Iterator[LocalAnswerer]:
    yield make_webhook_server()
