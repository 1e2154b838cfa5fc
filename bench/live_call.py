"""A caller on a Realtime server in real time: plays audio and records the server's events.

Works with the stand-in model's process and with any other Realtime server. Times are seconds of the
event loop's clock; audio is mu-law at 8 kHz.

    resource      | acquired | released
    socket        | `call`   | `call`, at the end
    reading task  | `call`   | `call`, at the end
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from hookflash_local.model.speech.pcm import mulaw_to_pcm16

FRAME = 160
FRAME_SECONDS = 0.02
QUIET = b"\xff" * FRAME
_LOUD = 0.03
_WAIT_SECONDS = 30.0


def speech_bounds(sound: bytes) -> tuple[int, int]:
    """Return the first loud frame of `sound` and the one after the last, in frames of 20 ms."""
    samples = np.abs(mulaw_to_pcm16(sound + QUIET)).astype(float)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).max(axis=1)
    loud = np.flatnonzero(frames > frames.max() * _LOUD)
    return int(loud[0]), int(loud[-1]) + 1


def trimmed(sound: bytes) -> bytes:
    """Return `sound` without silence at its start and end."""
    first, last = speech_bounds(sound)
    return sound[first * FRAME : last * FRAME]


class LiveCall:
    """One session. `events` are all events of the server, each with its time."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Condition()
        self._next_frame = self._loop.time()
        self.events: list[tuple[float, dict[str, Any]]] = []

    async def read(self) -> None:
        async for text in self._socket:
            async with self._came:
                self.events.append((self._loop.time(), json.loads(text)))
                self._came.notify_all()

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def play(self, sound: bytes) -> tuple[float, float]:
        """Send `sound` in real time; return when its first and last loud frames were sent."""
        first, last = speech_bounds(sound)
        began = ended = self._loop.time()
        for number in range(-(-len(sound) // FRAME)):
            await self._frame(sound[number * FRAME : (number + 1) * FRAME])
            if number == first:
                began = self._loop.time()
            if number == last - 1:
                ended = self._loop.time()
        return began, ended

    async def listen(self, seconds: float) -> None:
        """Send silence for `seconds`."""
        for _ in range(round(seconds / FRAME_SECONDS)):
            await self._frame(QUIET)

    async def _frame(self, frame: bytes) -> None:
        self._next_frame = max(self._next_frame + FRAME_SECONDS, self._loop.time() - 1)
        await asyncio.sleep(self._next_frame - self._loop.time())
        audio = base64.b64encode(frame.ljust(FRAME, b"\xff")).decode()
        await self.send("input_audio_buffer.append", audio=audio)

    async def until(self, kind: str, after: float) -> tuple[float, dict[str, Any]]:
        """Send silence until an event of `kind` comes later than `after`. Raises TimeoutError."""
        deadline = self._loop.time() + _WAIT_SECONDS
        while self._loop.time() < deadline:
            for at, event in self.events:
                if at > after and event["type"] == kind:
                    return at, event
            await self._frame(QUIET)
        raise TimeoutError(f"expected {kind} within {_WAIT_SECONDS:g} s, got: {self.kinds()}")

    def kinds(self) -> list[str]:
        return [event["type"] for _, event in self.events]

    def heard(self) -> list[str]:
        """Return the server's transcripts of the caller, in order."""
        kind = "conversation.item.input_audio_transcription.completed"
        return [event["transcript"] for _, event in self.events if event["type"] == kind]


@contextlib.asynccontextmanager
async def call(url: str, key: str = "any", **session: Any) -> AsyncIterator[LiveCall]:
    """Open a session with mu-law, transcription and the fields of `session`."""
    pcmu = {"type": "audio/pcmu"}
    audio = {
        "input": {
            "format": pcmu,
            "transcription": {"model": "any"},
            "turn_detection": {"type": "server_vad"},
        },
        "output": {"format": pcmu},
    }
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{url}?model=any", additional_headers=headers) as socket:
        line = LiveCall(socket)
        reading = asyncio.create_task(line.read())
        try:
            await line.send(
                "session.update", session={"type": "realtime", "audio": audio, **session}
            )
            await line.until("session.updated", -1.0)
            yield line
        finally:
            reading.cancel()
            await asyncio.wait([reading])
