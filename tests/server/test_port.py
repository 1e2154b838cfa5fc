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
from hookflash.server import port as one_port
from hookflash.server.app import create_app
from hookflash.server.media_socket import CLOSE_SECONDS, MediaDoor
from hookflash.server.port import OnePort, is_media, media_port

from .test_media import AUDIO, CONNECTED, SID, closed, minted, signature, start, upgraded


def tune(desk, **changes) -> None:
    """Change the media door's limits."""
    desk.app.state.media_door = dataclasses.replace(desk.app.state.media_door, **changes)


@contextlib.asynccontextmanager
async def streaming(desk) -> AsyncIterator[ClientConnection]:
    """A media socket that is open and has its call."""
    async with desk.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(CONNECTED)
        await socket.send(start(minted(desk)))
        await desk.calls.until(lambda calls: calls.streams)
        yield socket


def now() -> float:
    return asyncio.get_running_loop().time()


def stopped(desk) -> list[str]:
    return [event.reason for _, event in desk.calls.posted if isinstance(event, StreamStopped)]


# --- what picows must be ------------------------------------------------------------------------


async def test_picows_is_as_we_know_it() -> None:
    """Its server protocol is not public: this says when a new version has changed it."""
    door = MediaDoor(
        takes=is_media, admits=lambda _: True, redeem=lambda *_: 1, attach=lambda *_: None
    )
    made = media_port(door, asyncio.Protocol)
    assert made is not None and issubclass(made, OnePort)


async def test_without_picows_the_media_socket_takes_the_other_road_and_the_log_says_so(
    desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: object) -> None:
        raise TypeError("WSProtocol takes no arguments")

    monkeypatch.setattr(one_port, "_picows", gone)
    async with streaming(desk) as socket:
        desk.calls.streams[0].play("/w==")
        assert json.loads(await socket.recv())["media"] == {"payload": "/w=="}
    assert "takes ASGI's road: WSProtocol takes no arguments" in caplog.text


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
async def test_webhooks_other_sockets_and_the_media_socket_share_the_port(desk) -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    async def hello(_) -> PlainTextResponse:
        return PlainTextResponse("hello")

    door = desk.app.state.media_door
    desk.app = create_app(
        desk.calls, desk.line, routes=[Route("/hello", hello), WebSocketRoute("/echo", echo)]
    )
    desk.app.state.media_door = door
    long = "x" * 70_000
    async with desk.listening() as port, upgraded(port, signature()) as media:
        await media.send(start(minted(desk)))
        await desk.calls.until(lambda calls: calls.streams)
        async with connect(f"ws://127.0.0.1:{port}/echo", compression=None) as other:
            await other.send(long)
            assert await other.recv() == long
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/hello")).text == "hello"
            assert (await client.post("/twilio/voice", content=b"")).status_code == 403
        desk.calls.streams[0].play(long)
        assert json.loads(await media.recv())["media"]["payload"] == long


async def test_the_prefix_of_a_proxy_may_be_there_or_not(make_desk) -> None:
    desk = make_desk(public_url="https://line.example.com/shop")
    signed = signature("wss://line.example.com/shop/twilio/media")
    async with desk.listening() as port:
        for path in ("/twilio/media", "/shop/twilio/media"):
            async with connect(
                f"ws://127.0.0.1:{port}{path}", additional_headers=signed, compression=None
            ) as socket:
                await socket.send("garbage")
                assert await closed(socket) == 1008


async def test_an_upgrade_that_is_none_is_refused(desk) -> None:
    async with desk.listening() as port:
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
    assert desk.calls.streams == []


async def test_a_long_request_is_read_to_its_end(desk) -> None:
    headers = signature() | {"X-Proxy": "p" * 9000}
    async with desk.listening() as port, upgraded(port, headers) as socket:
        await socket.send(start(minted(desk)))
        await desk.calls.until(lambda calls: calls.streams)


# --- frames that are rare -------------------------------------------------------------------------


async def test_fragments_are_joined_and_binary_is_passed_over(desk) -> None:
    async with streaming(desk) as socket:
        await socket.send([AUDIO[:7], AUDIO[7:60], AUDIO[60:]])
        await socket.send([b"\x00", b"\x01"])
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
    assert isinstance(desk.calls.posted[1][1], CallerAudio)


async def test_a_ping_is_answered(desk) -> None:
    async with streaming(desk) as socket:
        async with asyncio.timeout(20):
            await (await socket.ping())


async def test_a_close_is_answered_and_told(desk) -> None:
    async with streaming(desk) as socket:
        await socket.close(1001)
        assert socket.close_code == 1000
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
    assert stopped(desk) == ["closed with 1001"]


