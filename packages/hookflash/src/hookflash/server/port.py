"""One port for all: uvicorn speaks HTTP, and hands the media socket's upgrade to picows.

    upgrade of /twilio/media...  --> picows --> MediaSocket --> MediaStream
    any other upgrade            --> uvicorn's own WebSocket class --> ASGI
    no upgrade                   --> uvicorn --> ASGI

ASGI's road costs a queue, a task's wake-up and two dictionaries for each message, which is more
than all that a call does with it; here a frame is a method call from the socket to the call and
from there to the model's socket.

    resource            acquired                  released
    the connection      `OnePort`, of uvicorn     closed by either side, or by `shutdown`

Rules: the signature is checked at the upgrade, 403 otherwise; the token at `start`, as on the other
road; whatever becomes of a media socket becomes of no other.

`picows.picows.WSProtocol` is not public. If it is not there, or not as we know it, `media_port`
returns None and says so in the log: the media socket then takes the ASGI road (`server.media`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from starlette.requests import HTTPConnection
from uvicorn.config import Config
from uvicorn.server import ServerState

from hookflash.carriers.twilio.urls import PREFIX
from hookflash.server.media import MESSAGE_BYTES
from hookflash.server.media_socket import RESTART, MediaDoor, MediaSocket

log = logging.getLogger("hookflash.call")

_socket_log = logging.getLogger("hookflash.socket")
# picows tells of each connection, with the peer's address.
_socket_log.setLevel(logging.WARNING)

_READ_BYTES = 4096


def is_media(path: str) -> bool:
    """Whether `path`, without the public URL's prefix, is the media socket's, of any process."""
    rest = path.removeprefix(f"{PREFIX}/media")
    return rest != path and (not rest or (rest[0] == "/" and "/" not in rest[1:]))


def media_port(door: MediaDoor, other: type[asyncio.Protocol]) -> type[asyncio.Protocol] | None:
    """Return the class for uvicorn's `ws=`; `other` serves all but the media socket.

    None, and a warning in the log, if picows is not as we know it. Called in the event loop.
    """
    try:
        _picows(lambda request: None, door)
    except Exception as error:
        log.warning("! picows is not as we know it, the media socket takes ASGI's road: %s", error)
        return None
    attributes = {"door": door, "other": staticmethod(other)}
    return cast("type[asyncio.Protocol]", type("MediaPort", (OnePort,), attributes))


def _picows(factory: Callable[[WSUpgradeRequest], object], door: MediaDoor) -> Any:
    """Return picows's protocol for the server's side of one connection."""
    from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not public, see above

    protocol = WSProtocol(
        None,  # host and port
        None,  # path
        False,  # the client's side
        factory,
        _socket_log,
        True,  # disconnects on exceptions
        door.start_seconds,  # for the handshake
        True,  # pings
        door.ping_seconds,
        door.ping_seconds,
        WSAutoPingStrategy.PING_PERIODICALLY,
        True,  # answers pings
        MESSAGE_BYTES,
        None,  # headers
        _READ_BYTES,
    )
    for name in ("connection_made", "connection_lost", "get_buffer", "buffer_updated"):
        getattr(protocol, name)
    return protocol


class OnePort(asyncio.Protocol):
    """What uvicorn makes for an upgrade: looks at the path, and steps aside.

    uvicorn makes this its transport's protocol after it has delivered the request, so the one
    chosen takes its place a moment later, and until then is passed everything.
    """

    door: MediaDoor
    other: Callable[..., asyncio.Protocol]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._make_other = functools.partial(
            self.other, config=config, server_state=server_state, app_state=app_state
        )
        self._connections = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chosen: Any = None
        self._pass_on: Callable[[bytes], None] = self._choose
        self._media: MediaSocket | None = None

    # --- called by uvicorn and its transport ----------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._chosen is not None:
            self._chosen.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return None

    def pause_writing(self) -> None:
        if self._chosen is not None:
            self._chosen.pause_writing()

    def resume_writing(self) -> None:
        if self._chosen is not None:
            self._chosen.resume_writing()

    def shutdown(self) -> None:
        """The server stops (called by uvicorn)."""
        if self._media is not None:
            self._media.end(RESTART, "the server stops")

    # --- inside ---------------------------------------------------------------------------------

    def _choose(self, head: bytes) -> None:
        assert self._transport is not None
        target = head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
        if self.door.takes(target):
            self._chosen = _picows(self._upgrade, self.door)
            self._pass_on = functools.partial(_feed, self._chosen)
        else:
            self._chosen = self._make_other()
            self._pass_on = self._chosen.data_received
        self._chosen.connection_made(self._transport)
        self._pass_on(head)
        self._loop.call_soon(self._step_aside)

    def _step_aside(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_protocol(self._chosen)

    def _upgrade(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        assert self._transport is not None
        if not self.door.admits(_as_connection(request, self._transport)):
            log.warning("! media socket refused: signature")
            refused = WSUpgradeResponse.create_error_response(HTTPStatus.FORBIDDEN, b"")
            return WSUpgradeResponseWithListener(refused, None)
        self._connections.add(self)  # type: ignore[arg-type]  # it is only asked to `shutdown`
        self._media = MediaSocket(self.door, on_gone=self._gone)
        return self._media

    def _gone(self) -> None:
        self._connections.discard(self)


def _feed(protocol: Any, data: bytes) -> None:
    """Give picows what uvicorn has read for it."""
    while data:
        buffer = protocol.get_buffer(-1)
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def _as_connection(request: WSUpgradeRequest, transport: asyncio.Transport) -> HTTPConnection:
    """Return an upgrade in the shape in which `Guard` reads a signature."""
    path, _, query = request.path.partition(b"?")
    peer = transport.get_extra_info("peername")
    return HTTPConnection(
        {
            "type": "websocket",
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in request.headers.items()
            ],
            "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
        }
    )
