"""What a stranger may do on the port before a signature or a sign-in, over connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.asyncio.client import connect

from hookflash.carriers.twilio.urls import Urls
from hookflash.server import music
from hookflash.server.app import create_app
from hookflash.server.connection_limits import ConnectionLimits, ConnectionTable, Rejection
from hookflash.server.connection_routing import routing_protocol
from hookflash.server.limited_http import (
    PIPELINED,
    STALL_SECONDS,
    connection_table,
    raise_descriptor_limit,
)

from .conftest import FORM, PUBLIC, sign
from .test_asgi_media import CONNECTED, minted, signature, start, upgraded

ROOT = Path(__file__).parents[2]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-More: "


class Stranger:
    """A client that sends bytes, and reads what comes back."""

    present: list[Stranger] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.present.append(self)

    @classmethod
    async def arrive(cls, port: int, data: bytes = b"") -> Stranger:
        stranger = cls(*await asyncio.open_connection("127.0.0.1", port))
        stranger.writer.write(data)
        # The server reads it before somebody else arrives.
        await asyncio.sleep(0.01)
        return stranger

    async def ask(self, data: bytes = HEALTH) -> bytes:
        """Return the status line and the body of one answer that has a length."""
        self.writer.write(data)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, head
        body = await self.reader.readexactly(int(length[1]))
        return head.partition(b"\r\n")[0] + b" " + body

    async def rest(self) -> bytes:
        """Return everything until the server closes the connection."""
        found = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(300):
                while data := await self.reader.read(65_536):
                    found += data
        return found

    @classmethod
    def leave(cls) -> None:
        """Close all connections."""
        while cls.present:
            cls.present.pop().writer.close()

    @property
    def reading(self) -> asyncio.ReadTransport:
        """Return the transport, which can be told not to read."""
        transport = self.writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        return transport

    async def is_open(self) -> bool:
        try:
            async with asyncio.timeout(0.5):
                await self.reader.read(1)
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        return False


def now() -> float:
    return asyncio.get_running_loop().time()


@contextlib.asynccontextmanager
async def limited(server: Any, **limits: Any) -> AsyncIterator[tuple[int, ConnectionTable]]:
    """Serve with these limits. No address is a proxy's."""
    table = ConnectionTable(
        ConnectionLimits(**limits), is_proxy=lambda host: False, log=server.lines.append
    )
    server.app.state.connections = table
    async with server.listening() as port:
        yield port, table
        Stranger.leave()


@pytest.fixture
def server(webhook_server: Any) -> Iterator[Any]:
    """A server with a route that answers when it is told to."""
    webhook_server.lines = []
    webhook_server.may_answer = asyncio.Event()

    async def wait(_: Request) -> PlainTextResponse:
        await webhook_server.may_answer.wait()
        return PlainTextResponse("now")

    webhook_server.app = create_app(
        webhook_server.calls,
        webhook_server.line,
        routes=[Route("/wait", wait, methods=["GET", "POST"])],
    )
    yield webhook_server


# --- the size of a request ------------------------------------------------------------------------


async def test_an_endless_header_is_refused_after_64_kib(server: Any) -> None:
    async with limited(server) as (port, table):
        stranger = await Stranger.arrive(port, HALF)
        sent = 0
        while sent < 64_000_000 and not table.refused:
            stranger.writer.write(b"x" * 10_000)
            sent += 10_000
            await asyncio.sleep(0.001)
        assert sent <= 90_000
        answer = await stranger.rest()
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert answer.endswith(b"The request line and headers are longer than 65536 bytes.")
        assert b"connection: close" in answer
        assert table.refused == {Rejection.HEADER_BYTES: 1}
        assert table.strangers == 0
        assert "HOOKFLASH_MAX_HEADER_BYTES" in server.lines[0]


