"""One port: what goes to picows and what does not, and a media socket that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from hookflash.core.events import CallerAudio, StreamStarted, StreamStopped
from hookflash.server import media_upgrade
from hookflash.server.app import create_app
from hookflash.server.media_upgrade import UpgradeDispatcher, is_media, media_port
from hookflash.server.picows_media import CLOSE_SECONDS, MediaEndpoint

from .test_asgi_media import AUDIO, CONNECTED, SID, closed, minted, signature, start, upgraded


def tune(webhook_server, **changes) -> None:
    """Change the media endpoint's limits."""
    webhook_server.app.state.media_endpoint = dataclasses.replace(
        webhook_server.app.state.media_endpoint, **changes
    )


@contextlib.asynccontextmanager
async def streaming(webhook_server) -> AsyncIterator[ClientConnection]:
    """A media socket that is open and has its call."""
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(CONNECTED)
        await socket.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)
        yield socket


def now() -> float:
    return asyncio.get_running_loop().time()


def stopped(webhook_server) -> list[str]:
    return [
        event.reason for _, event in webhook_server.calls.posted if isinstance(event, StreamStopped)
    ]


# --- what picows must be ------------------------------------------------------------------------


async def test_picows_is_as_we_know_it() -> None:
    """Its server protocol is not public: this says when a new version has changed it."""
    endpoint = MediaEndpoint(
        takes=is_media, admits=lambda _: True, redeem=lambda *_: 1, attach=lambda *_: None
    )
    made = media_port(endpoint, asyncio.Protocol)
    assert made is not None and issubclass(made, UpgradeDispatcher)


async def test_without_picows_the_media_socket_uses_asgi_and_logs_it(
    webhook_server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: object) -> None:
        raise TypeError("WSProtocol takes no arguments")

    monkeypatch.setattr(media_upgrade, "_picows", gone)
    async with streaming(webhook_server) as socket:
        webhook_server.calls.streams[0].play("/w==")
        assert json.loads(await socket.recv())["media"] == {"payload": "/w=="}
    assert "media sockets use ASGI: WSProtocol takes no arguments" in caplog.text


# --- one port for all ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/twilio/media", True),
        ("/twilio/media/w2-abc", True),
        ("/twilio/media/w2/more", False),
        ("/twilio/mediator", False),
        ("/twilio/voice", False),
        ("/console/feed", False),
    ],
)
def test_the_media_socket_is_known_by_its_path(path: str, media: bool) -> None:
    assert is_media(path) is media


@pytest.mark.realtime
async def test_webhooks_other_sockets_and_the_media_socket_share_the_port(webhook_server) -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    async def hello(_) -> PlainTextResponse:
        return PlainTextResponse("hello")

    endpoint = webhook_server.app.state.media_endpoint
    webhook_server.app = create_app(
        webhook_server.calls,
        webhook_server.line,
        routes=[Route("/hello", hello), WebSocketRoute("/echo", echo)],
    )
    webhook_server.app.state.media_endpoint = endpoint
    long = "x" * 70_000
    async with webhook_server.listening() as port, upgraded(port, signature()) as media:
        await media.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)
        async with connect(f"ws://127.0.0.1:{port}/echo", compression=None) as other:
            await other.send(long)
            assert await other.recv() == long
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/hello")).text == "hello"
            assert (await client.post("/twilio/voice", content=b"")).status_code == 403
        webhook_server.calls.streams[0].play(long)
        assert json.loads(await media.recv())["media"]["payload"] == long


async def test_the_prefix_of_a_proxy_may_be_there_or_not(make_webhook_server) -> None:
    webhook_server = make_webhook_server(public_url="https://line.example.com/shop")
    signed = signature("wss://line.example.com/shop/twilio/media")
    async with webhook_server.listening() as port:
        for path in ("/twilio/media", "/shop/twilio/media"):
            async with connect(
                f"ws://127.0.0.1:{port}{path}", additional_headers=signed, compression=None
            ) as socket:
                await socket.send("garbage")
                assert await closed(socket) == 1008


async def test_an_upgrade_that_is_none_is_refused(webhook_server) -> None:
    async with webhook_server.listening() as port:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{port}/nothing"):
                raise AssertionError("opened")
        assert caught.value.response.status_code == 403
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = ["GET /twilio/media HTTP/1.1", "Host: line", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", *(f"{k}: {v}" for k, v in signature().items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert webhook_server.calls.streams == []


async def test_a_long_request_is_read_to_its_end(webhook_server) -> None:
    headers = signature() | {"X-Proxy": "p" * 9000}
    async with webhook_server.listening() as port, upgraded(port, headers) as socket:
        await socket.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)


@pytest.mark.parametrize("city", [b"S\xe3o Paulo", "S\u00e3o Paulo".encode()])
async def test_a_proxy_may_add_a_header_that_is_no_ascii(webhook_server, city: bytes) -> None:
    """RFC 9110, 5.5 allows such bytes. Proxies name a client's city so."""
    signed = "".join(f"{name}: {value}\r\n" for name, value in signature().items()).encode()
    async with webhook_server.listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /twilio/media HTTP/1.1\r\nHost: line\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"X-City: " + city + b"\r\n" + signed + b"\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.close()


# --- frames that are rare -------------------------------------------------------------------------


