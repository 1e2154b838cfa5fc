"""G.711 mu-law in plain Python: one byte a sample, 8,000 samples a second. No I/O.

Tables are made once, on first use. Source: ITU-T G.711, the usual 16-bit form with bias 132.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import cache

SILENCE = b"\xff"
_BIAS = 132
_CLIP = 32635


def _decode_byte(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << ((code & 0x70) >> 4)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


def _encode_sample(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | (exponent << 4) | mantissa) & 0xFF


LINEAR: tuple[int, ...] = tuple(_decode_byte(code) for code in range(256))
"""The 16-bit sample of each mu-law byte."""


@cache
def _codes() -> bytes:
    """The mu-law byte of each 16-bit sample, at index sample + 32768."""
    return bytes(_encode_sample(sample) for sample in range(-32768, 32768))


def encode(samples: Iterable[int]) -> bytes:
    """Turn 16-bit samples into mu-law; what is too loud is clipped."""
    codes = _codes()
    return bytes(codes[max(-32768, min(32767, sample)) + 32768] for sample in samples)


def decode(payload: bytes) -> array[int]:
    """Turn mu-law into 16-bit samples."""
    return array("h", [LINEAR[code] for code in payload])


def mix(parts: Sequence[bytes]) -> bytes:
    """Add pieces of equal length as the ear would; one piece is passed through untouched."""
    audible = [part for part in parts if part.count(0xFF) != len(part)]
    if not audible:
        return parts[0] if parts else b""
    if len(audible) == 1:
        return audible[0]
    return encode(map(sum, zip(*(decode(part) for part in audible), strict=True)))


_LOUD = bytes(1 if abs(sample) > 400 else 0 for sample in LINEAR)


def is_sound(payload: bytes) -> bool:
    """Tell speech and tones from silence and faint noise: a tenth of the samples is loud."""
    return payload.translate(_LOUD).count(1) * 10 >= len(payload) > 0
