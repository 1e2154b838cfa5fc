"""An HTTP server in this process, on loopback: for REST and for the phones' pages.

It can be stopped and started again on the same port, for clients that must survive that.

resource       | acquired | released
listening port | `start`  | `stop`
task           | `start`  | `stop`
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Literal

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Installs no signal handlers: the process belongs to another program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


Listen = Callable[[str, int], socket.socket]
"""Opens a host's port, 0 for any that is free. Raises OSError if the port cannot be opened."""


def open_port(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


class ApiServer:
    """`port` 0 takes one that is free at the first start, and is always the same from then on."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        port: int = 0,
        sockets: bool = False,
        listen: Listen = open_port,
    ) -> None:
        self.port = port
        self._listen = listen
        self._app = app
        self._ws: Literal["none", "websockets-sansio"] = "websockets-sansio" if sockets else "none"
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen. Connections are accepted by the system from this moment on.

        Raises OSError if the port cannot be opened.
        """
        listener = self._listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws=self._ws,
            # Sound does not compress, and a page is on this machine.
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        serve = self._server.serve(sockets=[listener])
        self._task = asyncio.create_task(serve, name="rest server")

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None
