"""Health, start and stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hookflash.errors import ConfigError
from hookflash.server.app import create_app, serve


async def test_health_says_that_it_lives_and_readiness_that_it_takes_calls(webhook_server) -> None:
    async with webhook_server.client() as client:
        for draining, live, ready in ((False, 200, 200), (True, 200, 503)):
            webhook_server.calls.draining = draining
            assert (await client.get("/healthz")).status_code == live
            assert (await client.get("/readyz")).status_code == ready


async def test_further_routes_stand_beside_ours(webhook_server) -> None:
    async def hello(_):
        return PlainTextResponse("hello")

    app = create_app(webhook_server.calls, webhook_server.line, routes=[Route("/hello", hello)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://host"
    ) as client:
        assert (await client.get("/hello")).text == "hello"
        assert (await client.get("/healthz")).text == "ok"


async def started(webhook_server, **more):
    port = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            webhook_server.app, webhook_server.calls, port=0, on_listening=port.set_result, **more
        )
    )
    return serving, await port


async def refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


@pytest.mark.realtime
async def test_sigterm_drains_the_calls_and_then_closes_the_port(webhook_server) -> None:
    before = signal.getsignal(signal.SIGTERM)
    serving, port = await started(webhook_server, drain_seconds=7)
    assert signal.getsignal(signal.SIGTERM) is not before
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/readyz")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await webhook_server.calls.until(lambda calls: calls.drained)
    await serving
    assert webhook_server.calls.drained == [7]
    assert await refused(port)
    assert signal.getsignal(signal.SIGTERM) == before, "no signal handler is left behind"


@pytest.mark.realtime
async def test_while_calls_are_drained_webhooks_are_answered_and_a_second_signal_ends_it(
    webhook_server,
) -> None:
    webhook_server.calls.drain_forever = True
    serving, port = await started(webhook_server)
    os.kill(os.getpid(), signal.SIGTERM)
    await webhook_server.calls.until(lambda calls: calls.drained)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.post("/twilio/voice", content=b"")).status_code == 403
    os.kill(os.getpid(), signal.SIGINT)
    await serving


async def test_draining_that_fails_still_closes(webhook_server, caplog) -> None:
    async def fail(seconds: float) -> None:
        raise RuntimeError("cannot drain")

    webhook_server.calls.drain = fail
    stop = asyncio.Event()
    serving, _ = await started(webhook_server, stop=stop)
    stop.set()
    await serving
    assert "cannot drain" in caplog.text


async def test_a_port_that_is_taken_is_told_with_its_remedy(webhook_server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*--port"):
            await serve(webhook_server.app, webhook_server.calls, port=port)


async def test_a_cancelled_server_closes_its_port(webhook_server) -> None:
    serving, port = await started(webhook_server)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert await refused(port)
