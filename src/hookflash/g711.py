"""G.711 mu-law in plain Python: one byte a sample, 8,000 samples a second. No I/O.

Source: ITU-T G.711, in the usual 16-bit form with a bias of 132. Live audio passes through as it
came; this is for sound that the server makes or renders itself.
"""

from __future__ import annotations

from collections.abc import Iterable
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


def encode(samples: Iterable[int]) -> bytes:
    """Return 16-bit samples as mu-law."""
    return bytes(map(encode_sample, samples))


def _decode_byte(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << ((code & 0x70) >> 4)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


LINEAR: Final = tuple(_decode_byte(code) for code in range(256))
"""The 16-bit sample of each mu-law byte."""
