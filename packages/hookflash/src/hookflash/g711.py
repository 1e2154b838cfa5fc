"""G.711 in plain Python: one byte a sample, 8,000 samples a second. No I/O.

Source: ITU-T G.711, tables 1a to 2b, scaled from 14 and 13 bits to 16. Live audio passes through as
it came; this is for sound that is made, rendered or written to a file.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache
from typing import Final

RATE: Final = 8000
"""Samples a second."""

FULL_SCALE: Final = 32768
"""The 16-bit amplitude that is 0 dBFS."""

_BIAS, _CLIP = 132, 32635


def encode_sample(sample: int) -> int:
    """Return the mu-law byte of a 16-bit sample; what is too loud is clipped."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


@cache
def _codes() -> bytes:
    """Return the mu-law byte of each 16-bit sample, at index sample + 32,768."""
    return bytes(map(encode_sample, range(-FULL_SCALE, FULL_SCALE)))


def encode(samples: Iterable[int]) -> bytes:
    """Return 16-bit samples as mu-law; what is too loud is clipped."""
    codes = _codes()
    highest = FULL_SCALE - 1
    return bytes(codes[max(-FULL_SCALE, min(highest, each)) + FULL_SCALE] for each in samples)


def decode(sound: bytes) -> array[int]:
    """Return mu-law as 16-bit samples."""
    return array("h", [LINEAR[code] for code in sound])


def decode_bytes(sound: bytes) -> bytes:
    """Return mu-law as little-endian 16-bit samples, two bytes each."""
    samples = bytearray(2 * len(sound))
    samples[0::2] = sound.translate(_LOW)
    samples[1::2] = sound.translate(_HIGH)
    return bytes(samples)


def _expand_mulaw(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << ((code & 0x70) >> 4)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


def _expand_alaw(code: int) -> int:
    code ^= 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + (8 if segment == 0 else 0x108)
    magnitude <<= max(0, segment - 1)
    return magnitude if code & 0x80 else -magnitude


LINEAR: Final = tuple(_expand_mulaw(code) for code in range(256))
"""The 16-bit sample of each mu-law byte: -32,124 to 32,124."""

ALAW_LINEAR: Final = tuple(_expand_alaw(code) for code in range(256))
"""The 16-bit sample of each A-law byte: -32,256 to 32,256."""

_LOW = bytes(sample & 0xFF for sample in LINEAR)
_HIGH = bytes(sample >> 8 & 0xFF for sample in LINEAR)
