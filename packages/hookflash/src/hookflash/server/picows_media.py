"""A call's media socket on picows: messages in, messages out, and its end.

    resource            acquired                  released
    token, call         `MediaStream`             `StreamStopped`, when the socket is gone
    timer               start, stall, close       when the socket is gone

Rules: nothing raises into picows. picows delivers frames, so fragments are joined here. A CLOSE is
answered. Binary messages are ignored, because Twilio documents none. Messages after the close are
ignored.

Back-pressure: the runtime never waits for a socket. Data that the kernel does not take is buffered,
up to `UNSENT_BYTES`. The stream ends if more is buffered, if the carrier reads nothing for
`STALL_SECONDS` while the socket is full, or if it does not answer a ping within `PING_SECONDS`. The
carrier then asks for instructions, and no other call was delayed. The kernel's send buffer is
small, so that a full socket means about ten seconds of audio and not minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket as sockets
from collections.abc import Callable
from dataclasses import dataclass

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport
from starlette.requests import HTTPConnection

from hookflash.carriers.twilio.media import (
    INTERNAL,
    POLICY,
    PROTOCOL_ERROR,
    Attach,
    MediaStream,
    Redeem,
)
from hookflash.server.asgi_media import MESSAGE_BYTES, STALL_SECONDS, START_SECONDS

log = logging.getLogger("hookflash.call")

PING_SECONDS = 10.0
CLOSE_SECONDS = 2.0
"""How long the carrier may take to answer a ping, and to answer a close."""

UNSENT_BYTES = 512 * 1024
KERNEL_BYTES = 128 * 1024
"""About thirty and about ten seconds of audio: far more than the core sends ahead."""

RESTART, _TOO_BIG = 1012, 1009
"""Close codes besides those of `carriers.twilio.media` (RFC 6455, 7.4.1, and its registry)."""

_TEXT = WSMsgType.TEXT


@dataclass(frozen=True)
class MediaEndpoint:
    """How media sockets are recognised, authenticated and connected to their calls.

    `takes(path)` returns whether a path is the media socket's; `admits` checks the signature.
    """

    takes: Callable[[str], bool]
    admits: Callable[[HTTPConnection], bool]
    redeem: Redeem
    attach: Attach
    start_seconds: float = START_SECONDS
    stall_seconds: float = STALL_SECONDS
    ping_seconds: float = PING_SECONDS
    unsent_bytes: int = UNSENT_BYTES


class MediaSocket(WSListener):
    """One media socket: joins frames, closes properly, and detects a carrier that stalls."""

    def __init__(self, endpoint: MediaEndpoint, *, on_gone: Callable[[], None]) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._on_gone = on_gone
        self._transport: WSTransport | None = None
        self._parts: list[bytes] | None = None
        self._is_text = False
        self._reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._stream = MediaStream(
            send_text=self._send,
            close_socket=self.end,
            redeem=endpoint.redeem,
            attach=endpoint.attach,
        )
        self._receive: Callable[[bytes], None] = self._stream.receive

    # --- called by picows -----------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._stream.send_with(functools.partial(transport.send, _TEXT))
        raw = transport.underlying_transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, KERNEL_BYTES)
        self._set_timer(self._endpoint.start_seconds, self._no_start)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        try:
            if frame.msg_type == _TEXT and frame.fin and self._parts is None:
                self._receive(frame.get_payload_as_bytes())
            else:
                self._take(frame)
        except Exception:
            # An error in Hookflash ends this stream only. The carrier then asks for instructions.
            log.exception("! %s media socket failed", self._stream.stream_sid)
            self.end(INTERNAL, "failed")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._on_gone()
        try:
            self._stream.closed(self._reason or "closed with 1006")
        except Exception:
            log.exception("! %s the end of a stream failed", self._stream.stream_sid)

    def pause_writing(self) -> None:
        if self._transport is not None and not self._reason:
            # Only a full socket needs a check of the buffered bytes at each frame.
            self._stream.send_with(self._send)
            self._set_timer(self._endpoint.stall_seconds, self._stalled)

    def resume_writing(self) -> None:
        if self._transport is not None and not self._reason:
            self._stream.send_with(functools.partial(self._transport.send, _TEXT))
            if self._timer is not None:
                self._timer.cancel()

    # --- closing --------------------------------------------------------------------------------

    def end(self, code: int, reason: str) -> None:
        """Close the socket after all queued data was sent. The first reason counts."""
        transport = self._transport
        if self._reason or transport is None:
            return
        self._reason = reason or "closed by us"
        self._receive = _pass_over
        transport.send_close(WSCloseCode(code), reason.encode())
        self._set_timer(CLOSE_SECONDS, self._abort)

    def _send(self, text: str) -> None:
        """Send while the socket is full, within `unsent_bytes`."""
        transport = self._transport
        if transport is None or self._reason:
            return
        transport.send(_TEXT, text)
        if transport.underlying_transport.get_write_buffer_size() > self._endpoint.unsent_bytes:
            self._lose("the carrier takes less than it is sent")

    def _no_start(self) -> None:
        if not self._stream.started:
            self.end(POLICY, "no start")

    def _stalled(self) -> None:
        self._lose("the carrier has stopped reading")

    def _lose(self, reason: str) -> None:
        self._reason = reason
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    # --- rare frames ------------------------------------------------------------------------------

    def _take(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._closed(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CONTINUATION or kind == _TEXT or kind == WSMsgType.BINARY:
            self._join(frame, starts=kind != WSMsgType.CONTINUATION)

    def _join(self, frame: WSFrame, *, starts: bool) -> None:
        if starts is (self._parts is not None):
            self.end(PROTOCOL_ERROR, "fragments out of order")
            return
        if starts:
            self._parts = []
            self._is_text = frame.msg_type == _TEXT
        parts = self._parts
        assert parts is not None
        parts.append(frame.get_payload_as_bytes())
        if sum(map(len, parts)) > MESSAGE_BYTES:
            parts.clear()
            self.end(_TOO_BIG, "too long")
        elif frame.fin:
            self._parts = None
            if self._is_text:
                self._receive(b"".join(parts))

    def _closed(self, payload: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        if not self._reason:
            self._reason = f"closed with {code}"
            transport.send_close(WSCloseCode.OK)
        transport.disconnect()
        # The connection must end even if the peer does not read the answer.
        self._set_timer(CLOSE_SECONDS, self._abort)


def _pass_over(data: bytes) -> None:
    """Ignore messages after the close."""
