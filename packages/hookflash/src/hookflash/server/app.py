"""The assembled server, and how it starts and stops.

    resource        | acquired | released
    listening port  | `serve`  | when `serve` returns
    signal handlers | `serve`  | when `serve` returns
    server task     | `serve`  | awaited before `serve` returns

On SIGTERM or SIGINT: `/readyz` says 503 so that no new call is sent here, the calls are drained
(they end, or move on, within `drain_seconds`) while webhooks are still answered, then the port
is closed. A second signal closes it at once. Whatever was live then is asked for again by the
carrier, of the process that comes next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hookflash.server.collector import seldom_collecting
from hookflash.server.crossing import ALONE, Sharing
from hookflash.server.line import TwilioLine
from hookflash.server.listening import listen
from hookflash.server.media import MESSAGE_BYTES
from hookflash.server.media_socket import MediaDoor
from hookflash.server.port import is_media, media_port
from hookflash.server.voice import APOLOGY, Calls, Voice

log = logging.getLogger("hookflash.server")

CLOSE_SECONDS = 5


def create_app(
    calls: Calls,
    line: TwilioLine,
    *,
    apology: str = APOLOGY,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Assemble the server: health, Twilio's routes, and further `routes` of the owner's.

    All but health is served with and without the public URL's path prefix, because a proxy may
    remove it or not.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        if calls.draining:
            return PlainTextResponse("draining", 503)
        return PlainTextResponse("ready")

    served: list[BaseRoute] = [*Voice(calls, line, apology=apology).routes(), *routes]
    if line.urls.path:
        served.append(Mount(line.urls.path, routes=list(served)))
    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), *served],
        exception_handlers={HTTPException: _bare},
    )
    app.router.redirect_slashes = False
    app.state.media_door = MediaDoor(
        takes=lambda path: is_media(line.urls.inner(path)),
        admits=line.guard.admits,
        redeem=line.tokens.redeem,
        attach=calls.attach,
    )
    return app


async def _bare(_: Request, error: Exception) -> Response:
    """Answer an error with its status and nothing else."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return Response(status_code=status)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: `serve` drains before it closes."""

    async def serve(self, listeners: list[socket.socket] | None = None) -> None:
        with seldom_collecting():
            await super().serve(listeners)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: Starlette,
    calls: Calls,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    drain_seconds: float = 30.0,
    on_listening: Callable[[int], None] = lambda port: None,
    stop: asyncio.Event | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain and close.

    `on_listening` is called with the port once it is open (`port=0` takes any that is free).
    `listener` is a socket to serve on instead of `host` and `port`.
    Raises `ConfigError` if the port cannot be had. The application's `state.closing` are called
    before connections are closed. Where several processes serve the line, the
    application's `state.sharing` is this one's part.
    """
    stop = stop or asyncio.Event()
    sharing: Sharing = getattr(app.state, "sharing", ALONE)
    with listener or sharing.listener or listen(host, port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http=sharing.http,
                ws=_sockets(app),
                ws_max_size=MESSAGE_BYTES,
                # Field reports tie error 31924 to compression, and sound does not compress.
                ws_per_message_deflate=False,
                # We never believe a header about who is asking.
                proxy_headers=False,
                server_header=False,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )
        async with _signals(stop, server), sharing.working(server):
            serving = asyncio.create_task(server.serve([listener]))
            on_listening(listener.getsockname()[1])
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    log.info("draining for at most %g s", drain_seconds)
                    draining = asyncio.create_task(_drain(calls, drain_seconds))
                    await asyncio.wait((serving, draining), return_when=asyncio.FIRST_COMPLETED)
                    draining.cancel()
                    await asyncio.gather(draining, return_exceptions=True)
            finally:
                # What streams to pages would keep their connections open.
                for close in getattr(app.state, "closing", ()):
                    close()
                server.should_exit = True
                stopping.cancel()
                await serving


def _sockets(app: Starlette) -> type[asyncio.Protocol]:
    """Return what serves upgrades: the media socket past ASGI, all others as uvicorn does."""
    door: MediaDoor | None = getattr(app.state, "media_door", None)
    if door is None:
        return WebSocketsSansIOProtocol
    return media_port(door, WebSocketsSansIOProtocol) or WebSocketsSansIOProtocol


async def _drain(calls: Calls, seconds: float) -> None:
    try:
        await calls.drain(seconds)
    except Exception:
        # A task ends here: the port is closed all the same, and the carrier asks elsewhere.
        log.exception("draining failed")


@contextlib.asynccontextmanager
async def _signals(stop: asyncio.Event, server: uvicorn.Server) -> AsyncIterator[None]:
    """The first signal asks to drain, a second one to close at once."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            server.should_exit = True
            server.force_exit = True
        stop.set()

    caught = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Elsewhere than in the main thread there are no signals: then `stop` alone counts.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, asked)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
