"""Join picows frames into messages for a link. No parsing.

Fragments are joined up to a limit, a CLOSE is answered, and nothing is ever raised into picows.
"""

from __future__ import annotations

import logging
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from hookflash.core.events import ModelLost

logger = logging.getLogger("hookflash.model")

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Much larger than any message of the API; a larger message is an error."""

_TEXT = WSMsgType.TEXT


class FrameReceiver(Protocol):
    """Receives the socket's messages and events (`OpenAILink`)."""

    def opened(self, transport: WSTransport) -> None: ...

    def message(self, data: bytes) -> None: ...

    def full(self) -> None: ...

    def drained(self) -> None: ...

    def disconnected(self, code: int, reason: str) -> None: ...

    def fail(self, fault: ModelLost) -> None: ...


class Frames(WSListener):
    """Joins frames into messages for a link, and answers a CLOSE."""

    def __init__(self, link: FrameReceiver) -> None:
        super().__init__()
        self._link = link
        self._parts: list[bytes] = []
        self._size = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._link.opened(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        # The callback ends here. An exception must not reach picows, which would keep delivering
        # frames while it closes.
        try:
            if frame.msg_type == _TEXT and frame.fin and not self._parts:
                self._link.message(frame.get_payload_as_bytes())
            else:
                self._take(transport, frame)
        except Exception:
            logger.exception("! an event of the model could not be handled")
            self._link.fail(ModelLost("an event of the model could not be handled"))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        try:
            self._link.disconnected(1006, "")
        except Exception:
            # As above: nothing may be raised into picows.
            logger.exception("! the loss of the model could not be handled")

    def pause_writing(self) -> None:
        self._link.full()

    def resume_writing(self) -> None:
        self._link.drained()

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.TEXT or kind == WSMsgType.BINARY or kind == WSMsgType.CONTINUATION:
            self._join(frame)
        elif kind == WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            self._link.disconnected(code, payload[2:].decode("utf-8", "replace"))

    def _join(self, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        if frame.fin and not self._parts:
            self._link.message(data)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_MESSAGE_BYTES:
            self._parts.clear()
            self._link.fail(ModelLost(f"the model sent a message of over {MAX_MESSAGE_BYTES} B"))
        elif frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self._link.message(whole)
