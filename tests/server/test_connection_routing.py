"""A media socket goes on to the process that its URL names: two servers on uvicorn as it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from hookflash.carriers.twilio.urls import Urls
from hookflash.cluster.socket_transfer import receive_connections, send_connection
from hookflash.server.connection_routing import SINGLE_PROCESS, Sharing, adopter, routing_protocol
from hookflash.server.limited_http import connection_table

PUBLIC = "https://line.example.com/phone"


def application(name: str) -> Starlette:
    async def media(websocket: WebSocket) -> None:
        await websocket.accept()
        peer = websocket.client
        assert peer is not None
        headers = websocket.headers
        await websocket.send_json(
            {
                "served_by": name,
                "path": websocket.scope["path"],
                "query": websocket.scope["query_string"].decode(),
                "signature": headers.get("x-twilio-signature"),
                "port": peer.port,
            }
        )
        async for text in websocket.iter_text():
            await websocket.send_text(f"{name} heard {text}")

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse(name)

    return Starlette(
        routes=[
            Route("/hello", hello),
            WebSocketRoute("/twilio/{kind}/{worker}", media),
            WebSocketRoute("/phone/twilio/{kind}/{worker}", media),
            WebSocketRoute("/console/calls/{sid}/listen", media),
            WebSocketRoute("/phone/console/calls/{sid}/listen", media),
        ]
    )


@contextlib.asynccontextmanager
async def worker(name: str, folder: Path) -> AsyncIterator[str]:
    """Serve as `name`; yields the origin."""
    urls = Urls.under(PUBLIC, worker=name)

    def transfer(connection: socket.socket, request: bytes, to: str) -> bool:
        return send_connection(folder / to, connection, request)

    async def owner(call_sid: str) -> str:
        await asyncio.sleep(0.01)
        if call_sid == "CAbroken":
            raise RuntimeError("a bug of ours")
        return call_sid.removeprefix("CA") if call_sid.startswith("CAw") else ""

    server = uvicorn.Server(
        uvicorn.Config(
            application(name),
            http=routing_protocol(urls, transfer, owner),
            ws="websockets-sansio",
            log_config=None,
            lifespan="off",
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server._serve([listener]))
        with receive_connections(folder / name, adopter(server)):
            yield f"127.0.0.1:{listener.getsockname()[1]}"
            server.should_exit = True
            await serving


async def told(address: str, **headers: str) -> tuple[dict, str]:
    """Open a socket; return what the server says of it, and its answer to a text."""
    async with connect(f"ws://{address}", additional_headers=headers) as websocket:
        about = json.loads(await websocket.recv())
        about["mine"] = websocket.local_address[1]
        await websocket.send("a frame")
        return about, str(await websocket.recv())


@pytest.mark.realtime
async def test_a_socket_for_another_worker_is_served_there_as_if_it_had_come_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with worker("w1", tmp_path) as one, worker("w2", tmp_path) as two:
        for prefix, kind, origin in itertools.product(
            ("", "/phone"), ("media", "notes"), (one, two)
        ):
            path = f"{prefix}/twilio/{kind}/w2"
            headers = {"X-Twilio-Signature": "abc="}
            about, answer = await told(f"{origin}{path}?a=1", **headers)
            assert about["port"] == about.pop("mine")
            assert (about["served_by"], about["path"], about["query"]) == ("w2", path, "a=1")
            assert about["signature"] == "abc="
            assert answer == "w2 heard a frame"
        # A socket of ours or of nobody is served here.
        for name in ("w1", "w9"):
            about, answer = await told(f"{one}/twilio/media/{name}")
            assert (about["served_by"], answer) == ("w1", "w1 heard a frame")
        assert "w9 could not be transferred and is served here" in caplog.text
        assert "for w1 is" not in caplog.text
        # Requests that are no upgrade stay.
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://{one}/hello")).text == "w1"
            assert (await client.get(f"http://{one}/twilio/media/w2")).status_code == 404


@pytest.mark.realtime
async def test_many_sockets_cross_both_ways_at_once(tmp_path: Path) -> None:
    async with worker("w1", tmp_path) as one, worker("w2", tmp_path) as two:
        roads = [(origin, name) for origin in (one, two) for name in ("w1", "w2")] * 5
        told_all = await asyncio.gather(
            *(told(f"{origin}/twilio/media/{name}") for origin, name in roads)
        )
        assert [about["served_by"] for about, _ in told_all] == [name for _, name in roads]


@pytest.mark.realtime
async def test_who_listens_to_a_call_is_served_by_the_worker_that_has_it(tmp_path: Path) -> None:
    async with worker("w1", tmp_path) as one, worker("w2", tmp_path) as two:
        for origin, sid, served_by in (
            (one, "CAw2", "w2"),
            (two, "CAw2", "w2"),
            (one, "CAw9", "w1"),
            (one, "CA404", "w1"),
            (two, "CAbroken", "w2"),
        ):
            for prefix in ("", "/phone"):
                path = f"{prefix}/console/calls/{sid}/listen"
                about, answer = await told(f"{origin}{path}?a=1")
                assert (about["served_by"], about["path"]) == (served_by, path)
                assert about["query"] == "a=1"
                assert answer == f"{served_by} heard a frame"
        # Who goes while the call is looked for is forgotten.
        host, _, port = one.partition(":")
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            head = "GET /console/calls/CAw2/listen HTTP/1.1", "Connection: Upgrade"
            lines = (*head, "Upgrade: websocket", "Host: x", "", "")
            writer.write("\r\n".join(lines).encode())
            await writer.drain()
            writer.transport.abort()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://{one}/hello")).text == "w1"


@pytest.mark.realtime
async def test_a_connection_that_cannot_be_served_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = uvicorn.Server(uvicorn.Config(application("w1"), log_config=None))
    caller, ours = socket.socketpair()
    caller.setblocking(False)
    ours.setblocking(False)
    with caller:
        adopter(server)(ours, b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.get_running_loop().sock_recv(caller, 10) == b""
    assert "could not be served" in caplog.text


async def test_a_process_that_is_alone_has_no_address() -> None:
    assert SINGLE_PROCESS.listener is None
    server = uvicorn.Server(
        uvicorn.Config(
            application("w1"), http=SINGLE_PROCESS.protocol(connection_table()), log_config=None
        )
    )
    async with SINGLE_PROCESS.working(server):
        assert SINGLE_PROCESS == Sharing()
