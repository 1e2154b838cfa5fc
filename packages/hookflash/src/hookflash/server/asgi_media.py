"""A call's stream as an ASGI WebSocket, with a bounded send queue.

It is the fallback for media sockets: `server.media_upgrade` serves them if picows is compatible.
Notes sockets (`server.notes_socket`) always use this module.

    resource        | acquired           | released
    socket          | `serve_stream`     | closed by either side, or when `serve_stream` returns
    reader, writer  | `serve_stream`     | both ended before `serve_stream` returns
    token, call     | `CallStream`       | `closed`, always before `serve_stream` returns

Back-pressure: the runtime never waits for a socket, so messages are queued. The stream ends if the
carrier reads nothing for `STALL_SECONDS`, or if `QUEUE_CHARACTERS` are queued. The carrier then
requests `<Connect action>`. A carrier that sends no `start` within `START_SECONDS` is disconnected.
Reading never waits for writing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.carriers.twilio.media import INTERNAL, POLICY, Attach, MediaStream, Redeem

log = logging.getLogger("hookflash.call")

MESSAGE_BYTES = 1024 * 1024
"""The largest message on the media socket; Twilio's have about 400 bytes."""

STALL_SECONDS = 10.0
START_SECONDS = 10.0
QUEUE_CHARACTERS = 4_000_000
"""About six minutes of audio in base64: far more than the core sends ahead."""


class Outbound:
    """The messages to send on one socket, in order, and its close code."""

    def __init__(
        self,
        socket: WebSocket,
        *,
        stall_seconds: float = STALL_SECONDS,
        queue_characters: int = QUEUE_CHARACTERS,
    ) -> None:
        self._socket = socket
        self._stall_seconds = stall_seconds
        self._room = queue_characters
        self._texts: deque[str] = deque()
        self._ending: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    def send(self, text: str) -> None:
        """Queue a text frame. Ignored once the socket is closing."""
        if self._ending is None:
            self._texts.append(text)
            self._room -= len(text)
            self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Close the socket after all queued messages were sent."""
        if self._ending is None:
            self._ending = (code, reason)
            self._wake.set()

    @property
    def closing(self) -> bool:
        """Return whether this side is closing the socket."""
        return self._ending is not None

    async def run(self) -> str:
        """Send until the socket ends. Return the reason."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._texts:
                    if self._room < 0:
                        return "the carrier takes less than it is sent"
                    text = self._texts.popleft()
                    self._room += len(text)
                    async with asyncio.timeout(self._stall_seconds):
                        await self._socket.send_text(text)
                if self._ending is not None:
                    code, reason = self._ending
                    async with asyncio.timeout(self._stall_seconds):
                        await self._socket.close(code, reason)
                    return reason or "closed by us"
            except TimeoutError:
                return "the carrier has stopped reading"
            except (WebSocketDisconnect, RuntimeError):
                # uvicorn raises RuntimeError for a socket that its own keepalive has closed.
                return "the socket is gone"


class CallStream(Protocol):
    """A stream without its socket (`carriers.twilio.media`, `carriers.twilio.notes_stream`)."""

    stream_sid: str

    @property
    def started(self) -> bool: ...

    def receive(self, text: str) -> None: ...

    def closed(self, reason: str) -> None: ...


async def serve_media(
    socket: WebSocket,
    *,
    redeem: Redeem,
    attach: Attach,
    start_seconds: float = START_SECONDS,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Serve a media socket with a valid signature until its stream ends."""

    def opened(outbound: Outbound) -> MediaStream:
        return MediaStream(
            send_text=outbound.send, close_socket=outbound.close, redeem=redeem, attach=attach
        )

    await serve_stream(socket, opened, start_seconds=start_seconds, stall_seconds=stall_seconds)


async def serve_stream(
    socket: WebSocket,
    opened: Callable[[Outbound], CallStream],
    *,
    start_seconds: float = START_SECONDS,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Serve a socket with a valid signature until its stream ends."""
    await socket.accept()
    outbound = Outbound(socket, stall_seconds=stall_seconds)
    stream = opened(outbound)
    reader = asyncio.create_task(_read(socket, stream, outbound, start_seconds))
    writer = asyncio.create_task(outbound.run())
    reason = "the server stops"
    try:
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if outbound.closing:
            # Send what is queued, but wait no longer than for a stalled carrier.
            reason = await writer
        else:
            reason = (reader if reader.done() else writer).result()
    finally:
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)
        stream.closed(reason)


async def _read(
    socket: WebSocket, stream: CallStream, outbound: Outbound, start_seconds: float
) -> str:
    """Pass frames to the stream until the socket ends. Return the reason."""
    try:
        async with asyncio.timeout(start_seconds) as start:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return f"closed with {message.get('code', 1005)}"
                text = message.get("text")
                if text is not None:  # a binary frame holds nothing that Twilio documents
                    stream.receive(text)
                if stream.started and start.when() is not None:
                    start.reschedule(None)
    except TimeoutError:
        outbound.close(POLICY, "no start")
        return "no start"
    except Exception:
        # An error in Hookflash ends this stream only. The carrier then asks for instructions.
        log.exception("! %s a call's socket failed", stream.stream_sid)
        outbound.close(INTERNAL, "failed")
        return "failed"
