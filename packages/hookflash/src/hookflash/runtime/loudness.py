"""Normalize the loudness of rendered speech and trim the silence around it. No I/O.

Levels are the root mean square in dB below full scale (32,768). Only frames with speech are
measured: pauses would make a slow speaker louder than a quick one.
"""

from __future__ import annotations

import math
from typing import Final

from hookflash.errors import ModelError
from hookflash.g711 import FULL_SCALE, LINEAR, RATE, encode

SPEECH_DBFS: Final = -20.0
"""The level of prepared speech: close to the live model's, and never above it."""

_PEAK_DBFS = -1.0
_SILENT_DBFS = -50.0
_MAX_GAIN = 10.0
_ACTIVE_DB = 20.0
"""A frame counts as speech if it is less than this many dB below the loudest frame."""

_FRAME = RATE * 20 // 1000
_LEAD_FRAMES, _TAIL_FRAMES = 2, 8
"""Silence that is left at the ends: 40 and 160 ms, so that no soft sound is cut off."""

_SQUARES = tuple(float(sample * sample) for sample in LINEAR)


def amplitude(dbfs: float) -> float:
    """Return the 16-bit amplitude of a level."""
    return FULL_SCALE * 10 ** (dbfs / 20)


def level_dbfs(sound: bytes) -> float:
    """Return the level of all of `sound` (mu-law), -inf for digital silence."""
    power = sum(map(_SQUARES.__getitem__, sound)) / len(sound) if sound else 0.0
    return 10 * math.log10(power / FULL_SCALE**2) if power else -math.inf


def normalized(sound: bytes) -> bytes:
    """Return speech (mu-law, 8 kHz) at `SPEECH_DBFS`, without silence at its ends.

    Raises `ModelError` if it contains no speech.
    """
    frames = [sound[start : start + _FRAME] for start in range(0, len(sound), _FRAME)]
    powers = [sum(map(_SQUARES.__getitem__, frame)) / _FRAME for frame in frames]
    loudest = max(powers, default=0.0)
    if loudest < amplitude(_SILENT_DBFS) ** 2:
        raise ModelError("expected speech, got silence")
    spoken = [
        number for number, power in enumerate(powers) if power >= loudest / 10 ** (_ACTIVE_DB / 10)
    ]
    level = math.sqrt(sum(powers[number] for number in spoken) / len(spoken))
    peak = max(abs(LINEAR[code]) for code in set(sound))
    gain = min(amplitude(SPEECH_DBFS) / level, amplitude(_PEAK_DBFS) / peak, _MAX_GAIN)
    louder = encode(round(sample * gain) for sample in LINEAR)
    begin = max(0, spoken[0] - _LEAD_FRAMES) * _FRAME
    return sound[begin : (spoken[-1] + 1 + _TAIL_FRAMES) * _FRAME].translate(louder)
