"""G.711 as plain numbers: what each byte of mu-law and A-law stands for, in 16-bit samples.

Source: ITU-T G.711, tables 1a to 2b, scaled from 14 and 13 bits to 16. Needs no numpy, so that a
recording can be written as PCM without the speech extra; `model.speech.audio` builds its numpy
tables from these.
"""

from __future__ import annotations

from typing import Final

_BIAS = 0x84


def _expand_mulaw(code: int) -> int:
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _BIAS) << ((code & 0x70) >> 4)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


def _expand_alaw(code: int) -> int:
    code ^= 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + (8 if segment == 0 else 0x108)
    magnitude <<= max(0, segment - 1)
    return magnitude if code & 0x80 else -magnitude


MULAW: Final = tuple(_expand_mulaw(code) for code in range(256))
"""The 16-bit sample of each mu-law byte: -32,124 to 32,124."""

ALAW: Final = tuple(_expand_alaw(code) for code in range(256))
"""The 16-bit sample of each A-law byte: -32,256 to 32,256."""

_LOW = bytes(sample & 0xFF for sample in MULAW)
_HIGH = bytes(sample >> 8 & 0xFF for sample in MULAW)


def mulaw_to_pcm16_bytes(audio: bytes) -> bytes:
    """Return mu-law `audio` as little-endian 16-bit samples, two bytes each."""
    samples = bytearray(2 * len(audio))
    samples[0::2] = audio.translate(_LOW)
    samples[1::2] = audio.translate(_HIGH)
    return bytes(samples)
