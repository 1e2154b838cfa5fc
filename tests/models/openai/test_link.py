"""The link over real loopback sockets, against a small server that plays the model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hookflash.core import commands, events
from hookflash.core.setup import ModelSetup
from hookflash.errors import ConfigError
from hookflash.models.openai import CAPABILITIES, OpenAIConnector, RealtimeOptions
from hookflash.models.openai import link as link_module

WIRE = Path(__file__).parents[2] / "wire" / "openai"
PCMU = {"type": "audio/pcmu"}
UPDATED = json.dumps(
    {
        "type": "session.updated",
        "session": {
            "id": "sess_1",
            "audio": {"input": {"format": PCMU}, "output": {"format": PCMU}},
        },
    }
)
SETUP = ModelSetup(instructions="You answer the phone.")
Play = Callable[[ServerConnection], Awaitable[None]]


class Heard:
    """Where a link delivers: a list, and a way to wait for the next event."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._queue.put_nowait(event)

    async def next(self) -> Any:
        return await asyncio.wait_for(self._queue.get(), 20)


async def accept(connection: ServerConnection) -> None:
    """Read the session.update and accept it."""
    assert json.loads(await connection.recv())["type"] == "session.update"
    await connection.send(UPDATED)


@contextlib.asynccontextmanager
async def model(play: Play, **options: Any) -> AsyncIterator[str]:
    async with serve(
        play, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1, **options
    ) as server:
        yield address(server)


def address(server: Server | asyncio.Server) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime"


@contextlib.asynccontextmanager
async def raw(
    play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that speaks whatever `play` does; its connections end with the block."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await play(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield address(server)
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def connector(url: str, **options: Any) -> AsyncIterator[OpenAIConnector]:
    opened = OpenAIConnector(url, **{"api_key": "sk-test", "close_seconds": 1.0} | options)
    before = asyncio.all_tasks()
    try:
        yield opened
    finally:
        await opened.aclose()
        assert not [t for t in asyncio.all_tasks() - before if "OpenAIConnector" in repr(t)]


async def the_end_of(play: Play, **options: Any) -> tuple[Any, list[Any]]:
    """Open a session with a model that does `play`; return the last event and all of them."""
    async with model(play) as url, connector(url, **options) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        while not isinstance(event := await heard.next(), events.ModelLost):
            pass
        return event, heard.events


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
        link.carry_out(commands.SendCallerAudio("//8=", 2))
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


async def test_nobody_listening_is_worth_another_try() -> None:
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

    lost, heard = await the_end_of(play, connect_seconds=0.3)
    assert lost == events.ModelLost("the model was not ready within 0.3 s", "rotate")
    assert heard == [lost]


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


# --- the ways in which it ends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (1000, "", "rotate"),
        (1001, "Your session hit the maximum duration of 60 minutes.", "rotate"),
        (1011, "", "rotate"),
        (3000, "invalid_request_error.invalid_api_key", "none"),
        (4000, "", "none"),
    ],
)
async def test_the_models_own_close_says_what_to_do(code: int, reason: str, remedy: str) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.close(code, reason)

    lost, heard = await the_end_of(play)
    assert lost.remedy == remedy
    assert f"code {code}" in lost.reason
    assert heard == [events.ModelReady("sess_1"), lost]


async def test_a_close_without_a_code_is_worth_another_try() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.write(b"\x88\x00")
        await connection.wait_closed()

    lost, _ = await the_end_of(play)
    assert lost.remedy == "rotate"
    assert "code 1005" in lost.reason


async def test_a_dropped_connection_is_worth_another_try() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.abort()

    lost, heard = await the_end_of(play)
    assert lost.remedy == "rotate"
    assert heard == [events.ModelReady("sess_1"), lost]


async def test_an_expired_session_is_reported_once_though_the_socket_closes_after_it() -> None:
    expired = {"type": "error", "error": {"code": "session_expired", "message": "60 minutes"}}

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.send(json.dumps(expired))
        await connection.close(1001)

    lost, heard = await the_end_of(play)
    assert lost == events.ModelLost("session_expired: 60 minutes", "rotate")
    assert heard == [events.ModelReady("sess_1"), lost]


