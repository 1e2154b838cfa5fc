"""The HTTP server of the REST side, in this process, on loopback.

It can go down and come back on the same port, for clients that must live through that.

resource       | acquired | released
listening port | `start`  | `stop`
task           | `start`  | `stop`
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: it is a guest in somebody else's program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """`port` is 0 until the first start, then always the same."""

    def __init__(self, app: Starlette) -> None:
        self.port = 0
        self._app = app
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen. Connections are accepted by the system from this moment on."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
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
