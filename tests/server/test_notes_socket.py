"""The notes socket over real sockets: who gets in, what is heard, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from hookflash.core.commands import JoinRoom
from hookflash.core.events import CallerAudio
from hookflash.server.app import create_app
from hookflash.server.notes_socket import notes_routes

from .conftest import sign
from .test_asgi_media import AUDIO, CALL, CONNECTED, STOP, closed, start

SOCKET = "wss://line.example.com/twilio/notes"


class NotesReceiver:
    """Listens to whatever comes, and writes it down."""

    def __init__(self) -> None:
        self.attached: list[tuple[str, int]] = []
        self.heard: list[tuple[str, CallerAudio]] = []
        self.over = asyncio.Event()
        self.fails = False

    def attach(self, call_sid: str, step: int, stream: object) -> NotesReceiver:
        self.attached.append((call_sid, step))
        return self

    def hear(self, speaker: str, sound: CallerAudio) -> None:
        if self.fails:
            raise RuntimeError("ours")
        self.heard.append((speaker, sound))

    def ended(self) -> None:
        self.over.set()


@pytest.fixture
def ears(webhook_server) -> NotesReceiver:
    ears = NotesReceiver()
    webhook_server.app = create_app(
        webhook_server.calls,
        webhook_server.line,
        routes=notes_routes(webhook_server.line, ears.attach),
    )
    return ears


@contextlib.asynccontextmanager
async def upgraded(webhook_server, url: str = SOCKET) -> AsyncIterator[ClientConnection]:
    async with (
        webhook_server.listening() as port,
        connect(
            f"ws://127.0.0.1:{port}/twilio/notes",
            additional_headers={"X-Twilio-Signature": sign(url)},
            compression=None,
        ) as socket,
    ):
        yield socket


def minted(webhook_server) -> str:
    """Return a token as it stands in TwiML."""
    document = ET.fromstring(webhook_server.line.write(CALL, (JoinRoom(CALL, 1, 7, notes=True),)))
    return document.find("Start/Stream/Parameter").attrib["value"]


async def test_a_signed_socket_with_a_token_is_listened_to(
    webhook_server, ears: NotesReceiver
) -> None:
    async with upgraded(webhook_server) as socket:
        for text in (
            CONNECTED,
            start(minted(webhook_server)),
            AUDIO,
            AUDIO.replace("inbound", "outbound"),
        ):
            await socket.send(text)
        await socket.send(STOP)
        assert await closed(socket) == 1000
    assert ears.attached == [(CALL, 7)]
    assert [speaker for speaker, _ in ears.heard] == ["caller", "human"]
    assert ears.over.is_set()


async def test_a_token_is_good_once_and_for_its_call(webhook_server, ears: NotesReceiver) -> None:
    token = minted(webhook_server)
    assert webhook_server.line.tokens.redeem(CALL, token) == 7
    for text in (start(token), start(minted(webhook_server), "CA9"), AUDIO):
        async with upgraded(webhook_server) as socket:
            await socket.send(text)
            assert await closed(socket) == 1008
    assert ears.attached == []


async def test_an_unsigned_socket_is_refused(webhook_server, ears: NotesReceiver) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with upgraded(webhook_server, "wss://elsewhere.example.com/twilio/notes"):
            pass


async def test_a_carrier_that_is_gone_ends_the_notes(webhook_server, ears: NotesReceiver) -> None:
    async with upgraded(webhook_server) as socket:
        await socket.send(start(minted(webhook_server)))
        await socket.send(AUDIO)
        socket.transport.abort()
        await asyncio.wait_for(ears.over.wait(), 20)


async def test_an_internal_error_closes_only_its_own_socket(
    webhook_server, ears: NotesReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    ears.fails = True
    async with upgraded(webhook_server) as socket:
        await socket.send(start(minted(webhook_server)))
        await socket.send(AUDIO)
        assert await closed(socket) == 1011
    assert ears.over.is_set()
    assert "a call's socket failed" in caplog.text