async def test_a_head_of_nearly_64_kib_is_served(server: Any) -> None:
    async with limited(server) as (port, table):
        stranger = await Stranger.arrive(port)
        head = HALF + b"x" * (65_536 - len(HALF) - 4) + b"\r\n\r\n"
        assert len(head) == 65_536
        for _ in range(2):
            assert await stranger.ask(head) == b"HTTP/1.1 200 OK ok"
        longer = head.replace(b"xx", b"x" * 40, 1)
        assert (await stranger.ask(longer)).startswith(b"HTTP/1.1 431 ")
        assert table.refused == {Rejection.HEADER_BYTES: 1}


@pytest.mark.parametrize(
    ("data", "status", "refusal"),
    [
        (b"GET /" + b"x" * 9000, b"414", Rejection.REQUEST_LINE),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"414", Rejection.REQUEST_LINE),
        (
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n",
            b"431",
            Rejection.HEADER_COUNT,
        ),
        (b"\r\n" * 40_000, b"431", Rejection.HEADER_BYTES),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", b"400", Rejection.INVALID),
        (b"HELO example.com\r\n", b"400", Rejection.INVALID),
        (b"CONNECT example.com:25 HTTP/1.1\r\n\r\n", b"400", Rejection.INVALID),
    ],
)
async def test_what_is_too_long_or_no_http_is_refused_with_a_sentence(
    server: Any, data: bytes, status: bytes, refusal: Rejection
) -> None:
    async with limited(server) as (port, table):
        answer = await (await Stranger.arrive(port, data)).rest()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.endswith(table.limits.sentence(refusal).encode())
        assert table.refused == {refusal: 1}


async def test_a_hundred_headers_are_served(server: Any) -> None:
    async with limited(server) as (port, _):
        request = b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n"
        assert await (await Stranger.arrive(port)).ask(request) == b"HTTP/1.1 200 OK ok"


@pytest.mark.parametrize(
    "endless",
    [b"x: y\r\n", b"x" * 1000, b"x: y\r\nz" + b"z" * 1000],
    ids=["trailers", "a trailer", "both"],
)
async def test_endless_trailers_are_refused(server: Any, endless: bytes) -> None:
    head = b"POST /wait HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    async with limited(server) as (port, table):
        stranger = await Stranger.arrive(port, head)
        for _ in range(1000):
            stranger.writer.write(endless)
            await asyncio.sleep(0.001)
            if table.refused:
                break
        assert await stranger.rest() == b""
        assert set(table.refused) <= {
            Rejection.HEADER_BYTES,
            Rejection.HEADER_COUNT,
        }


async def test_a_long_body_does_not_count_as_headers(server: Any) -> None:
    body = urlencode({"CallSid": "CA1", "Note": "x" * 60_000}).encode()
    signed = sign(f"{PUBLIC}/twilio/status", body)
    head = f"POST /twilio/status HTTP/1.1\r\nContent-Type: {FORM}\r\nX-Twilio-Signature: {signed}"
    whole = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    chunked = f"{head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 10]), body[at : at + 10])
        for at in range(0, len(body), 10)
    )
    async with limited(server) as (port, table):
        for request in (whole, chunked + b"0\r\n\r\n"):
            stranger = await Stranger.arrive(port, request)
            assert (await stranger.reader.readline()).startswith(b"HTTP/1.1 204")
        assert table.refused == {}


async def test_a_flood_of_pipelined_requests_ends_its_connection_only(server: Any) -> None:
    async with limited(server) as (port, table):
        stranger = await Stranger.arrive(port, HEALTH * 5000)
        assert (await stranger.rest()).count(b"HTTP/1.1 200") <= PIPELINED + 1
        assert table.refused == {Rejection.PIPELINED: 1}
        few = await Stranger.arrive(port, HEALTH * PIPELINED)
        for _ in range(PIPELINED):
            assert await few.ask(b"") == b"HTTP/1.1 200 OK ok"


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", HEALTH], ids=["new", "kept open"])
async def test_a_half_sent_request_gets_408_after_ten_seconds(server: Any, first: bytes) -> None:
    async with limited(server) as (port, table):
        stranger = await Stranger.arrive(port)
        if first:
            await stranger.ask(first)
            await asyncio.sleep(30)
        began = now()
        for byte in HALF[:9]:
            stranger.writer.write(bytes([byte]))
            await asyncio.sleep(1)
        answer = await stranger.rest()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b"The request was not complete within 10 seconds.")
        assert 9.9 <= now() - began <= 10.2
        assert table.refused == {Rejection.HEADER_SECONDS: 1}
        assert table.strangers == 0


