"""Hold music, generated here, so that callers do not depend on another server.

A slow, soft arpeggio as mu-law at 8 kHz: the phone's own format, which the carrier need not
convert. It contains no data of a call, so the URL needs no signature and the carrier may cache it.

The sound is synthesised once per process, in a thread, before the port is open (`prepare_music`).
Requests are answered from memory, piece by piece: a client that reads slowly costs one piece.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Iterator
from functools import cache

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hookflash.carriers.twilio.urls import MUSIC_SECONDS
from hookflash.g711 import encode_sample

SAMPLES_PER_SECOND = 8000
CACHE_SECONDS = 86_400

_CHORDS = ((262, 330, 392, 523), (220, 262, 330, 440), (175, 220, 262, 349), (196, 247, 294, 392))
"""C, A minor, F, G: one note after another, half a second each, two seconds per chord."""

_NOTE_SAMPLES = SAMPLES_PER_SECOND // 2
_AMPLITUDE = 5000
_MU_LAW = 7
_HEAD = struct.Struct("<4sI4s4sIHHIIHHH4sI")


async def serve_music(request: Request) -> Response:
    """Return `seconds` of music as a WAV file; 404 if that is too long."""
    seconds: int = request.path_params["seconds"]
    if not 1 <= seconds <= MUSIC_SECONDS:
        return Response(status_code=404)
    await prepare_music()
    size = seconds * SAMPLES_PER_SECOND

    async def body() -> AsyncIterator[bytes]:
        for piece in _pieces(size):
            yield piece

    headers = {
        "Cache-Control": f"public, max-age={CACHE_SECONDS}",
        "Content-Length": str(_HEAD.size + size),
    }
    return StreamingResponse(body(), media_type="audio/x-wav", headers=headers)


async def prepare_music() -> None:
    """Synthesise the music in a thread, if that has not been done in this process."""
    if not _turn.cache_info().currsize:
        await asyncio.to_thread(_turn)


def wav(seconds: int) -> bytes:
    """Return the first `seconds` of the music as a WAV file."""
    return b"".join(_pieces(seconds * SAMPLES_PER_SECOND))


def _pieces(size: int) -> Iterator[bytes]:
    """Yield a WAV file with `size` samples: its head, and eight seconds at a time."""
    turn = _turn()
    yield _HEAD.pack(
        *(b"RIFF", _HEAD.size - 8 + size, b"WAVE"),
        *(b"fmt ", 18, _MU_LAW, 1, SAMPLES_PER_SECOND, SAMPLES_PER_SECOND, 1, 8, 0),
        *(b"data", size),
    )
    for start in range(0, size, len(turn)):
        yield turn[: size - start]


@cache
def _turn() -> bytes:
    """Return all chords once: a loop of eight seconds."""
    return b"".join(_note(frequency) for chord in _CHORDS for frequency in chord)


def _note(frequency: int) -> bytes:
    """Return a note that fades like a plucked string, so that no click is heard between two
    notes."""
    turn = 2 * math.pi * frequency / SAMPLES_PER_SECOND
    rise = 80
    sound = bytearray()
    for sample in range(_NOTE_SAMPLES):
        fade = min(1.0, sample / rise) * (1 - sample / _NOTE_SAMPLES) ** 1.5
        sound.append(encode_sample(round(_AMPLITUDE * fade * math.sin(turn * sample))))
    return bytes(sound)