async def test_a_peer_that_breaks_websockets_rules_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.write(b"\x83\x00")
        await connection.wait_closed()

    lost, _ = await the_end_of(play)
    assert lost.remedy == "rotate"
    assert "never retrieved" not in caplog.text


async def test_a_message_without_end_is_not_collected() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        with contextlib.suppress(ConnectionClosed):
            await connection.send(["x" * 65536] * 300)
        await connection.wait_closed()

    lost, _ = await the_end_of(play)
    assert "over 16777216 B" in lost.reason


async def test_a_model_that_stops_reading_is_lost_and_fills_no_memory() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with (
        model(play) as url,
        connector(url, max_unsent_bytes=100_000, close_seconds=0.1) as opened,
    ):
        heard = Heard()
        link = opened.open(SETUP, heard)
        await heard.next()
        piece = commands.SendCallerAudio("A" * 65536, 49152)
        for _ in range(1000):
            link.carry_out(piece)
            if len(heard.events) > 1:
                break
        lost = await heard.next()
        assert lost.remedy == "rotate"
        assert "stopped reading" in lost.reason
        link.carry_out(piece)
    assert heard.events == [events.ModelReady("sess_1"), lost]


async def test_a_model_that_is_gone_without_a_word_is_found_out() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await connection.wait_closed()

    lost, heard = await the_end_of(play, ping_seconds=0.1)
    assert lost.remedy == "rotate"
    assert heard == [events.ModelReady("sess_1"), lost]


async def test_a_call_that_cannot_carry_out_the_loss_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.abort()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()

        def on_event(event: Any) -> None:
            heard(event)
            if isinstance(event, events.ModelLost):
                raise RuntimeError("a mistake of the call's")

        opened.open(SETUP, on_event)
        while not isinstance(await heard.next(), events.ModelLost):
            pass
    assert "a mistake of the call's" in caplog.text


# --- TLS --------------------------------------------------------------------------------------


def without_certificates(purpose: ssl.Purpose) -> ssl.SSLContext:
    """Return a context for TLS between two parties that show no certificate: no key to keep."""
    context = ssl.create_default_context(purpose)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