async def test_a_connection_that_sends_nothing_is_closed_without_a_word(server: Any) -> None:
    async with limited(server) as (port, table):
        began = now()
        assert await (await Stranger.arrive(port)).rest() == b""
        assert 9.9 <= now() - began <= 10.2
        assert table.refused == {Rejection.HEADER_SECONDS: 1}


async def test_an_idle_connection_is_closed_after_its_time(server: Any) -> None:
    async with limited(server, keep_alive_seconds=20) as (port, table):
        stranger = await Stranger.arrive(port)
        for _ in range(3):
            assert await stranger.ask() == b"HTTP/1.1 200 OK ok"
            await asyncio.sleep(19)
        assert await stranger.ask() == b"HTTP/1.1 200 OK ok"
        began = now()
        assert await stranger.rest() == b""
        assert 19.9 <= now() - began <= 20.2
        assert table.refused == {}


async def test_a_body_that_goes_on_after_the_answer_has_the_same_time(server: Any) -> None:
    """The answer does not need the body; the client sends it slowly, or in time."""
    request = b"GET /healthz HTTP/1.1\r\nContent-Length: 30\r\n\r\n"
    async with limited(server, keep_alive_seconds=20) as (port, table):
        slow, quick = [await Stranger.arrive(port) for _ in range(2)]
        for stranger in (slow, quick):
            assert await stranger.ask(request) == b"HTTP/1.1 200 OK ok"
        quick.writer.write(b"x" * 30)
        began = now()
        for _ in range(9):
            slow.writer.write(b"x")
            await asyncio.sleep(1)
        assert await slow.rest() == b""
        assert 9.9 <= now() - began <= 10.2
        assert table.refused == {Rejection.HEADER_SECONDS: 1}
        assert await quick.is_open()
        assert await quick.rest() == b""
        assert 19.9 <= now() - began <= 20.2


async def test_an_answer_that_is_not_read_ends_its_connection(server: Any) -> None:
    async with limited(server) as (port, table):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /twilio/music/60.wav HTTP/1.1\r\n\r\n")
        await asyncio.sleep(STALL_SECONDS - 1)
        assert table.refused == {}
        await asyncio.sleep(2)
        assert table.refused == {Rejection.STALLED: 1}
        assert table.strangers == 0
        del reader
        writer.close()


async def test_an_answer_that_is_read_slowly_is_sent_to_its_end(server: Any) -> None:
    async with limited(server) as (port, table):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=20_000)
        writer.write(b"GET /twilio/music/60.wav HTTP/1.1\r\nConnection: close\r\n\r\n")
        sound = b""
        while data := await reader.read(20_000):
            sound += data
            await asyncio.sleep(2)
        assert sound.endswith(music.wav(60))
        assert table.refused == {}
        writer.close()


UNREAD_SECONDS = 36
"""Music that exceeds what the two kernels buffer by less than a transport's high-water mark: the
server never pauses writing."""


async def unread(port: int, *headers: str) -> Stranger:
    """Return a stranger who asks for music and reads nothing."""
    stranger = await Stranger.arrive(port)
    stranger.reading.pause_reading()
    lines = (f"GET /twilio/music/{UNREAD_SECONDS}.wav HTTP/1.1", *headers, "", "")
    stranger.writer.write("\r\n".join(lines).encode())
    await asyncio.sleep(1)
    return stranger


async def got_everything(stranger: Stranger) -> bool:
    """Read on. Return whether the whole answer arrives."""
    stranger.reading.resume_reading()
    return (await stranger.rest()).endswith(music.wav(UNREAD_SECONDS))


