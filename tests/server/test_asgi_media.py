"""The media socket over real sockets, by either road: who gets in, who is sent away, the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hookflash.core.commands import ConnectAgent
from hookflash.core.events import CallerAudio, StreamStarted, StreamStopped
from hookflash.server.asgi_media import Outbound, serve_media

WIRE = Path(__file__).parents[1] / "wire" / "twilio"
CONNECTED, START, AUDIO, *_, STOP = (WIRE / "stream.jsonl").read_text().splitlines()
CALL = "CA22222222222222222222222222222222"
SID = "MZ11111111111111111111111111111111"
SOCKET = "wss://line.example.com/twilio/media"


@pytest.fixture(autouse=True, params=["picows", "asgi"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both roads, as far as a real socket is spoken to."""
    if request.param == "asgi":
        monkeypatch.setattr("hookflash.server.app.media_port", lambda endpoint, other: None)


def signature(url: str = SOCKET, token: str = "auth-token") -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, {})}


@contextlib.asynccontextmanager
async def upgraded(port: int, headers: dict[str, str]) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{port}/twilio/media", additional_headers=headers, compression=None
    ) as socket:
        yield socket


def start(token: str, call_sid: str = CALL, stream_sid: str = SID) -> str:
    text = START.replace("good-token", token).replace(CALL, call_sid)
    return text.replace(SID, stream_sid)


def minted(webhook_server, call_sid: str = CALL, step: int = 1) -> str:
    """Return a token as it stands in TwiML."""
    webhook_server.calls.known.add(call_sid)
    document = ET.fromstring(webhook_server.line.write(call_sid, (ConnectAgent(step),)))
    return document.find("Connect/Stream/Parameter").attrib["value"]


