"""Relay the sound of a call between the node that a socket has reached and the node that has it.

    carrier ==stream==> this node ==/node/media==> the node that has the agent's talk with a human
    carrier ==stream==> this node ==/node/notes==> the node that has the call
    console <==sound=== this node <==/node/listen/CALL== the node that has the call

The caller's own stream is not relayed: its call moves to it (`nodes`). The upgrade is signed like a
request between nodes. Messages are passed on as they are; a relay that cannot keep up loses sound.

    resource           acquired        released
    a relay's task     StreamRelay()   the end of either socket
    a relayed socket   the task        with the task
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from hookflash.carriers.twilio import notes_stream
from hookflash.carriers.twilio.media import POLICY, Attach, Redeem
from hookflash.carriers.twilio.twiml import TOKEN
from hookflash.cluster.node_requests import NodeSignature
from hookflash.console.calls import Listen
from hookflash.core.events import AnyEvent, StreamStopped
from hookflash.server.asgi_media import MESSAGE_BYTES, Outbound, serve_media, serve_stream

log = logging.getLogger("hookflash.cluster")

MEDIA, NOTES, LISTEN = "/node/media", "/node/notes", "/node/listen/"
CONNECT_SECONDS = 2.0
_WAITING_MESSAGES = 500


class RelayedStream(Protocol):
    """A stream whose messages can be passed on (`carriers.twilio.media.StreamSocket`)."""

    stream_sid: str

    def relay_to(self, send: Callable[[str | bytes], None]) -> None: ...

    def send_raw(self, text: str) -> None: ...

    def close(self) -> None: ...


class StreamRelay:
    """Relays a stream to another node: takes its events and, for notes, its sound, as a receiver.

    `address` is the node's. The call's node redeems `token` itself.
    """

    def __init__(
        self,
        stream: RelayedStream,
        address: str,
        path: str,
        signature: NodeSignature,
        *,
        call_sid: str,
        token: str,
    ) -> None:
        self._stream = stream
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue(_WAITING_MESSAGES)
        self._messages.put_nowait(_start(stream.stream_sid, call_sid, token))
        stream.relay_to(self._pass_on)
        self._task = asyncio.get_running_loop().create_task(
            self._run(address, path, signature), name=f"relay {call_sid}"
        )

    def __call__(self, event: AnyEvent) -> None:
        """Take an event of the stream: only its end matters here."""
        if isinstance(event, StreamStopped):
            self.ended()

    def hear(self, speaker: object, sound: object) -> None:
        """Do nothing: the messages themselves are relayed."""

    def ended(self) -> None:
        """End the relay, because the stream has ended."""
        self._pass_on(None)

    def _pass_on(self, message: str | bytes | None) -> None:
        if self._messages.full():
            self._messages.get_nowait()
        self._messages.put_nowait(message)

    async def _run(self, address: str, path: str, signature: NodeSignature) -> None:
        try:
            async with _connected(address, path, signature) as socket:
                sending = asyncio.create_task(self._send(socket))
                try:
                    async for text in socket:
                        if isinstance(text, str):
                            self._stream.send_raw(text)
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
        except (OSError, TimeoutError, WebSocketException) as error:
            log.warning("! a stream could not be relayed to its call's node: %s", error)
        except Exception:
            # The task ends here. The carrier asks for instructions.
            log.exception("! relaying a stream failed")
        self._stream.close()

    async def _send(self, socket: ClientConnection) -> None:
        while (message := await self._messages.get()) is not None:
            await socket.send(message if isinstance(message, str) else message.decode())
        await socket.close()


def listen_on_any(
    local: Listen,
    has: Callable[[str], bool],
    address_of: Callable[[str], Awaitable[str]],
    signature: NodeSignature,
) -> Listen:
    """Return the function that plays a call of any node on a console's socket.

    `has` tells whether a call is here. `address_of` returns the address of the other node that has
    it, or "".
    """

    async def listen(call_sid: str, socket: WebSocket) -> None:
        address = "" if has(call_sid) else await address_of(call_sid)
        if not address:
            await local(call_sid, socket)
            return
        try:
            async with _connected(address, f"{LISTEN}{call_sid}", signature) as sound:
                await socket.accept()
                leaving = asyncio.create_task(_left(socket))
                playing = asyncio.create_task(_play(sound, socket))
                try:
                    await asyncio.wait((leaving, playing), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    leaving.cancel()
                    playing.cancel()
                    await asyncio.gather(leaving, playing, return_exceptions=True)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1000)
        except (OSError, TimeoutError, WebSocketException):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1011, "no call")

    return listen


def node_sockets(
    signature: NodeSignature,
    *,
    redeem: Redeem,
    attach: Attach,
    attach_notes: notes_stream.Attach,
    listen: Listen,
) -> list[WebSocketRoute]:
    """Return the routes on which the other nodes relay sound."""

    async def admitted(socket: WebSocket) -> bool:
        if signature.check(socket.headers, socket.url.path, b"") is not None:
            return True
        log.warning("! a socket to the port of the nodes was refused: its signature is wrong")
        await socket.close(POLICY, "signature")
        return False

    def opened(outbound: Outbound) -> notes_stream.NotesStream:
        return notes_stream.NotesStream(
            close_socket=outbound.close, redeem=redeem, attach=attach_notes
        )

    async def media(socket: WebSocket) -> None:
        if await admitted(socket):
            await serve_media(socket, redeem=redeem, attach=attach)

    async def notes(socket: WebSocket) -> None:
        if await admitted(socket):
            await serve_stream(socket, opened)

    async def play(socket: WebSocket) -> None:
        if await admitted(socket):
            await listen(socket.path_params["sid"], socket)

    return [
        WebSocketRoute(MEDIA, media),
        WebSocketRoute(NOTES, notes),
        WebSocketRoute(f"{LISTEN}{{sid}}", play),
    ]


def _connected(address: str, path: str, signature: NodeSignature) -> connect:
    return connect(
        f"ws{address.removeprefix('http')}{path}",
        additional_headers=signature.headers(path, b"", seconds=CONNECT_SECONDS),
        open_timeout=CONNECT_SECONDS,
        close_timeout=CONNECT_SECONDS,
        compression=None,
        max_size=MESSAGE_BYTES,
        proxy=None,
    )


def _start(stream_sid: str, call_sid: str, token: str) -> str:
    """Return the message that begins a stream."""
    start = {
        "streamSid": stream_sid,
        "callSid": call_sid,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {TOKEN: token},
    }
    message = {"event": "start", "sequenceNumber": "1", "streamSid": stream_sid, "start": start}
    return msgspec.json.encode(message).decode()


async def _play(sound: ClientConnection, socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketException, WebSocketDisconnect, RuntimeError):
        async for frame in sound:
            if isinstance(frame, bytes):
                await socket.send_bytes(frame)


async def _left(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
