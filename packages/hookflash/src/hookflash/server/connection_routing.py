"""Route a WebSocket that reached the wrong process to the right one.

    carrier --upgrade /twilio/media/w2-...--> this process --descriptor and request--> w2
                                                                                       |
    carrier <----------------------------- 101, frames --------------------------------+

A media socket names its process. A console socket that listens to a call goes to the process that
has the call, which has to be found first.

This happens in uvicorn's HTTP protocol, after the request was read and before it is answered. The
receiving process reads the same request from the same connection. So it checks signature, peer,
token and session as if the request had arrived there. It uses only the parts of uvicorn that
uvicorn's own protocols use; `tests/server/test_connection_routing.py` checks them.

    resource                acquired             released
    a received connection   adopter()            by the server, like any other
    its task                adopter()            when the server reads from it
    a search's task         routing_protocol()   when the socket was transferred or is served here
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from hookflash.carriers.twilio.urls import Urls
from hookflash.cluster.socket_transfer import Adopt
from hookflash.server.connection_limits import ConnectionTable
from hookflash.server.limited_http import LimitedHttpProtocol, connection_table, limited_http

log = logging.getLogger("hookflash.workers")

Transfer = Callable[[socket.socket, bytes, str], bool]
"""(connection, request, worker) -> whether that worker has it now (`Workers.transfer`)."""

Owner = Callable[[str], Awaitable[str]]
"""A call SID -> the worker that has the call, or "" (`Workers.owner`)."""

_LISTENED = re.compile(r"/console/calls/([\w-]{1,64})/listen")


async def _no_owner(call_sid: str) -> str:
    return ""


@asynccontextmanager
async def _not_discoverable(adopt: Adopt) -> AsyncIterator[None]:
    """The block of a process that other processes do not discover."""
    yield


@dataclass(frozen=True)
class Sharing:
    """A process's part in a line that several processes serve.

    `http` is the class that serves HTTP; None means that no connection is transferred. `listener`
    is the shared socket; None means that this process has its own port.
    """

    http: type[asyncio.Protocol] | None = None
    work: Callable[[Adopt], AbstractAsyncContextManager[None]] = _not_discoverable
    listener: socket.socket | None = None

    def working(self, server: uvicorn.Server) -> AbstractAsyncContextManager[None]:
        """Return the block in which other workers can find this one, served by `server`."""
        return self.work(adopter(server))

    def protocol(self, connections: ConnectionTable) -> type[asyncio.Protocol]:
        """Return the class that serves HTTP; `connections` is the table of this process."""
        return self.http or limited_http(connections)


SINGLE_PROCESS = Sharing()
"""The part of a process that serves a line alone."""


def routing_protocol(
    urls: Urls,
    transfer: Transfer,
    owner: Owner = _no_owner,
    connections: ConnectionTable | None = None,
) -> type[asyncio.Protocol]:
    """Return the class with which uvicorn serves HTTP (`Config.http`).

    `connections` is the table of this process; transferred connections are in it, too.
    """
    searches: set[asyncio.Task[None]] = set()

    class RoutingProtocol(LimitedHttpProtocol):
        table = connections or connection_table()

        def handle_websocket_upgrade(self) -> None:
            path = self.url.decode("latin-1").partition("?")[0]
            listened = _LISTENED.fullmatch(urls.inner(path))
            if listened is not None:
                # Data that the page sends early must be read by the process that answers.
                self.transport.pause_reading()
                search = asyncio.get_running_loop().create_task(self._search(listened[1]))
                searches.add(search)
                search.add_done_callback(searches.discard)
            else:
                self._serve_or_transfer(urls.worker_of(path))

        async def _search(self, call_sid: str) -> None:
            try:
                worker = await owner(call_sid)
            except Exception:
                # The search ends here. This process serves the socket and reports the error.
                log.exception("! finding the worker that has a call failed")
                worker = ""
            if not self.transport.is_closing():
                self.transport.resume_reading()
                self._serve_or_transfer(worker)

        def _serve_or_transfer(self, worker: str) -> None:
            if worker and worker != urls.worker and self._transfer(worker):
                return
            super().handle_websocket_upgrade()

        def _transfer(self, worker: str) -> bool:
            held = self.transport.get_extra_info("socket")
            with socket.socket(fileno=os.dup(held.fileno())) as connection:
                if not transfer(connection, self._request(), worker):
                    log.warning(
                        "! a socket for worker %s could not be transferred and is served here",
                        worker,
                    )
                    return False
            # Closes this descriptor only; the other process has the connection.
            self.transport.close()
            return True

        def _request(self) -> bytes:
            lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
            lines += [b"%s: %s" % pair for pair in self.scope["headers"]]
            return b"\r\n".join((*lines, b"", b""))

    return RoutingProtocol


def adopter(server: uvicorn.Server) -> Adopt:
    """Return a function with which `server` serves a connection whose request was read
    elsewhere."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(connection: socket.socket, request: bytes) -> None:
        try:
            transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _new_protocol(server), connection
            )
            protocol.data_received(request)
        except Exception:
            # The connection ends here. The carrier then asks for instructions.
            log.exception("! a transferred socket could not be served")
            connection.close()

    def adopt(connection: socket.socket, request: bytes) -> None:
        task = asyncio.get_running_loop().create_task(serve(connection, request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return adopt


def _new_protocol(server: uvicorn.Server) -> Any:
    config: Any = server.config
    return config.http_protocol_class(
        config=config, server_state=server.server_state, app_state=server.lifespan.state
    )