@pytest.mark.parametrize("ending", ["close", "keep-alive", "half-close"])
async def test_the_rest_of_an_answer_does_not_wait_for_ever(server: Any, ending: str) -> None:
    async with limited(server, keep_alive_seconds=20) as (port, table):
        stranger = await unread(port, f"Connection: {ending}")
        if ending == "half-close":
            stranger.writer.write_eof()
        await asyncio.sleep(20 + STALL_SECONDS)
        assert table.strangers == 0
        assert table.refused == {Rejection.STALLED: 1}
        assert not await got_everything(stranger)


async def test_the_rest_of_an_answer_may_be_read_within_the_time(server: Any) -> None:
    async with limited(server) as (port, table):
        stranger = await unread(port, "Connection: close")
        await asyncio.sleep(STALL_SECONDS - 2)
        assert await got_everything(stranger)
        assert table.refused == {}


@pytest.mark.parametrize("ending", ["close", "keep-alive"])
async def test_a_connection_that_is_not_read_is_gone_when_another_needs_its_place(
    server: Any, ending: str
) -> None:
    async with limited(server, connections=1, connections_per_address=0) as (port, table):
        stranger = await unread(port, f"Connection: {ending}")
        assert await (await Stranger.arrive(port)).ask() == b"HTTP/1.1 200 OK ok"
        assert table.refused == {Rejection.CONNECTIONS: 1}
        assert not await got_everything(stranger)


async def test_an_upgrade_behind_an_unread_answer_is_refused(server: Any) -> None:
    """A connection that became a WebSocket is not in the table: nothing would limit it."""
    upgrade = (
        b"GET /twilio/media HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with limited(server) as (port, table):
        stranger = await unread(port)
        stranger.writer.write(upgrade)
        waiting = await Stranger.arrive(port, b"GET /wait HTTP/1.1\r\n\r\n" + upgrade)
        await asyncio.sleep(5)
        assert table.refused == {Rejection.PIPELINED: 2}
        assert table.strangers == 0
        assert await waiting.rest() == b""
        assert not await got_everything(stranger)


# --- how many -------------------------------------------------------------------------------------


async def test_one_address_has_a_number_of_connections(server: Any) -> None:
    async with limited(server, connections_per_address=2) as (port, table):
        half, idle = await Stranger.arrive(port, HALF), await Stranger.arrive(port)
        await idle.ask()
        await Stranger.arrive(port, HEALTH[:9])
        assert await idle.rest() == b""
        fourth = await Stranger.arrive(port, HEALTH[:10])
        answer = await half.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"Your address has too many open connections.")
        assert await fourth.ask(HEALTH[10:]) == b"HTTP/1.1 200 OK ok"
        assert table.refused == {Rejection.PER_ADDRESS: 2}


async def test_one_address_whose_requests_are_all_answered_gets_503(server: Any) -> None:
    request = b"GET /wait HTTP/1.1\r\n\r\n"
    async with limited(server, connections_per_address=2) as (port, table):
        waiting = [await Stranger.arrive(port, request) for _ in range(2)]
        answer = await (await Stranger.arrive(port, HEALTH)).rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert table.refused == {Rejection.PER_ADDRESS: 1}
        server.may_answer.set()
        for stranger in waiting:
            assert await stranger.ask(b"") == b"HTTP/1.1 200 OK now"


