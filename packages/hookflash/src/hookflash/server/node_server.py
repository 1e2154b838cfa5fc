"""The port at which the other nodes reach this one. Nothing else is served there.

    POST /node                        a request between nodes (`worker_messages`)

A request without a valid signature is answered 403, and not read any further than its length
allows. The port needs no TLS inside a private network; it must not be reachable from outside.

    resource           acquired        released
    the port           open_port()     when its block ends
    the server's task  serve_node()    when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hookflash.cluster.node_requests import MAX_BYTES, PATH, NodeSignature

log = logging.getLogger("hookflash.cluster")

CLOSE_SECONDS = 2


class _NodeServer(uvicorn.Server):
    """A uvicorn server without signal handlers: the line's own server has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def node_app(
    signature: NodeSignature,
    asked: Callable[[bytes], Awaitable[bytes]],
    *,
    routes: list[BaseRoute] | None = None,
) -> Starlette:
    """Return the application that answers other nodes. `asked` answers a request."""

    async def answer(request: Request) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)
        within = signature.check(request.headers, PATH, bytes(body))
        if within is None:
            log.warning(
                "! a request to the port of the nodes was refused: its signature is wrong; all"
                " nodes need the same HOOKFLASH_CLUSTER_SECRET, and clocks that agree"
            )
            return Response(status_code=403)
        try:
            async with asyncio.timeout(within):
                return Response(await asked(bytes(body)))
        except TimeoutError:
            return Response(status_code=504)
        except msgspec.DecodeError as error:
            log.warning("! a node of another version sent a request: %s", error)
            return Response(status_code=400)
        except Exception:
            # The request ends here. The node that sent it tries again, or another way.
            log.exception("! a request of another node failed")
            return Response(status_code=500)

    return Starlette(routes=[Route(PATH, answer, methods=["POST"]), *(routes or [])])


@contextlib.asynccontextmanager
async def serve_node(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the other nodes while the block runs."""
    server = _NodeServer(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="serve the nodes")
    try:
        yield
    finally:
        server.should_exit = True
        await serving
