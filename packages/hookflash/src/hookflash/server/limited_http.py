"""Serve HTTP with uvicorn's protocol, within limits that hold before a signature or a sign-in.

uvicorn and httptools limit neither the length of a request's head nor the time that it takes. Here
the bytes are counted while they are parsed, and `connection_limits` decides which connections stay
open. Nothing is parsed twice.

    resource            acquired                         released
    the table's entry   when the connection is made      when it is lost or becomes a WebSocket
    the timer           while a request is incomplete    when the request is complete, or with it
    the stall timer     while the client does not read   when it reads again, or with the connection

Rules: a client that is refused is told why, with a status and a sentence, unless an answer to an
earlier request has begun. A limit ends one connection and affects no other.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hookflash.carriers.twilio.urls import is_loopback
from hookflash.server.connection_limits import (
    TRUST,
    Connection,
    ConnectionLimits,
    ConnectionState,
    ConnectionTable,
    Rejection,
)

if sys.platform != "win32":
    import resource

log = logging.getLogger("hookflash.server")

PIPELINED = 16
"""How many requests may wait behind one that is being answered."""

STALL_SECONDS = 30.0
"""How long a client may read nothing while there is something to read."""

LINGER_SECONDS = 1.0
"""How long a refused connection stays open, so that a client that is still sending reads why."""

_PIECE_BYTES = 16 * 1024
"""How much is parsed before the limits are checked again."""

_HEADER_EXTRA_BYTES = 4
"""A header has a colon, a space and the end of its line besides its name and value."""

_MOST_DESCRIPTORS = 65_536


class _OverLimit(Exception):
    """Raised by a callback of the parser when a limit is passed."""


def limited_http(table: ConnectionTable) -> type[asyncio.Protocol]:
    """Return the class with which uvicorn serves HTTP (`Config.http`).

    Its connections are in `table`.
    """
    return cast("type[asyncio.Protocol]", type("Http", (LimitedHttpProtocol,), {"table": table}))


def connection_table(
    limits: ConnectionLimits | None = None, *, is_proxy: Callable[[str], bool] = is_loopback
) -> ConnectionTable:
    """Return the table of this process's connections, which logs what is refused.

    `is_proxy` returns whether many clients may share an address.
    """
    return ConnectionTable(
        limits, descriptors=_descriptor_limit(), is_proxy=is_proxy, log=log.warning
    )


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as its hard limit permits, up to 65,536.

    The soft limit is often 1,024. A call needs about four descriptors.
    """
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError) as error:
            log.warning("the limit of descriptors stays at %d: %s", soft, error)


