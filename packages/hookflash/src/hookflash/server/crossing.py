"""A socket that came to the wrong process goes on to the right one.

    carrier --upgrade /twilio/media/w2-...--> this process --descriptor and request--> w2
                                                                                       |
    carrier <----------------------------- 101, frames --------------------------------+

A media socket names its process; one on which a page of the console listens to a call goes to the
process that has the call, which has to be asked for first.

It happens in uvicorn's HTTP protocol, when the request was read and nothing was answered. The
receiver reads the same request from the same connection, so signature, peer, token and session
are checked there as if it had come there first. What is used of uvicorn is what its own protocols
are made of; `tests/server/test_crossing.py` holds it to that.

    resource                acquired      released
    a connection that came  adopting()    the server's, as any other
    its task                adopting()    when the server reads from it
    a search's task         crossing()    when the socket was handed over, or is served here
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hookflash.carriers.twilio.urls import Urls
from hookflash.cluster.handover import Adopt

log = logging.getLogger("hookflash.workers")

HandOver = Callable[[socket.socket, bytes, str], bool]
"""(connection, request, worker) -> whether it is that worker's now (`Workers.hand_over`)."""

Owner = Callable[[str], Awaitable[str]]
"""A call's SID -> the worker that has it, empty if nobody does (`Workers.owner`)."""

_LISTENED = re.compile(r"/console/calls/([\w-]{1,64})/listen")


async def _nobody(call_sid: str) -> str:
    return ""


@asynccontextmanager
async def _unknown(adopt: Adopt) -> AsyncIterator[None]:
    """The block of a process that no other shall find."""
    yield


@dataclass(frozen=True)
class Sharing:
    """A process's part in a line that several serve.

    `listener` is the socket that they share; None: this process has the port for itself.
    """

    http: type[asyncio.Protocol] = HttpToolsProtocol
    work: Callable[[Adopt], AbstractAsyncContextManager[None]] = _unknown
    listener: socket.socket | None = None

    def working(self, server: uvicorn.Server) -> AbstractAsyncContextManager[None]:
        """Return the block in which the other workers find this one, served by `server`."""
        return self.work(adopting(server))


ALONE = Sharing()
"""The part of a process that has the line for itself."""


def crossing(urls: Urls, hand_over: HandOver, owner: Owner = _nobody) -> type[asyncio.Protocol]:
    """Return the class that uvicorn serves HTTP with (`Config.http`)."""
    searches: set[asyncio.Task[None]] = set()

    class Crossing(HttpToolsProtocol):
        def handle_websocket_upgrade(self) -> None:
            path = self.url.decode("latin-1").partition("?")[0]
            listened = _LISTENED.fullmatch(urls.inner(path))
            if listened is not None:
                # What a page says before it is answered must wait for whoever will answer.
                self.transport.pause_reading()
                search = asyncio.get_running_loop().create_task(self._search(listened[1]))
                searches.add(search)
                search.add_done_callback(searches.discard)
            else:
                self._go_on(urls.worker_of(path))

        async def _search(self, call_sid: str) -> None:
            try:
                worker = await owner(call_sid)
            except Exception:
                # A search ends here: the socket is served by us, who will say what is wrong.
                log.exception("! the worker that has a call was not found")
                worker = ""
            if not self.transport.is_closing():
                self.transport.resume_reading()
                self._go_on(worker)

        def _go_on(self, worker: str) -> None:
            if worker and worker != urls.worker and self._cross(worker):
                return
            super().handle_websocket_upgrade()

        def _cross(self, worker: str) -> bool:
            held = self.transport.get_extra_info("socket")
            with socket.socket(fileno=os.dup(held.fileno())) as connection:
                if not hand_over(connection, self._request(), worker):
                    log.warning("! a socket for %s is served here", worker)
                    return False
            # Closes this descriptor alone: the connection lives on in the other process.
            self.transport.close()
            return True

        def _request(self) -> bytes:
            lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
            lines += [b"%s: %s" % pair for pair in self.scope["headers"]]
            return b"\r\n".join((*lines, b"", b""))

    return Crossing


def adopting(server: uvicorn.Server) -> Adopt:
    """Return what makes `server` serve a connection whose first request was read elsewhere."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(connection: socket.socket, request: bytes) -> None:
        try:
            transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _new_protocol(server), connection
            )
            protocol.data_received(request)
        except Exception:
            # A connection ends here: the carrier asks what is next.
            log.exception("! a socket that was handed over could not be served")
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
