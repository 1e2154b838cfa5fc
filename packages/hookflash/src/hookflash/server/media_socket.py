"""The media socket on picows's road: frames in, frames out, and how it ends.

    resource            acquired                  released
    token, call         `MediaStream`             `StreamStopped`, said when the socket is gone
    timer               start, stall, close       when the socket is gone

Rules: nothing raises into picows; picows delivers frames, not messages, so fragments are joined
here; a CLOSE is answered; a binary message holds nothing that Twilio documents and is passed over;
what comes after our own close is not delivered.

Back-pressure: the runtime never waits for a socket. What the kernel does not take is kept, up to
`UNSENT_BYTES`; a carrier that lets more pile up, that takes nothing for `STALL_SECONDS` while the
socket is full, or that does not answer a ping within `PING_SECONDS` is lost: its stream is over,
the carrier asks for what is next, and no other call has waited for it. The kernel's own buffer is
kept small, so that "full" means some ten seconds of sound and not minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket as sockets
from collections.abc import Callable
from dataclasses import dataclass, field

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
from hookflash.server.coalescing import Coalescing
from hookflash.server.media import MESSAGE_BYTES, STALL_SECONDS, START_SECONDS

log = logging.getLogger("hookflash.call")

PING_SECONDS = 10.0
CLOSE_SECONDS = 2.0
"""What a carrier gets to answer a ping, and to answer our close."""

UNSENT_BYTES = 512 * 1024
KERNEL_BYTES = 128 * 1024
"""Some thirty and some ten seconds of sound: far beyond the lead that the core allows itself."""

RESTART, _TOO_BIG = 1012, 1009
"""Close codes besides those of `carriers.twilio.media` (RFC 6455, 7.4.1, and its registry)."""

_TEXT = WSMsgType.TEXT


@dataclass(frozen=True)
class MediaDoor:
    """Who may come in by the media socket, and where they are brought.

    `takes(path)` says whether a path is the media socket's; `admits` looks at the signature.
    """

    takes: Callable[[str], bool]
    admits: Callable[[HTTPConnection], bool]
    redeem: Redeem
    attach: Attach
    start_seconds: float = START_SECONDS
    stall_seconds: float = STALL_SECONDS
    ping_seconds: float = PING_SECONDS
    unsent_bytes: int = UNSENT_BYTES
    coalescing: Coalescing = field(default_factory=Coalescing)


class MediaSocket(WSListener):
    """One media socket: joins frames, closes as it must, and finds out a carrier that stalls."""

    def __init__(self, door: MediaDoor, *, on_gone: Callable[[], None]) -> None:
        super().__init__()
        self._door = door
        self._came = door.coalescing.came
        self._on_gone = on_gone
        self._transport: WSTransport | None = None
        self._parts: list[bytes] | None = None
        self._is_text = False
        self._reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._stream = MediaStream(
            send_text=self._send, close_socket=self.end, redeem=door.redeem, attach=door.attach
        )
        self._receive: Callable[[bytes], None] = self._stream.receive

    # --- called by picows -----------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._stream.send_with(functools.partial(transport.send, _TEXT))
        raw = transport.underlying_transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, KERNEL_BYTES)
        self._set_timer(self._door.start_seconds, self._no_start)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        try:
            if frame.msg_type == _TEXT and frame.fin and self._parts is None:
                self._receive(frame.get_payload_as_bytes())
                self._came()
            else:
                self._take(frame)
        except Exception:
            # Ours, and this stream's alone: the carrier will ask for what is next.
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
            # Only now it is worth looking, at each frame, how much waits.
            self._stream.send_with(self._send)
            self._set_timer(self._door.stall_seconds, self._stalled)

    def resume_writing(self) -> None:
        if self._transport is not None and not self._reason:
            self._stream.send_with(functools.partial(self._transport.send, _TEXT))
            if self._timer is not None:
                self._timer.cancel()

    # --- our end --------------------------------------------------------------------------------

    def end(self, code: int, reason: str) -> None:
        """Close the socket when all that was sent before is taken; the first reason counts."""
        transport = self._transport
        if self._reason or transport is None:
            return
        self._reason = reason or "closed by us"
        self._receive = _pass_over
        transport.send_close(WSCloseCode(code), reason.encode())
        self._set_timer(CLOSE_SECONDS, self._abort)

    def _send(self, text: str) -> None:
        """Send while the socket is full."""
        transport = self._transport
        if transport is None or self._reason:
            return
        transport.send(_TEXT, text)
        if transport.underlying_transport.get_write_buffer_size() > self._door.unsent_bytes:
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

    # --- frames that are rare ---------------------------------------------------------------------

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
        # Should the peer not read our answer, the connection must end all the same.
        self._set_timer(CLOSE_SECONDS, self._abort)


def _pass_over(data: bytes) -> None:
    """What comes after our close says nothing any more."""