@pytest.mark.parametrize(
    "frames",
    [
        b"\x80\x81\0\0\0\0x",  # goes on with what never began
        b"\x01\x81\0\0\0\0x\x81\x81\0\0\0\0x",  # begins anew before the end
    ],
)
async def test_fragments_out_of_order_close_the_socket(desk, frames: bytes) -> None:
    async with streaming(desk) as socket:
        socket.transport.write(frames)
        assert await closed(socket) == 1002
        await desk.calls.until(lambda calls: len(calls.posted) == 2)


async def test_fragments_without_end_are_not_collected(desk) -> None:
    async with streaming(desk) as socket:
        with contextlib.suppress(Exception):  # it is closed while it still sends
            await socket.send(["x" * 65_536] * 40)
        assert await closed(socket) == 1009
        await desk.calls.until(lambda calls: len(calls.posted) == 2)


async def test_what_comes_after_our_close_is_not_delivered(desk) -> None:
    async with streaming(desk) as socket:
        desk.calls.streams[0].close()
        await socket.send(AUDIO)
        assert await closed(socket) == 1000
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
    assert [type(event) for _, event in desk.calls.posted] == [StreamStarted, StreamStopped]


async def test_an_end_that_cannot_be_carried_out_is_logged(
    desk, caplog: pytest.LogCaptureFixture
) -> None:
    async with streaming(desk) as socket:
        desk.calls.fail_on = StreamStopped
        await socket.close()
    assert "the core has a bug" in caplog.text


# --- pressure -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def deaf(desk) -> AsyncIterator[None]:
    """A carrier that has opened its stream and then reads nothing, not even a ping."""
    async with desk.listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = ["GET /twilio/media HTTP/1.1", "Host: line", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        lines += [*(f"{name}: {value}" for name, value in signature().items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.transport.pause_reading()
        text = start(minted(desk)).encode()
        writer.write(bytes([0x81, 0x80 | 126]) + len(text).to_bytes(2, "big") + bytes(4) + text)
        await desk.calls.until(lambda calls: calls.streams)
        try:
            yield
        finally:
            writer.close()


async def test_a_carrier_that_stops_reading_is_lost(desk) -> None:
    tune(desk, unsent_bytes=10_000_000)
    async with deaf(desk):
        began = now()
        for _ in range(100):
            desk.calls.streams[0].play("A" * 10_000)
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() - began == pytest.approx(desk.app.state.media_door.stall_seconds)
    assert stopped(desk) == ["the carrier has stopped reading"]


async def test_a_carrier_that_takes_less_than_it_is_sent_is_lost(desk) -> None:
    tune(desk, unsent_bytes=100_000)
    async with deaf(desk):
        began = now()
        for _ in range(100):
            desk.calls.streams[0].play("A" * 10_000)
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() == began
    assert stopped(desk) == ["the carrier takes less than it is sent"]


async def test_a_carrier_that_answers_no_ping_is_lost(desk) -> None:
    async with deaf(desk):
        began = now()
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
        # One period until the ping, and one until its answer is missed; picows looks at intervals.
        expected = 2 * desk.app.state.media_door.ping_seconds
        assert now() - began == pytest.approx(expected, abs=0.1)
    assert stopped(desk) == ["closed with 1006"]


async def test_a_carrier_that_reads_again_in_time_is_not_lost(desk) -> None:
    tune(desk, stall_seconds=20.0, unsent_bytes=10_000_000)
    async with streaming(desk) as socket:
        socket.transport.pause_reading()
        for _ in range(100):
            desk.calls.streams[0].play("A" * 10_000)
        socket.transport.resume_reading()
        for _ in range(100):
            assert len(await socket.recv()) > 10_000
        desk.calls.streams[0].play("/w==")
        assert json.loads(await socket.recv())["media"] == {"payload": "/w=="}
    assert desk.calls.posted[0][1] == StreamStarted(SID, 1)


async def test_a_carrier_that_never_says_start_is_sent_away(desk) -> None:
    async with desk.listening() as port, upgraded(port, signature()) as socket:
        began = now()
        await socket.send(CONNECTED)
        assert await closed(socket) == 1008
        assert now() - began == pytest.approx(desk.app.state.media_door.start_seconds)


async def test_a_carrier_that_does_not_answer_our_close_is_dropped(desk) -> None:
    async with deaf(desk):
        began = now()
        desk.calls.streams[0].close()
        await desk.calls.until(lambda calls: len(calls.posted) == 2)
        assert now() - began == pytest.approx(CLOSE_SECONDS)
    assert stopped(desk) == ["closed by us"]