async def closed(socket: ClientConnection) -> int:
    """Read until the socket is closed, and return the code."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(20):
            while True:
                await socket.recv()
    return socket.close_code


async def test_a_signed_socket_with_its_token_carries_both_voices(webhook_server) -> None:
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(CONNECTED)
        await socket.send(start(minted(webhook_server, step=5)))
        await webhook_server.calls.until(lambda calls: calls.streams)
        stream = webhook_server.calls.streams[0]
        stream.play("/35+fg==")
        stream.mark("0:a:20")
        stream.clear()
        assert [json.loads(await socket.recv())["event"] for _ in range(3)] == [
            "media",
            "mark",
            "clear",
        ]
        await socket.send(b"\x00\x01 a binary frame is ignored")
        await socket.send(AUDIO)
        await socket.send(STOP)
        assert await closed(socket) == 1000
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 3)
    events = [event for _, event in webhook_server.calls.posted]
    assert events[0] == StreamStarted(SID, 5)
    assert isinstance(events[1], CallerAudio)
    assert events[2:] == [StreamStopped(SID, "stop")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Twilio-Signature": ""},
        signature(token="another"),
        signature(SOCKET.replace("wss", "https")),
        signature("wss://internal/twilio/media"),
    ],
)
async def test_a_socket_without_a_valid_signature_is_never_opened(webhook_server, headers) -> None:
    minted(webhook_server)
    async with webhook_server.listening() as port:
        with pytest.raises(InvalidStatus) as caught:
            async with upgraded(port, headers):
                raise AssertionError("opened")
    assert caught.value.response.status_code == 403
    assert webhook_server.calls.streams == webhook_server.calls.posted == []


async def test_a_socket_without_a_valid_token_is_closed_and_gets_no_call(webhook_server) -> None:
    token = minted(webhook_server)
    async with webhook_server.listening() as port:
        for text in (
            start("wrong"),
            START.replace('"token":"good-token"', ""),
            start(token, call_sid="CA9"),
            AUDIO,
            "garbage",
        ):
            async with upgraded(port, signature()) as socket:
                await socket.send(CONNECTED)
                await socket.send(text)
                assert await closed(socket) == 1008
    assert webhook_server.calls.streams == webhook_server.calls.posted == []


async def test_a_token_opens_one_stream_only(webhook_server) -> None:
    token = minted(webhook_server)
    async with webhook_server.listening() as port, upgraded(port, signature()) as first:
        await first.send(start(token))
        await webhook_server.calls.until(lambda calls: calls.streams)
        async with upgraded(port, signature()) as second:
            await second.send(start(token))
            assert await closed(second) == 1008
        webhook_server.calls.streams[0].play("/w==")
        assert json.loads(await first.recv())["media"] == {"payload": "/w=="}
    assert len(webhook_server.calls.streams) == 1


async def test_a_token_for_a_call_that_is_not_here_closes_the_socket(webhook_server) -> None:
    token = minted(webhook_server)
    webhook_server.calls.known.clear()
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(start(token))
        assert await closed(socket) == 1011
    assert webhook_server.calls.posted == []


async def test_what_was_queued_is_sent_before_our_own_close(webhook_server) -> None:
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)
        stream = webhook_server.calls.streams[0]
        for _ in range(100):
            stream.play("/w==")
        stream.close()
        stream.play("AA==")
        received = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                received.append(json.loads(await socket.recv())["media"]["payload"])
        assert received == ["/w=="] * 100
        assert socket.close_code == 1000
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
    assert webhook_server.calls.posted[-1] == (CALL, StreamStopped(SID, "closed by us"))


async def test_a_connection_that_breaks_is_one_end_of_the_stream(webhook_server) -> None:
    async with webhook_server.listening() as port:
        async with upgraded(port, signature()) as socket:
            await socket.send(start(minted(webhook_server)))
            await webhook_server.calls.until(lambda calls: calls.streams)
            socket.transport.abort()
            await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)
    assert [type(event) for _, event in webhook_server.calls.posted] == [
        StreamStarted,
        StreamStopped,
    ]


async def test_a_server_that_stops_ends_its_streams(webhook_server) -> None:
    async with webhook_server.listening() as port:
        socket = await connect(
            f"ws://127.0.0.1:{port}/twilio/media", additional_headers=signature()
        )
        await socket.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)
    assert [type(event) for _, event in webhook_server.calls.posted] == [
        StreamStarted,
        StreamStopped,
    ]
    assert await closed(socket) == 1012


async def test_a_failure_of_ours_closes_this_socket_and_no_other(webhook_server, caplog) -> None:
    webhook_server.calls.fail_on = CallerAudio
    async with webhook_server.listening() as port:
        async with upgraded(port, signature()) as good, upgraded(port, signature()) as bad:
            await good.send(start(minted(webhook_server)))
            await bad.send(start(minted(webhook_server, "CA8"), "CA8", "MZ8"))
            await webhook_server.calls.until(lambda calls: len(calls.streams) == 2)
            await bad.send(AUDIO.replace(SID, "MZ8"))
            assert await closed(bad) == 1011
            webhook_server.calls.streams[0].play("/w==")
            assert await good.recv()
            await webhook_server.calls.until(lambda calls: len(calls.posted) == 3)
            assert webhook_server.calls.posted[-1] == ("CA8", StreamStopped("MZ8", "failed"))
    assert "the core has a bug" in caplog.text


async def test_garbage_on_one_socket_ends_no_other(webhook_server) -> None:
    dice = random.Random(5)
    async with webhook_server.listening() as port, upgraded(port, signature()) as good:
        await good.send(start(minted(webhook_server)))
        for number in range(10):
            call_sid, stream_sid = f"CA{number}", f"MZ{number}"
            async with upgraded(port, signature()) as bad:
                await bad.send(start(minted(webhook_server, call_sid), call_sid, stream_sid))
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(100):
                        text = bytearray(AUDIO.encode())
                        text[dice.randrange(20)] = dice.randrange(32, 127)
                        await bad.send(text.decode())
                assert await closed(bad) == 1002
        await good.send(AUDIO)
        await webhook_server.calls.until(
            lambda calls: any(
                call_sid == CALL and isinstance(event, CallerAudio)
                for call_sid, event in calls.posted
            )
        )
        webhook_server.calls.streams[0].play("/w==")
        assert await good.recv()
    ends = [event for _, event in webhook_server.calls.posted if isinstance(event, StreamStopped)]
    assert len(ends) == 11


async def test_a_message_far_too_long_closes_its_socket_only(webhook_server) -> None:
    async with webhook_server.listening() as port, upgraded(port, signature()) as socket:
        await socket.send(start(minted(webhook_server)))
        await webhook_server.calls.until(lambda calls: calls.streams)
        with contextlib.suppress(ConnectionClosed):
            await socket.send("x" * 3_000_000)
        assert await closed(socket) == 1009
        await webhook_server.calls.until(lambda calls: len(calls.posted) == 2)


async def test_a_media_socket_without_start_is_closed() -> None:
    socket = FakeSocket([CONNECTED])
    await serve_media(socket, redeem=lambda *_: 1, attach=lambda *_: None, start_seconds=0)
    assert socket.closed == (1008, "no start")


async def test_after_start_there_is_no_hurry() -> None:
    events = []
    socket = FakeSocket([START], then_disconnects=True)
    await serve_media(socket, redeem=lambda *_: 1, attach=lambda *_: events.append, start_seconds=0)
    assert events == [StreamStarted(SID, 1), StreamStopped(SID, "closed with 1006")]


async def test_a_carrier_that_stops_reading_is_lost() -> None:
    socket = FakeSocket([], stalled=True)
    outbound = Outbound(socket, stall_seconds=0.01)
    outbound.send("x")
    assert await outbound.run() == "the carrier has stopped reading"


async def test_a_carrier_that_takes_less_than_it_is_sent_is_lost() -> None:
    outbound = Outbound(FakeSocket([]), queue_characters=10)
    outbound.send("x" * 6)
    outbound.send("x" * 6)
    assert await outbound.run() == "the carrier takes less than it is sent"


async def test_sending_frees_room_in_the_queue() -> None:
    socket = FakeSocket([])
    outbound = Outbound(socket, queue_characters=10)
    running = asyncio.create_task(outbound.run())
    for _ in range(50):
        outbound.send("x" * 6)
        while socket.sent:
            socket.sent.popleft()
        await asyncio.wait_for(socket.wrote.wait(), 5)
        socket.wrote.clear()
    outbound.close(1000, "")
    outbound.close(1008, "too late")
    outbound.send("too late")
    assert await running == "closed by us"
    assert socket.closed == (1000, "")


@pytest.mark.parametrize("error", [WebSocketDisconnect(1006), RuntimeError("after close")])
async def test_a_socket_that_is_gone_ends_the_writing(error: Exception) -> None:
    outbound = Outbound(FakeSocket([], error=error))
    outbound.send("x")
    assert await outbound.run() == "the socket is gone"


async def test_a_stalled_carrier_ends_the_stream() -> None:
    events = []

    def attach(call_sid, stream):
        stream.play("/w==")
        return events.append

    await serve_media(
        FakeSocket([START], stalled=True), redeem=lambda *_: 1, attach=attach, stall_seconds=0.01
    )
    assert events == [StreamStarted(SID, 1), StreamStopped(SID, "the carrier has stopped reading")]


class FakeSocket:
    """Stands for Starlette's socket where a real carrier would have to misbehave for long."""

    def __init__(self, texts, *, stalled=False, error=None, then_disconnects=False) -> None:
        self.texts = deque(texts)
        self.stalled = stalled
        self.error = error
        self.then_disconnects = then_disconnects
        self.sent: deque[str] = deque()
        self.wrote = asyncio.Event()
        self.closed: tuple[int, str] | None = None

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, object]:
        if self.texts:
            return {"type": "websocket.receive", "text": self.texts.popleft()}
        if not self.then_disconnects:
            await asyncio.Event().wait()
        for _ in range(10):  # turns of the event loop in which a timer could fire
            await asyncio.sleep(0)
        return {"type": "websocket.disconnect", "code": 1006}

    async def send_text(self, text: str) -> None:
        if self.error is not None:
            raise self.error
        if self.stalled:
            await asyncio.Event().wait()
        self.sent.append(text)
        self.wrote.set()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
