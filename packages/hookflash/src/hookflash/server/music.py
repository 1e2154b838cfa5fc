"""What somebody hears who waits: music of our own, made here, so that no stranger's server decides
whether a caller sits in silence.

A slow arpeggio, soft, as mu-law at 8 kHz: the telephone's own format, which no carrier has to
convert. It says nothing of any call, so that it needs no signature; the carrier may keep it.
"""

from __future__ import annotations

import math
import struct
from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from hookflash.carriers.twilio.urls import MUSIC_SECONDS
from hookflash.g711 import encode_sample

SAMPLES_PER_SECOND = 8000
KEPT_SECONDS = 86_400

_CHORDS = ((262, 330, 392, 523), (220, 262, 330, 440), (175, 220, 262, 349), (196, 247, 294, 392))
"""C, A minor, F, G: one note after another, half a second each, two seconds a chord."""

_NOTE_SAMPLES = SAMPLES_PER_SECOND // 2
_AMPLITUDE = 5000
_MU_LAW = 7
_HEAD = struct.Struct("<4sI4s4sIHHIIHHH4sI")


async def serve_music(request: Request) -> Response:
    """Return so many seconds of music as a WAV file, 404 for more than there is."""
    seconds: int = request.path_params["seconds"]
    if not 1 <= seconds <= MUSIC_SECONDS:
        return Response(status_code=404)
    return Response(
        wav(seconds),
        media_type="audio/x-wav",
        headers={"Cache-Control": f"public, max-age={KEPT_SECONDS}"},
    )


def wav(seconds: int) -> bytes:
    """Return the beginning of the music, `seconds` long."""
    turn = _turn()
    size = seconds * SAMPLES_PER_SECOND
    sound = (turn * (size // len(turn) + 1))[:size]
    head = _HEAD.pack(
        *(b"RIFF", _HEAD.size - 8 + size, b"WAVE"),
        *(b"fmt ", 18, _MU_LAW, 1, SAMPLES_PER_SECOND, SAMPLES_PER_SECOND, 1, 8, 0),
        *(b"data", size),
    )
    return head + sound


@cache
def _turn() -> bytes:
    """The chords once: eight seconds, which end where they began."""
    return b"".join(_note(frequency) for chord in _CHORDS for frequency in chord)


def _note(frequency: int) -> bytes:
    """A note that fades as a plucked string does, so that no step is heard between two."""
    turn = 2 * math.pi * frequency / SAMPLES_PER_SECOND
    rise = 80
    sound = bytearray()
    for sample in range(_NOTE_SAMPLES):
        fade = min(1.0, sample / rise) * (1 - sample / _NOTE_SAMPLES) ** 1.5
        sound.append(encode_sample(round(_AMPLITUDE * fade * math.sin(turn * sample))))
    return bytes(sound)