async def test_strangers_shut_out_neither_webhooks_nor_media(server: Any) -> None:
    body = urlencode({"CallSid": "CA1", "From": "+15550142", "To": "+15550100"}).encode()
    signed = sign(f"{PUBLIC}/twilio/voice", body)
    webhook = (
        f"POST /twilio/voice HTTP/1.1\r\nContent-Type: {FORM}\r\nX-Twilio-Signature: {signed}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    limits = {"connections": 20, "connections_per_address": 0}
    async with limited(server, **limits) as (port, table):
        async with upgraded(port, signature()) as media:
            await media.send(CONNECTED)
            await media.send(start(minted(server)))
            await server.calls.until(lambda calls: calls.streams)
            twilio = await Stranger.arrive(port)
            assert (await twilio.ask(webhook)).startswith(b"HTTP/1.1 200 OK")
            assert (table.strangers, table.trusted) == (0, 1)
            strangers = [await Stranger.arrive(port, HALF) for _ in range(100)]
            assert (table.strangers, table.trusted) == (20, 1)
            # Twilio's open connection, a new one of it, and the call's socket.
            assert (await twilio.ask(webhook)).startswith(b"HTTP/1.1 200 OK")
            new = await Stranger.arrive(port)
            assert (await new.ask(webhook)).startswith(b"HTTP/1.1 200 OK")
            server.calls.streams[0].play("/w==")
            assert "/w==" in str(await media.recv())
            answers = await asyncio.gather(*(each.rest() for each in strangers[:79]))
            assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"}
            assert table.refused == {Rejection.CONNECTIONS: 81}
            assert len(server.lines) == 2


async def test_a_stranger_whose_request_is_answered_is_closed_last(server: Any) -> None:
    request = b"GET /wait HTTP/1.1\r\n\r\n"
    async with limited(server, connections=1, connections_per_address=0) as (port, table):
        waiting = await Stranger.arrive(port, request)
        assert await (await Stranger.arrive(port)).ask() == b"HTTP/1.1 200 OK ok"
        assert await waiting.rest() == b""
        assert table.refused == {Rejection.CONNECTIONS: 1}


async def test_a_refused_connection_is_the_first_to_be_closed(server: Any) -> None:
    async with limited(server, connections=2, connections_per_address=0) as (port, table):
        half = await Stranger.arrive(port, HALF)
        refused = await Stranger.arrive(port, b"HELO\r\n\r\n")
        assert await (await Stranger.arrive(port)).ask() == b"HTTP/1.1 200 OK ok"
        assert (await refused.rest()).startswith(b"HTTP/1.1 400")
        assert await half.is_open()
        assert table.refused == {Rejection.INVALID: 1, Rejection.CONNECTIONS: 1}


# --- descriptors ----------------------------------------------------------------------------------

_FEW_DESCRIPTORS = 256
_SERVE = """
import asyncio, resource, uvloop
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
from tests.server.conftest import FakeCalls
from hookflash.server.app import create_app, serve
from hookflash.server.twilio_line import TwilioLine
line = TwilioLine.open(
    public_url="https://line.example.com", auth_tokens=["x"], allow_unsigned=False
)
calls = FakeCalls()
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(serve(create_app(calls, line), calls, port=0, drain_seconds=0,
                     on_listening=lambda port: print(port, flush=True)))
"""


@pytest.mark.realtime
async def test_300_idle_connections_at_256_descriptors_leave_room_for_calls() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVE.format(limit=_FEW_DESCRIPTORS)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        with contextlib.ExitStack() as held:
            for _ in range(300):
                held.enter_context(
                    await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port))
                )
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for _ in range(3):
                    assert (await client.get("/healthz")).text == "ok"
            most = _FEW_DESCRIPTORS * 3 // 4 + 1
            async with asyncio.timeout(60):
                # The server notices a moment later that the client has left.
                while len(os.listdir(f"/proc/{process.pid}/fd")) > most:  # noqa: ASYNC110 - a process
                    await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_the_limit_of_descriptors_is_raised_as_far_as_it_may_be(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_to: list[tuple[int, int]] = []
    endless = resource.RLIM_INFINITY
    for soft, hard in ((1024, 4096), (1024, endless), (4096, 4096), (endless, endless)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, pair=(soft, hard): pair)
        monkeypatch.setattr(resource, "setrlimit", lambda _, pair: set_to.append(pair))
        raise_descriptor_limit()
    assert set_to == [(4096, 4096), (65_536, endless)]

    def forbidden(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", forbidden)
    raise_descriptor_limit()
    assert "stays at 1024: not allowed" in caplog.text


def test_a_table_knows_how_many_descriptors_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, refusal in ((100, Rejection.DESCRIPTORS), (resource.RLIM_INFINITY, None)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connection_table().opened("192.0.2.7", 99, lambda refusal: None)[1] is refusal


# --- WebSockets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket",
        "Connection: Upgrade, keep-alive\r\nUpgrade: WebSocket",
        "Connection: keep-alive,UPGRADE\r\nUpgrade: websocket",
        "Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket",
        "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, websocket",
    ],
)
async def test_any_list_with_the_token_upgrade_opens_the_media_socket(
    webhook_server: Any, headers: str
) -> None:
    request = (
        f"GET /twilio/media HTTP/1.1\r\nHost: x\r\n{headers}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"X-Twilio-Signature: {signature()['X-Twilio-Signature']}\r\n\r\n"
    )
    async with webhook_server.listening() as port:
        stranger = await Stranger.arrive(port, request.encode())
        assert (await stranger.reader.readline()).startswith(b"HTTP/1.1 101 ")
        Stranger.leave()


@pytest.mark.parametrize(
    "headers", ["Connection: keep-alive\r\nUpgrade: websocket", "Connection: Upgrade"]
)
async def test_without_the_token_there_is_no_socket(webhook_server: Any, headers: str) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode()
    async with webhook_server.listening() as port:
        assert await (await Stranger.arrive(port)).ask(request) == b"HTTP/1.1 200 OK ok"
        Stranger.leave()


@pytest.mark.parametrize("path", ["/", "/console/calls/CA1/listen", "/twilio/media"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_upgrade_that_no_protocol_can_read_is_not_left_open(
    server: Any, path: str, method: str
) -> None:
    """It has left the table, so nothing else would close it."""
    odd = f"X: {'a' * 9000}" if method == "GET" else "Content-Length: 0"
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"{odd}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with limited(server) as (port, table):
        began = now()
        answer = await (await Stranger.arrive(port, request.encode())).rest()
        assert now() - began < 1
        if path != "/twilio/media":
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert answer.endswith(b"This is not a valid handshake of a WebSocket.")
            assert table.refused == {Rejection.HANDSHAKE: 1}


async def test_another_protocol_is_not_upgraded_to(webhook_server: Any) -> None:
    request = b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with webhook_server.listening() as port:
        assert await (await Stranger.arrive(port)).ask(request) == b"HTTP/1.1 200 OK ok"
        Stranger.leave()


@pytest.mark.realtime
async def test_the_limits_hold_for_a_worker_too(tmp_path: Path) -> None:
    async def found(call_sid: str) -> str:
        await asyncio.sleep(0.01)
        return ""

    table = ConnectionTable(is_proxy=lambda host: False)
    protocol = routing_protocol(Urls.under(PUBLIC, worker="w1"), lambda *_: False, found, table)
    app = Starlette(routes=[Route("/healthz", lambda _: PlainTextResponse("ok"))])
    worker = uvicorn.Server(
        uvicorn.Config(app, http=protocol, ws="websockets-sansio", log_config=None, lifespan="off")
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(worker._serve([listener]))
        port = listener.getsockname()[1]
        stranger = await Stranger.arrive(port, HALF + b"x" * 70_000)
        assert (await stranger.rest()).startswith(b"HTTP/1.1 431 ")
        # A socket that listens to a call leaves the table, once its worker is found.
        with pytest.raises(Exception, match="403"):
            await connect(f"ws://127.0.0.1:{port}/console/calls/CA1/listen")
        assert await (await Stranger.arrive(port)).ask() == b"HTTP/1.1 200 OK ok"
        assert table.strangers == 1
        assert table.refused == {Rejection.HEADER_BYTES: 1}
        Stranger.leave()
        worker.should_exit = True
        await serving


# --- music ----------------------------------------------------------------------------------------


@pytest.mark.realtime
async def test_music_is_synthesised_once_and_outside_the_loop(
    webhook_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    note = music._note

    def noted(frequency: int) -> bytes:
        threads.append(threading.get_ident())
        return note(frequency)

    monkeypatch.setattr(music, "_note", noted)
    music._turn.cache_clear()
    async with webhook_server.listening() as port:
        assert threads, "it is ready before the port is open"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(2):
                answer = await client.get("/twilio/music/9.wav")
                assert answer.content == music.wav(9)
                assert answer.headers["content-length"] == str(len(answer.content))
    assert len(threads) == 16
    assert threading.get_ident() not in threads
