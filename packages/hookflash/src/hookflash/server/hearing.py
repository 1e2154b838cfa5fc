"""A live call's sound on a socket of the console, for as long as somebody listens.

Binary messages of 320 bytes, 20 ms each: mu-law at 8 kHz, left the caller, right what they hear, by
turns. 1000 when the call is over, 1011 when this process does not have it. A page that reads too
slowly loses frames (see `runtime.listening`), and one that reads nothing is let go.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.console.calls import Listen
from hookflash.runtime.listening import Listener, Listening

STALL_SECONDS = 10.0


def listen_with(listening: Listening, *, stall_seconds: float = STALL_SECONDS) -> Listen:
    """Return what the console calls with a live call's SID and a socket not yet accepted."""

    async def listen(call_sid: str, socket: WebSocket) -> None:
        listener = listening.listen(call_sid)
        if listener is None:
            await socket.close(1011)
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
    """Wait until the page has gone; what it says means nothing."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
