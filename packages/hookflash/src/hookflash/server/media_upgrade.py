"""Serve HTTP with uvicorn and media sockets with picows on one port.

    upgrade of /twilio/media...  --> picows --> MediaSocket --> MediaStream
    any other upgrade            --> uvicorn's own WebSocket class --> ASGI
    no upgrade                   --> uvicorn --> ASGI

ASGI costs a queue, a task wake-up and two dictionaries per message: more than everything else that
a call does with the message. Here a frame is one method call from the socket to the call and back.

    resource            acquired                           released
    the connection      `UpgradeDispatcher`, by uvicorn    closed by either side, or by `shutdown`

Rules: the signature is checked at the upgrade (403 if invalid), the token at `start`, as with ASGI.
An error on one media socket does not affect others.

`picows.picows.WSProtocol` is not public, so picows is pinned (`server.pinned_versions`). If it
cannot be used all the same, `media_port` logs a warning and returns None; media sockets then use
ASGI (`server.asgi_media`).
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
from hookflash.server.asgi_media import MESSAGE_BYTES
from hookflash.server.picows_media import RESTART, MediaEndpoint, MediaSocket

log = logging.getLogger("hookflash.call")

_socket_log = logging.getLogger("hookflash.socket")
# picows logs each connection with the peer's address.
_socket_log.setLevel(logging.WARNING)

_READ_BYTES = 4096


def is_media(path: str) -> bool:
    """Return whether `path`, without the public URL's prefix, is a media socket of any process."""
    path = path.removesuffix("/")
    rest = path.removeprefix(f"{PREFIX}/media")
    return rest != path and (not rest or (rest[0] == "/" and "/" not in rest[1:]))


def media_port(
    endpoint: MediaEndpoint, other: type[asyncio.Protocol]
) -> type[asyncio.Protocol] | None:
    """Return the class for uvicorn's `ws=`. `other` serves all but media sockets.

    Returns None and logs a warning if picows is not compatible. Call it in the event loop.
    """
    try:
        _picows(lambda request: None, endpoint)
    except Exception as error:
        log.warning(
            "! this version of picows is not supported, so media sockets use ASGI: %s", error
        )
        return None
    attributes = {"endpoint": endpoint, "other": staticmethod(other)}
    return cast("type[asyncio.Protocol]", type("MediaUpgrade", (UpgradeDispatcher,), attributes))


def _picows(factory: Callable[[WSUpgradeRequest], object], endpoint: MediaEndpoint) -> Any:
    """Return picows's server protocol for one connection."""
    from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not public, see above

    protocol = WSProtocol(
        None,  # host and port
        None,  # path
        False,  # the client's side
        factory,
        _socket_log,
        True,  # disconnects on exceptions
        endpoint.start_seconds,  # for the handshake
        True,  # pings
        endpoint.ping_seconds,
        endpoint.ping_seconds,
        WSAutoPingStrategy.PING_PERIODICALLY,
        True,  # answers pings
        MESSAGE_BYTES,
        None,  # headers
        _READ_BYTES,
    )
    for name in ("connection_made", "connection_lost", "get_buffer", "buffer_updated"):
        getattr(protocol, name)
    return protocol


class UpgradeDispatcher(asyncio.Protocol):
    """The protocol that uvicorn creates for an upgrade: it chooses the real protocol by the path.

    uvicorn makes this object the transport's protocol after it has delivered the request. So the
    chosen protocol replaces it in the next turn of the loop; until then this object passes
    everything on.
    """

    endpoint: MediaEndpoint
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

    @property
    def handshake_initiated(self) -> bool:
        """Whether the chosen protocol has read the request. picows closes one that it cannot read.

        uvicorn's WebSocket class has the same attribute.
        """
        return getattr(self._chosen, "handshake_initiated", True)

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
        """Close the media socket; uvicorn calls this when the server stops."""
        if self._media is not None:
            self._media.end(RESTART, "the server stops")

    # --- choosing the protocol ------------------------------------------------------------------

    def _choose(self, head: bytes) -> None:
        assert self._transport is not None
        target = head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
        if self.endpoint.takes(target):
            self._chosen = _picows(self._upgrade, self.endpoint)
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
        if not self.endpoint.admits(_as_connection(request, self._transport)):
            refused = WSUpgradeResponse.create_error_response(HTTPStatus.FORBIDDEN, b"")
            return WSUpgradeResponseWithListener(refused, None)
        self._connections.add(self)  # type: ignore[arg-type]  # it is only asked to `shutdown`
        self._media = MediaSocket(self.endpoint, on_gone=self._gone)
        return self._media

    def _gone(self) -> None:
        self._connections.discard(self)


def _feed(protocol: Any, data: bytes) -> None:
    """Pass data that uvicorn has read to picows."""
    while data:
        buffer = protocol.get_buffer(-1)
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def _as_connection(request: WSUpgradeRequest, transport: asyncio.Transport) -> HTTPConnection:
    """Return an upgrade request as an `HTTPConnection`, for the signature check."""
    path, _, query = request.path.partition(b"?")
    peer = transport.get_extra_info("peername")
    return HTTPConnection(
        {
            "type": "websocket",
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1", "surrogateescape"))
                for name, value in request.headers.items()
            ],
            "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
        }
    )
