"""Assemble the server, start it and stop it.

    resource        | acquired | released
    listening port  | `serve`  | when `serve` returns
    signal handlers | `serve`  | when `serve` returns
    server task     | `serve`  | awaited before `serve` returns

On SIGTERM or SIGINT, `/readyz` answers 503, so that no new call is sent here. The calls are
drained: they end or are handed off within `drain_seconds`, while webhooks are still answered. Then
the port is closed. A second signal closes it at once. For calls that are still live then, the
carrier sends its next webhook to another process.
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
from starlette.routing import BaseRoute, Mount, Route, Router
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hookflash.server.asgi_media import MESSAGE_BYTES
from hookflash.server.connection_limits import ConnectionTable
from hookflash.server.connection_routing import SINGLE_PROCESS, Sharing
from hookflash.server.gc_tuning import reduced_gc
from hookflash.server.limited_http import connection_table
from hookflash.server.media_upgrade import is_media, media_port
from hookflash.server.music import prepare_music
from hookflash.server.open_port import listen
from hookflash.server.picows_media import MediaEndpoint
from hookflash.server.pinned_versions import check_versions
from hookflash.server.refusals import RefusedUpgrades
from hookflash.server.twilio_line import TwilioLine
from hookflash.server.webhook_routes import APOLOGY, Calls, Streams, WebhookRoutes

log = logging.getLogger("hookflash.server")

CLOSE_SECONDS = 5


def create_app(
    calls: Calls,
    line: TwilioLine,
    *,
    apology: str = APOLOGY,
    routes: Sequence[BaseRoute] = (),
    connections: ConnectionTable | None = None,
    streams: Streams | None = None,
) -> Starlette:
    """Assemble the server: health checks, Twilio's routes, and the owner's `routes`.

    All but the health checks are served with and without the public URL's path prefix, because a
    proxy may remove the prefix. `connections` is the table of this process, with its limits.
    `streams` redeems the tokens of media streams and connects them, if not this process alone does.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        if calls.draining:
            return PlainTextResponse("draining", 503)
        if streams is not None and not streams.ready:
            return PlainTextResponse("cut off from the cluster's store", 503)
        return PlainTextResponse("ready")

    served: list[BaseRoute] = [
        *WebhookRoutes(calls, line, apology=apology, streams=streams).routes(),
        *routes,
    ]
    if line.urls.path:
        under = Router(list(served), redirect_slashes=False)
        served.append(Mount(line.urls.path, under))
    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), *served],
        exception_handlers={HTTPException: line.refusals.answer},
    )
    app.router.redirect_slashes = False
    app.state.connections = connections or connection_table()
    app.add_middleware(RefusedUpgrades, refusals=line.refusals)
    app.state.media_endpoint = MediaEndpoint(
        takes=lambda path: is_media(line.urls.inner(path)),
        admits=line.admits_media,
        redeem=streams.redeem if streams is not None else line.tokens.redeem,
        attach=streams.attach if streams is not None else calls.attach,
    )
    return app


class _Server(uvicorn.Server):
    """A uvicorn server without signal handlers: `serve` drains before it closes."""

    async def serve(self, listeners: list[socket.socket] | None = None) -> None:
        with reduced_gc():
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

    `on_listening` is called with the port once it is open; `port=0` takes any free port. `listener`
    is a socket to serve on instead of `host` and `port`. Raises `ConfigError` if the port is not
    available, or if picows or uvicorn has another version than the pinned one.

    The functions in the application's `state.closing` are called before connections are closed. If
    several processes serve the line, `state.sharing` is this process's part. `state.connections` is
    the table of its connections, with its limits.
    """
    check_versions()
    await prepare_music()
    stop = stop or asyncio.Event()
    sharing: Sharing = getattr(app.state, "sharing", SINGLE_PROCESS)
    connections: ConnectionTable | None = getattr(app.state, "connections", None)
    with listener or sharing.listener or listen(host, port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http=sharing.protocol(connections or connection_table()),
                ws=_sockets(app),
                ws_max_size=MESSAGE_BYTES,
                # Reports link Twilio error 31924 to compression, and audio does not compress.
                ws_per_message_deflate=False,
                # `client_address` reads the headers that name the client.
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
                    draining = asyncio.create_task(drain_calls(calls, drain_seconds))
                    await asyncio.wait((serving, draining), return_when=asyncio.FIRST_COMPLETED)
                    draining.cancel()
                    await asyncio.gather(draining, return_exceptions=True)
            finally:
                # Streams to the console would otherwise hold their connections open.
                for close in getattr(app.state, "closing", ()):
                    close()
                server.should_exit = True
                stopping.cancel()
                await serving


def _sockets(app: Starlette) -> type[asyncio.Protocol]:
    """Return the class for upgrades: media sockets bypass ASGI, all others use uvicorn's."""
    endpoint: MediaEndpoint | None = getattr(app.state, "media_endpoint", None)
    if endpoint is None:
        return WebSocketsSansIOProtocol
    return media_port(endpoint, WebSocketsSansIOProtocol) or WebSocketsSansIOProtocol


async def drain_calls(calls: Calls, seconds: float) -> None:
    """Let calls end for at most `seconds`, and hand the rest off. Never raises."""
    try:
        await calls.drain(seconds)
    except Exception:
        # The task ends here. The port is closed anyway; the carrier asks another process.
        log.exception("draining failed")


@contextlib.asynccontextmanager
async def _signals(stop: asyncio.Event, server: uvicorn.Server) -> AsyncIterator[None]:
    """Handle signals: the first drains, a second one closes at once."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            server.should_exit = True
            server.force_exit = True
        stop.set()

    caught = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Signals are available in the main thread only; elsewhere use `stop`.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, asked)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
