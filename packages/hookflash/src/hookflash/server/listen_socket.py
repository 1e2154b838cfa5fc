"""Stream a live call's audio to the console over a WebSocket.

Binary messages of 320 bytes, 20 ms each: mu-law at 8 kHz, interleaved; left is the caller, right is
what the caller hears. Close codes: 1000 when the call has ended, 1011 if this process does not have
the call. A client that reads too slowly loses frames (see `runtime.live_audio`). A client that does
not read at all is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.console.calls import Listen
from hookflash.runtime.live_audio import Listener, LiveAudio

STALL_SECONDS = 10.0


def listen_with(listening: LiveAudio, *, stall_seconds: float = STALL_SECONDS) -> Listen:
    """Return the function that the console calls with a call SID and a socket to accept."""

    async def listen(call_sid: str, socket: WebSocket) -> None:
        listener = listening.listen(call_sid)
        if listener is None:
            await socket.close(1011, "no call")
            return
        try:
            await socket.accept()
            tasks = {
                asyncio.create_task(_send(listener, socket, stall_seconds)),
                asyncio.create_task(_read(socket)),
            }
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            listener.close()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(1000)

    return listen


async def _send(listener: Listener, socket: WebSocket, stall_seconds: float) -> None:
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with contextlib.aclosing(listener.frames()) as frames:
            async for frame in frames:
                async with asyncio.timeout(stall_seconds):
                    await socket.send_bytes(frame)


async def _read(socket: WebSocket) -> None:
    """Wait until the client disconnects; ignore its messages."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