async def test_a_session_over_tls() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        async for message in connection:
            await connection.send(
                json.dumps({"type": "response.created", "response": {"id": str(len(message))}})
            )

    client = without_certificates(ssl.Purpose.SERVER_AUTH)
    async with (
        model(play, ssl=without_certificates(ssl.Purpose.CLIENT_AUTH)) as url,
        connector(url.replace("ws:", "wss:"), ssl_context=client) as opened,
    ):
        heard = Heard()
        link = opened.open(SETUP, heard)
        assert await heard.next() == events.ModelReady("sess_1")
        for size in (160, 100_000):
            link.carry_out(commands.SendCallerAudio("A" * size, size * 3 // 4))
            started = await heard.next()
            assert int(started.response_id) > size
    assert len(heard.events) == 3


async def test_a_peer_whose_tls_does_not_suit_is_not_spoken_to() -> None:
    async def play(connection: ServerConnection) -> None:
        raise AssertionError("no handshake was possible")

    async with (
        model(play, ssl=without_certificates(ssl.Purpose.CLIENT_AUTH)) as url,
        connector(url.replace("ws:", "wss:")) as opened,
    ):
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert "cannot be reached" in lost.reason
    assert heard.events == [lost]


def test_a_certificate_that_is_not_trusted_is_for_the_owner_to_look_at() -> None:
    fault = ssl.SSLCertVerificationError()
    fault.verify_message = "self-signed certificate"
    lost = OpenAIConnector("ws://127.0.0.1:9")._why(fault)
    assert lost.remedy == "none"
    assert "self-signed certificate" in lost.reason


# --- close ------------------------------------------------------------------------------------


async def test_nothing_is_delivered_after_close_even_in_the_middle_of_a_burst() -> None:
    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        burst = (WIRE / "spoken_turn.jsonl").read_text().splitlines()[2:]
        await asyncio.gather(*(connection.send(line) for line in [UPDATED, *burst]))
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()

        def on_event(event: Any) -> None:
            heard(event)
            if isinstance(event, events.ModelAudio):
                link.close()

        link = opened.open(SETUP, on_event)
        while not isinstance(await heard.next(), events.ModelAudio):
            pass
        link.close()
    assert [type(event) for event in heard.events].count(events.ModelAudio) == 1
    assert isinstance(heard.events[-1], events.ModelAudio)


async def test_close_between_two_events_of_one_message_holds_back_the_second() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.send((WIRE / "tool_calls.jsonl").read_text().splitlines()[-1])
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()

        def on_event(event: Any) -> None:
            heard(event)
            if isinstance(event, events.ToolCallRequested):
                link.close()

        link = opened.open(SETUP, on_event)
        while not isinstance(await heard.next(), events.ToolCallRequested):
            pass
    assert [type(event) for event in heard.events] == [
        events.ModelReady,
        events.ToolCallRequested,
    ]


async def test_closing_while_connecting_leaves_nothing_behind() -> None:
    connected = asyncio.Event()
    gone = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        connected.set()
        with contextlib.suppress(ConnectionClosed):
            await connection.recv()
        await connection.wait_closed()
        gone.set()

    async with model(play) as url, connector(url) as opened:
        heard = Heard()
        link = opened.open(SETUP, heard)
        link.close()
        link.close()
        await asyncio.wait_for(connected.wait(), 20)
        await asyncio.wait_for(gone.wait(), 20)
    assert heard.events == []


async def test_closing_the_connector_ends_even_a_handshake_that_hangs() -> None:
    began = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began.set()
        await reader.read()

    async with raw(play) as url:
        async with connector(url, connect_seconds=0.8, close_seconds=0.05) as opened:
            heard = Heard()
            opened.open(SETUP, heard)
            await asyncio.wait_for(began.wait(), 20)
    assert heard.events == []


async def test_a_peer_that_does_not_answer_our_close_is_dropped() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with model(play) as url, connector(url, close_seconds=0.1) as opened:
        heard = Heard()
        link = opened.open(SETUP, heard)
        await heard.next()
        link.close()
    assert heard.events == [events.ModelReady("sess_1")]


async def test_closing_a_connector_without_sessions_is_nothing() -> None:
    await OpenAIConnector("ws://127.0.0.1:9").aclose()


# --- mistakes and garbage ---------------------------------------------------------------------


async def test_an_event_that_cannot_be_carried_out_ends_this_session_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard, fine = Heard(), Heard()

        def on_event(event: Any) -> None:
            heard(event)
            raise RuntimeError("a mistake of the call's")

        opened.open(SETUP, on_event)
        opened.open(SETUP, fine)
        assert await heard.next() == events.ModelReady("sess_1")
        assert await fine.next() == events.ModelReady("sess_1")
        lost = await heard.next()
    assert isinstance(lost, events.ModelLost)
    assert len(heard.events) == 2
    assert fine.events == [events.ModelReady("sess_1")]
    assert "a mistake of the call's" in caplog.text


async def test_a_mistake_of_ours_while_connecting_is_an_event_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    nonsense: Any = "no context at all"
    async with (
        raw(play) as url,
        connector(url.replace("ws:", "wss:"), ssl_context=nonsense) as opened,
    ):
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert lost == events.ModelLost("the link to the model ended by a mistake of ours", "rotate")
    assert "Traceback" in caplog.text


async def test_ten_thousand_pieces_of_garbage_end_no_other_session() -> None:
    random = Random(20261122)
    lines = (WIRE / "one_of_each.jsonl").read_bytes().splitlines()
    lines = [line for line in lines if b'"type": "error"' not in line and b"session." not in line]

    def garbage() -> bytes:
        line = random.choice(lines)
        place = random.randrange(len(line))
        cut = random.choice([place + 1, len(line)])
        return line[:place] + random.randbytes(random.randrange(5)) + line[cut:]

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        for _ in range(10_000):
            await connection.send(garbage())
        await connection.send(json.dumps({"type": "response.created", "response": {"id": "end"}}))
        await connection.recv()
        await connection.send(json.dumps({"type": "response.created", "response": {"id": "e"}}))
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        noisy = Heard()
        link = opened.open(SETUP, noisy)
        while await noisy.next() != events.ResponseStarted("end"):
            pass
        link.carry_out(commands.RequestResponse())
        while await noisy.next() != events.ResponseStarted("e"):
            pass
    assert not [event for event in noisy.events if isinstance(event, events.ModelLost)]


# --- settings and logs ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, ""])
def test_another_machine_gets_no_connection_without_a_key(key: str | None) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIConnector(api_key=key)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"api_key": None}, ("Bearer stand-in", None)),
        ({"api_key": None, "extra_headers": {"api-key": "k"}}, (None, "k")),
        ({"api_key": "sk-a", "extra_headers": {"api-key": "k"}}, ("Bearer sk-a", "k")),
    ],
    ids=["a stand-in takes any key", "Azure has its own header", "both"],
)
async def test_what_shows_who_we_are(
    options: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    shown: list[tuple[str | None, str | None]] = []

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        shown.append((headers.get("Authorization"), headers.get("api-key")))
        await accept(connection)
        await connection.wait_closed()

    async with model(play) as url, connector(url, **options) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        assert await heard.next() == events.ModelReady("sess_1")
    assert shown == [expected]


def test_what_the_model_can_do_is_told_without_opening_a_session() -> None:
    assert OpenAIConnector("ws://127.0.0.1:9").capabilities == CAPABILITIES


@pytest.mark.parametrize("key", ["sk-a\nX: b", "sk-\u00e9"])
def test_a_key_that_is_no_header_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        OpenAIConnector(api_key=key)
    assert "sk-" not in str(refused.value)


async def test_the_timing_of_a_turn_is_logged_when_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        for line in (WIRE / "spoken_turn.jsonl").read_text().splitlines()[2:]:
            await connection.send(line)
        await connection.wait_closed()

    options = RealtimeOptions(log_timing=True)
    with caplog.at_level(logging.INFO, "hookflash.model"):
        async with model(play) as url, connector(url, options=options) as opened:
            heard = Heard()
            link = opened.open(SETUP, heard)
            while not isinstance(await heard.next(), events.ResponseEnded):
                pass
            link.carry_out(commands.TruncateItem("item_a1", 40))
    assert "sess_1 % ready" in caplog.text
    assert "after the caller stopped" in caplog.text
    assert "resp_1 completed: 100 ms of sound" in caplog.text
    assert "item_a1 was heard for 40 ms" in caplog.text


async def test_the_key_and_the_payloads_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.send((WIRE / "spoken_turn.jsonl").read_text().splitlines()[13])
        await connection.wait_closed()

    options = RealtimeOptions(log_event_types=frozenset({"session.updated"}))
    with caplog.at_level(1):
        async with (
            model(play) as url,
            connector(url, api_key="sk-secret", options=options) as opened,
        ):
            heard = Heard()
            link = opened.open(SETUP, heard)
            await heard.next()
            piece = await heard.next()
            link.carry_out(commands.SendCallerAudio("c2VjcmV0", 6))
    ours = [r for r in caplog.records if r.name.split(".")[0] in ("hookflash", "picows")]
    text = "\n".join(record.getMessage() for record in ours)
    assert "< session.updated" in text
    assert "sk-secret" not in text
    assert piece.payload not in text
    assert "c2VjcmV0" not in text
    assert link_module.logger.name == "hookflash.model"


# --- the event loop that serves calls ---------------------------------------------------------


@pytest.mark.parametrize(
    "scenario",
    [
        test_a_session_opens_speaks_and_closes_cleanly,
        test_fragments_are_joined_into_messages_and_binary_is_read_too,
        test_a_peer_that_never_answers_the_upgrade_is_given_up,
        test_a_peer_that_hangs_up_unanswered_is_worth_another_try,
        test_a_dropped_connection_is_worth_another_try,
        test_a_model_that_stops_reading_is_lost_and_fills_no_memory,
        test_a_session_over_tls,
        test_closing_while_connecting_leaves_nothing_behind,
        test_closing_the_connector_ends_even_a_handshake_that_hangs,
        test_a_peer_that_does_not_answer_our_close_is_dropped,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("test_"),
)
def test_in_uvloop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
