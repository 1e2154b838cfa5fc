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
import socket as sockets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from hookflash.errors import ConfigError
from hookflash.server.line import TwilioLine
from hookflash.server.voice import APOLOGY, Calls, Voice

log = logging.getLogger("hookflash.server")

MESSAGE_BYTES = 1024 * 1024
"""The largest message on the media socket; Twilio's have some 400 bytes."""

CLOSE_SECONDS = 5


def create_app(
    calls: Calls,
    line: TwilioLine,
    *,
    apology: str = APOLOGY,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Assemble the server: health, Twilio's routes, and further `routes` of the owner's.

    Twilio's routes are served with and without the public URL's path prefix, because a proxy may
    remove it or not.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        if calls.draining:
            return PlainTextResponse("draining", 503)
        return PlainTextResponse("ready")

    voice: list[BaseRoute] = [*Voice(calls, line, apology=apology).routes()]
    if line.urls.path:
        voice.append(Mount(line.urls.path, routes=list(voice)))
    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), *voice, *routes],
        exception_handlers={HTTPException: _bare},
    )
    app.router.redirect_slashes = False
    return app


async def _bare(_: Request, error: Exception) -> Response:
    """Answer an error with its status and nothing else."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return Response(status_code=status)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: `serve` drains before it closes."""

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
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain and close.

    `on_listening` is called with the port once it is open (`port=0` takes any that is free).
    Raises `ConfigError` if the port cannot be had.
    """
    stop = stop or asyncio.Event()
    with _listen(host, port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="websockets-sansio",
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
        async with _signals(stop, server):
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
                server.should_exit = True
                stopping.cancel()
                await serving


async def _drain(calls: Calls, seconds: float) -> None:
    try:
        await calls.drain(seconds)
    except Exception:
        # A task ends here: the port is closed all the same, and the carrier asks elsewhere.
        log.exception("draining failed")


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[sockets.socket]:
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    with sockets.socket(family, sockets.SOCK_STREAM) as listener:
        listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another --port"
            ) from None
        listener.listen(2048)
        yield listener


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