async def test_fragments_are_joined_and_binary_is_passed_over(webhook_server) -> None:
    async with streaming(webhook_server) as socket:
        await socket.send([AUDIO[:7], AUDIO[7:60], AUDIO[60:]])
        await socket.send([b"\x00", b"\x01"])
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
    assert isinstance(webhook_server.calls.posted[1][1], CallerAudio)


async def test_a_ping_is_answered(webhook_server) -> None:
    async with streaming(webhook_server) as socket:
        async with asyncio.timeout(20):
            await (await socket.ping())


async def test_a_close_is_answered_and_told(webhook_server) -> None:
    async with streaming(webhook_server) as socket:
        await socket.close(1001)
        assert socket.close_code == 1000
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
    assert stopped(webhook_server) == ["closed with 1001"]


@pytest.mark.parametrize(
    "frames",
    [
        b"\x80\x81\0\0\0\0x",  # goes on with what never began
        b"\x01\x81\0\0\0\0x\x81\x81\0\0\0\0x",  # begins anew before the end
    ],
)
async def test_fragments_out_of_order_close_the_socket(webhook_server, frames: bytes) -> None:
    async with streaming(webhook_server) as socket:
        socket.transport.write(frames)
        assert await closed(socket) == 1002
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)


async def test_fragments_without_end_are_not_collected(webhook_server) -> None:
    async with streaming(webhook_server) as socket:
        with contextlib.suppress(Exception):  # it is closed while it still sends
            await socket.send(["x" * 65_536] * 40)
        assert await closed(socket) == 1009
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)


async def test_messages_after_our_close_are_not_delivered(webhook_server) -> None:
    async with streaming(webhook_server) as socket:
        webhook_server.calls.streams[0].close()
        await socket.send(AUDIO)
        assert await closed(socket) == 1000
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
    assert [type(event) for _, event in webhook_server.calls.posted] == [
        StreamStarted,
        StreamStopped,
    ]


async def test_an_end_that_cannot_be_carried_out_is_logged(
    webhook_server, caplog: pytest.LogCaptureFixture
) -> None:
    async with streaming(webhook_server) as socket:
        webhook_server.calls.fail_on = StreamStopped
        await socket.close()
    assert "the core has a bug" in caplog.text


# --- pressure -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def deaf(webhook_server) -> AsyncIterator[None]:
    """A carrier that has opened its stream and then reads nothing, not even a ping."""
    async with webhook_server.listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = ["GET /twilio/media HTTP/1.1", "Host: line", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        lines += [*(f"{name}: {value}" for name, value in signature().items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.transport.pause_reading()
        text = start(minted(webhook_server)).encode()
        writer.write(bytes([0x81, 0x80 | 126]) + len(text).to_bytes(2, "big") + bytes(4) + text)
        await webhook_server.calls.until(lambda calls: calls.streams)
        try:
            yield
        finally:
            writer.close()


async def test_a_carrier_that_stops_reading_is_lost(webhook_server) -> None:
    tune(webhook_server, unsent_bytes=10_000_000)
    async with deaf(webhook_server):
        began = now()
        for _ in range(100):
            webhook_server.calls.streams[0].play("A" * 10_000)
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() - began == pytest.approx(webhook_server.app.state.media_endpoint.stall_seconds)
    assert stopped(webhook_server) == ["the carrier has stopped reading"]


async def test_a_carrier_that_takes_less_than_it_is_sent_is_lost(webhook_server) -> None:
    tune(webhook_server, unsent_bytes=100_000)
    async with deaf(webhook_server):
        began = now()
        for _ in range(100):
            webhook_server.calls.streams[0].play("A" * 10_000)
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() == began
    assert stopped(webhook_server) == ["the carrier takes less than it is sent"]


async def test_a_carrier_that_answers_no_ping_is_lost(webhook_server) -> None:
    async with deaf(webhook_server):
        began = now()
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
        # One period until the ping, and one until its answer is missed; picows looks at intervals.
        expected = 2 * webhook_server.app.state.media_endpoint.ping_seconds
        assert now() - began == pytest.approx(expected, abs=0.1)
    assert stopped(webhook_server) == ["closed with 1006"]


async def test_a_carrier_that_reads_again_in_time_is_not_lost(webhook_server) -> None:
    tune(webhook_server, stall_seconds=20.0, unsent_bytes=10_000_000)
    async with streaming(webhook_server) as socket:
        socket.transport.pause_reading()
        for _ in range(100):
            webhook_server.calls.streams[0].play("A" * 10_000)
        socket.transport.resume_reading()
        for _ in range(100):
            assert len(await socket.recv()) > 10_000
        webhook_server.calls.streams[0].play("/w==")
        assert json.loads(await socket.recv())["media"] == {"payload": "/w=="}
    assert webhook_server.calls.posted[0][1] == StreamStarted(SID, 1)


async def test_a_media_socket_without_start_is_closed(webhook_server) -> None:
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        began = now()
        await socket.send(CONNECTED)
        assert await closed(socket) == 1008
        assert now() - began == pytest.approx(webhook_server.app.state.media_endpoint.start_seconds)


async def test_a_carrier_that_does_not_answer_our_close_is_dropped(webhook_server) -> None:
    async with deaf(webhook_server):
        began = now()
        webhook_server.calls.streams[0].close()
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() - began == pytest.approx(CLOSE_SECONDS)
    assert stopped(webhook_server) == ["closed by us"]
