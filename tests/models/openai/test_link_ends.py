"""The ways in which a link ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from hookflash.core import commands, events
from hookflash.models.openai import OpenAIConnector

from .link_parts import (
    SETUP,
    UPDATED,
    WIRE,
    Heard,
    accept,
    connector,
    model,
    raw,
    the_end_of,
)

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


async def test_a_model_that_takes_nothing_for_too_long_is_lost() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with (
        model(play) as url,
        connector(url, max_unsent_bytes=1 << 30, stall_seconds=5.0, ping_seconds=60.0) as opened,
    ):
        heard = Heard()
        link = opened.open(SETUP, heard)
        await heard.next()
        began = asyncio.get_running_loop().time()
        for _ in range(200):
            link.carry_out(commands.SendCallerAudio("A" * 65536, 49152))
        lost = await heard.next()
        assert asyncio.get_running_loop().time() == began + 5.0
        assert lost.remedy == "rotate"
        assert "nothing was taken for 5 s" in lost.reason


async def test_a_model_that_reads_again_in_time_is_kept() -> None:
    received: asyncio.Queue[int] = asyncio.Queue()
    awake = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await awake.wait()
        connection.transport.resume_reading()
        async for message in connection:
            received.put_nowait(len(message))

    async with (
        model(play) as url,
        connector(url, max_unsent_bytes=1 << 30, ping_seconds=60.0) as opened,
    ):
        heard = Heard()
        link = opened.open(SETUP, heard)
        await heard.next()
        for _ in range(200):
            link.carry_out(commands.SendCallerAudio("A" * 65536, 49152))
        # A model that takes nothing for ten seconds is lost.
        await asyncio.sleep(9.9)
        awake.set()
        link.carry_out(commands.SendCallerAudio("AAAA", 3))
        async with asyncio.timeout(20):
            while await received.get() > 100:
                pass
        await asyncio.sleep(60.0)
        assert heard.events == [events.ModelReady("sess_1")]


async def test_a_model_that_speaks_but_answers_no_ping_is_found_out() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send('{"type":"rate_limits.updated"}')
                await asyncio.sleep(1.0)

    lost, heard = await the_end_of(play, ping_seconds=10.0)
    assert lost.remedy == "rotate"
    assert heard == [events.ModelReady("sess_1"), lost]
    assert 20.0 <= asyncio.get_running_loop().time() <= 25.0


async def test_a_model_that_disappears_without_a_close_is_detected() -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        connection.transport.pause_reading()
        await connection.wait_closed()

    lost, heard = await the_end_of(play, ping_seconds=10.0)
    assert lost.remedy == "rotate"
    assert heard == [events.ModelReady("sess_1"), lost]
    assert 20.0 <= asyncio.get_running_loop().time() <= 25.0


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


@pytest.mark.realtime
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


@pytest.mark.realtime
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
    lost = OpenAIConnector("ws://127.0.0.1:9")._loss_for(fault)
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
        events.TokensUsed,
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