def _descriptor_limit() -> int:
    if sys.platform == "win32":
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the limits of `table`, which a subclass sets."""

    table: ConnectionTable

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = self.table.limits
        self.timeout_keep_alive = self._limits.keep_alive_seconds
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._refusal: Rejection | None = None
        self._reading_head = False
        self._reading_body = False
        self._head_bytes = 0
        self._unparsed_bytes = 0

    # --- called by the transport ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._connection, refusal = self.table.opened(
            self._host(), _descriptor(transport), self._close_for_another
        )
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._update_state()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        for start in range(0, len(data), _PIECE_BYTES):
            if self._refusal is not None or not self._parse(data[start : start + _PIECE_BYTES]):
                return
        self._update_state()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self._leave()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_stall_timer()
        if self.transport.is_closing():
            self._limit_closing()

    def eof_received(self) -> None:
        # The transport closes now, after it has sent what is left.
        self._limit_closing()

    # --- called by the parser -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][TRUST] = self._trust
        self._reading_head = True
        self._head_bytes = 0
        if len(self.pipeline) >= PIPELINED:
            self._pass_limit(Rejection.PIPELINED)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.request_line_bytes:
            self._pass_limit(Rejection.REQUEST_LINE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer after the body."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value) + _HEADER_EXTRA_BYTES
        if len(self.headers) > self._limits.header_count:
            self._pass_limit(Rejection.HEADER_COUNT)
        if self._head_bytes + len(self.url) > self._limits.header_bytes:
            self._pass_limit(Rejection.HEADER_BYTES)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._reading_head = False
        self._reading_body = True
        self._unparsed_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading_body = False
        self._unparsed_bytes = 0
        super().on_message_complete()

    # --- called by uvicorn ----------------------------------------------------------------------

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._limit_closing()
        else:
            self._update_state()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._limit_closing()

    def _get_upgrade(self) -> bytes | None:
        """Return `websocket` if that is among the protocols of an upgrade.

        Both headers are lists, and may be repeated. Source: RFC 6455, 4.2.1, and RFC 9110, 7.6.1
        and 7.8.
        """
        if b"upgrade" not in self._tokens(b"connection"):
            return None
        protocols = self._tokens(b"upgrade")
        return b"websocket" if b"websocket" in protocols else b",".join(protocols)

    def _tokens(self, header: bytes) -> list[bytes]:
        found = (value.split(b",") for name, value in self.headers if name == header)
        return [token.strip().lower() for tokens in found for token in tokens]

    def _unsupported_upgrade_warning(self) -> None:
        log.debug("an upgrade to another protocol than WebSocket is ignored")

    def handle_websocket_upgrade(self) -> None:
        # WebSocket protocols compare these headers as a whole, and picows only with these values.
        headers = self.scope["headers"]
        assert isinstance(headers, list)
        others = [pair for pair in headers if pair[0] not in (b"connection", b"upgrade")]
        headers[:] = [*others, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        self._leave()
        super().handle_websocket_upgrade()
        if not getattr(self.transport.get_protocol(), "handshake_initiated", True):
            # It could not read the request, which is no GET or has a line that is too long for it.
            # uvicorn would leave the connection open without an answer.
            self.table.count(Rejection.HANDSHAKE, self._host())
            self._answer(Rejection.HANDSHAKE)
            self.transport.close()

    # --- the limits -----------------------------------------------------------------------------

    def _parse(self, piece: bytes) -> bool:
        """Parse bytes. Return whether the connection goes on as HTTP."""
        self._unparsed_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._upgrade()
                return False
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError as error:
            passed = error.__context__
            over = isinstance(passed, _OverLimit)
            self._refuse(cast(Rejection, passed.args[0]) if over and passed else Rejection.INVALID)
            return False
        # The parser reports neither an endless header nor the framing of a body.
        if self._unparsed_bytes > self._limits.header_bytes:
            self._refuse(Rejection.HEADER_BYTES)
            return False
        return True

    def _upgrade(self) -> None:
        """Become a WebSocket, unless an earlier answer has not been sent to its end."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.get_write_buffer_size():
            # Outside the table nothing would limit how long the client does not read it.
            self._refuse(Rejection.PIPELINED)
            return
        self._cancel_timer()
        self.handle_websocket_upgrade()

    def _pass_limit(self, refusal: Rejection) -> None:
        raise _OverLimit(refusal)

    def _update_state(self) -> None:
        """Update the connection's state, and set the timer for an incomplete request."""
        if self._connection is None or self._refusal is not None:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            state = ConnectionState.ANSWERING
        elif self.cycle is None or self._reading_head or self._reading_body:
            state = ConnectionState.READING
        else:
            state = ConnectionState.IDLE
        self.table.move(self._connection, state)
        if state is not ConnectionState.READING:
            self._cancel_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._limits.header_seconds, self._late)
        if state is ConnectionState.IDLE and self.timeout_keep_alive_task is None:
            # If the request was complete only after its answer, uvicorn has set no timer.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _late(self) -> None:
        self._timer = None
        self.table.count(Rejection.HEADER_SECONDS, self._host())
        self._close(Rejection.HEADER_SECONDS)

    def _limit_closing(self) -> None:
        """Limit how long the rest of an answer may wait, once the connection is closing.

        A transport waits without a limit for a client that does not read. Below its high-water mark
        it does not even pause writing.
        """
        unsent = self.transport.get_write_buffer_size()
        if not unsent:
            return
        if self._connection is not None:
            self.table.move(self._connection, ConnectionState.REFUSED)
        self._cancel_stall_timer()
        self._stall_timer = self.loop.call_later(STALL_SECONDS, self._check_closing, unsent)

    def _check_closing(self, before: int) -> None:
        self._stall_timer = None
        if self.transport.get_write_buffer_size() < before:
            self._limit_closing()
        else:
            self._stalled()

    def _stalled(self) -> None:
        self._stall_timer = None
        self.table.count(Rejection.STALLED, self._host())
        self.transport.abort()

    def _trust(self) -> None:
        if self._connection is not None:
            self.table.trust(self._connection)

    def _leave(self) -> None:
        """Leave the table and cancel the timers: the connection is lost or becomes a WebSocket."""
        self._cancel_timer()
        self._cancel_stall_timer()
        if self._connection is not None:
            self.table.closed(self._connection)
            self._connection = None

    # --- refusing -------------------------------------------------------------------------------

    def _refuse(self, refusal: Rejection) -> None:
        """Answer with the reason. Close later, so that a client that still sends can read it."""
        self._refusal = refusal
        self._cancel_timer()
        self._unset_keepalive_if_required()
        self.table.count(refusal, self._host())
        if self._connection is not None:
            self.table.move(self._connection, ConnectionState.REFUSED)
        if self._answer(refusal):
            self.flow.pause_reading()
            self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.abort()

    def _close_for_another(self, refusal: Rejection) -> None:
        """Close the connection in favour of a new one. It is `Connection.close`."""
        self._connection = None
        self._cancel_timer()
        answered = self.cycle is None or self.cycle.response_complete
        if self._refusal is None and answered and not self.transport.get_write_buffer_size():
            self._close(refusal)
        else:
            self.transport.abort()

    def _close(self, refusal: Rejection) -> None:
        """Close the connection. A client that has sent a part of a request is told why."""
        self._refusal = refusal
        if self._reading_head:
            self._answer(refusal)
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _answer(self, refusal: Rejection) -> bool:
        """Write the answer to a refused request. Return whether it could be written."""
        if self._reading_body or (self.cycle is not None and not self.cycle.response_complete):
            # An answer to this request was sent, or is being sent.
            return False
        body = self._limits.sentence(refusal).encode()
        self.transport.write(
            STATUS_LINE[self._limits.status(refusal)]
            + b"".join(b"%s: %s\r\n" % pair for pair in self.server_state.default_headers)
            + b"content-type: text/plain; charset=utf-8\r\n"
            + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            + body
        )
        return True

    # --- helpers --------------------------------------------------------------------------------

    def _host(self) -> str:
        return self.client[0] if self.client is not None else ""

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def _descriptor(transport: asyncio.BaseTransport) -> int:
    """Return the number of a connection's descriptor; -1 if it has none."""
    held = transport.get_extra_info("socket")
    return held.fileno() if held is not None else -1
