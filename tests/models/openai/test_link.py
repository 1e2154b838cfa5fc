"""The link against a small server that plays the model."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from hookflash.core import commands, events
from hookflash.core.setup import ModelSetup

from .link_parts import (
    SETUP,
    UPDATED,
    WIRE,
    Heard,
    accept,
    address,
    connector,
    model,
    raw,
    the_end_of,
)

# --- a session --------------------------------------------------------------------------------


async def test_a_session_opens_speaks_and_closes_cleanly() -> None:
    requests: list[Request] = []
    received: list[dict[str, Any]] = []
    closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        requests.append(connection.request)
        await accept(connection)
        received.extend([json.loads(await connection.recv()) for _ in range(2)])
        for line in (WIRE / "spoken_turn.jsonl").read_text().splitlines()[2:]:
            await connection.send(line)
        await connection.wait_closed()
        closed.set_result(connection.close_code)

    async with model(play) as url, connector(url) as opened:
        heard = Heard()
        setup = ModelSetup(instructions="You answer.", safety_identifier="caller-7f3a")
        link = opened.open(setup, heard)
        assert heard.events == []
        link.carry_out(commands.RequestResponse())
        link.send_sound(b"//8=")
        while not isinstance(await heard.next(), events.ResponseEnded):
            pass
        link.close()
        assert await asyncio.wait_for(closed, 20) == 1000

    assert requests[0].path == "/v1/realtime?model=gpt-realtime-2.1"
    assert requests[0].headers["Authorization"] == "Bearer sk-test"
    assert requests[0].headers["OpenAI-Safety-Identifier"] == "caller-7f3a"
    assert "OpenAI-Beta" not in requests[0].headers
    assert [message["type"] for message in received] == [
        "response.create",
        "input_audio_buffer.append",
    ]
    assert heard.events[0] == events.ModelReady("sess_1")
    assert [type(event) for event in heard.events].count(events.ModelAudio) == 2
    assert not [event for event in heard.events if isinstance(event, events.ModelLost)]


async def test_commands_go_out_at_once_when_ready() -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        async for message in connection:
            received.put_nowait(json.loads(message)["type"])

    async with model(play) as url, connector(url) as opened:
        heard = Heard()
        link = opened.open(SETUP, heard)
        await heard.next()
        link.carry_out(commands.TruncateItem("item_1", 820))
        assert await received.get() == "conversation.item.truncate"


async def test_fragments_are_joined_into_messages_and_binary_is_read_too() -> None:
    line = (WIRE / "spoken_turn.jsonl").read_text().splitlines()[13]

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.send([line[:20], line[20:90], line[90:]])
        await connection.send(line.encode())
        await connection.send(line)
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        await heard.next()
        pieces = [await heard.next() for _ in range(3)]
        assert isinstance(pieces[0], events.ModelAudio)
        assert pieces[0] == pieces[1] == pieces[2]


async def test_a_ping_is_answered() -> None:
    answered = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await (await connection.ping())
        answered.set()
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        opened.open(SETUP, Heard())
        await asyncio.wait_for(answered.wait(), 20)


async def test_a_pong_that_nobody_asked_for_is_nothing() -> None:
    async def play(connection: ServerConnection) -> None:
        await connection.pong()
        await connection.send((WIRE / "spoken_turn.jsonl").read_text().splitlines()[0])
        await accept(connection)
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        assert await heard.next() == events.ModelReady("sess_1")


# --- the ways in which it does not open -------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "remedy", "words"),
    [
        (401, {"code": "invalid_api_key"}, "none", "OPENAI_API_KEY"),
        (403, {}, "none", "country"),
        (404, {"code": "model_not_found"}, "none", "HOOKFLASH_MODEL"),
        (429, {"code": "insufficient_quota"}, "none", "credit"),
        (503, {}, "rotate", "503"),
        (302, {}, "none", "redirects are not followed"),
    ],
)
async def test_a_refused_upgrade_says_what_to_do(
    status: int, body: dict[str, str], remedy: str, words: str
) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        headers = Headers({"Location": "ws://127.0.0.1:9/elsewhere", "Connection": "close"})
        return Response(
            status, HTTPStatus(status).phrase, headers, json.dumps({"error": body}).encode()
        )

    async def play(connection: ServerConnection) -> None:
        raise AssertionError("the upgrade was refused")

    async with model(play, process_request=refuse) as url, connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert isinstance(lost, events.ModelLost)
    assert lost.remedy == remedy
    assert words in lost.reason
    assert heard.events == [lost]


async def test_a_refused_connection_is_retryable() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    url = address(server)
    server.close()
    await server.wait_closed()
    async with connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert lost.remedy == "rotate"
    assert "cannot be reached" in lost.reason


async def test_a_peer_that_never_answers_the_upgrade_is_given_up() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw(play) as url, connector(url, connect_seconds=0.2) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert lost == events.ModelLost("the model was not ready within 0.2 s", "rotate")


async def test_a_model_that_never_accepts_the_session_is_given_up() -> None:
    async def play(connection: ServerConnection) -> None:
        await connection.wait_closed()

    lost, heard = await the_end_of(play, connect_seconds=8.0)
    assert lost == events.ModelLost("the model was not ready within 8 s", "rotate")
    assert heard == [lost]
    assert asyncio.get_running_loop().time() == pytest.approx(8.0, abs=0.2)


async def test_a_peer_that_hangs_up_unanswered_is_worth_another_try() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with raw(play) as url, connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert lost.remedy == "rotate"
    assert "closed the connection without an answer" in lost.reason


async def test_a_peer_that_speaks_no_websocket_is_not_the_model() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with raw(play) as url, connector(url) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert isinstance(lost, events.ModelLost)
    assert "no WebSocket" in lost.reason


async def test_a_session_in_another_format_is_not_bridged() -> None:
    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(UPDATED.replace("audio/pcmu", "audio/pcm"))
        await connection.wait_closed()

    lost, heard = await the_end_of(play)
    assert lost.remedy == "none"
    assert heard == [lost]


async def test_a_safety_identifier_that_is_no_header_is_refused_as_an_event() -> None:
    async with connector("ws://127.0.0.1:9") as opened:
        heard = Heard()
        opened.open(ModelSetup(instructions="", safety_identifier="a\r\nX: b"), heard)
        lost = await heard.next()
    assert lost.remedy == "none"
    assert "safety_identifier" in lost.reason
