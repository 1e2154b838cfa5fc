"""16-bit PCM in numpy: conversion from and to G.711, and a streaming resampler.

Samples are mono `numpy.int16` arrays. The resampler is a linear-phase polyphase FIR filter: 63 taps
between 8 and 16 kHz (1.9 ms of look-ahead), and the same duration for other rates. With a lower
rate of 8 kHz it is flat to 3.4 kHz and 50 dB down above 4 kHz.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hookflash import g711

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]

PHONE_RATE: Final = 8000
"""Samples per second on a phone line."""

_HALF_WIDTH = 15.5
"""Half the filter's length in periods of the lower rate: 2 * 15.5 * 2 + 1 = 63 taps at 2:1."""

_CUTOFF = 0.4675
"""The -6 dB frequency as a fraction of the lower rate: 3,740 Hz for 8 kHz."""

_KAISER_BETA = 4.55
"""Gives 50 dB attenuation in the stop band."""


def _compressor(expanded: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the nearest code for each of the 65,536 samples, indexed by the unsigned sample.

    In the middle between two levels, the one further from zero is chosen, as in G.711's decision
    values. The two zeros of mu-law become the positive one.
    """
    levels, codes = np.unique(np.array(expanded[::-1], dtype=np.int32), return_index=True)
    codes = 255 - codes
    samples = np.arange(-32768, 32768, dtype=np.int32)
    above = np.clip(np.searchsorted(levels, samples), 1, len(levels) - 1)
    low, high = levels[above - 1], levels[above]
    middle = low + high
    to_high = (2 * samples > middle) | ((2 * samples == middle) & (samples >= 0))
    table = codes[np.where(to_high, above, above - 1)].astype(np.uint8)
    return np.roll(table, 32768)


_MULAW_EXPAND = np.array(g711.LINEAR, dtype=np.int16)
_ALAW_EXPAND = np.array(g711.ALAW_LINEAR, dtype=np.int16)
_MULAW_COMPRESS = _compressor(g711.LINEAR)
_ALAW_COMPRESS = _compressor(g711.ALAW_LINEAR)


def mulaw_to_pcm16(audio: bytes) -> Samples:
    """Return mu-law bytes as 16-bit samples."""
    return _MULAW_EXPAND[np.frombuffer(audio, dtype=np.uint8)]


def pcm16_to_mulaw(samples: Samples) -> bytes:
    """Return 16-bit samples as mu-law bytes."""
    return _MULAW_COMPRESS[samples.view(np.uint16)].tobytes()


def alaw_to_pcm16(audio: bytes) -> Samples:
    """Return A-law bytes as 16-bit samples."""
    return _ALAW_EXPAND[np.frombuffer(audio, dtype=np.uint8)]


def pcm16_to_alaw(samples: Samples) -> bytes:
    """Return 16-bit samples as A-law bytes."""
    return _ALAW_COMPRESS[samples.view(np.uint16)].tobytes()


def to_floats(samples: Samples) -> Floats:
    """Return 16-bit samples as floats from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768)


def to_pcm16(floats: NDArray[np.floating]) -> Samples:
    """Return floats from -1 to 1 as 16-bit samples; louder values are clipped."""
    samples: Samples = np.clip(np.rint(floats * 32768), -32768, 32767).astype(np.int16)
    return samples


class StreamResampler:
    """Resamples a stream piece by piece.

    `push` returns the output that is complete and keeps the rest; `flush` returns the tail and
    resets the resampler. The filter looks ahead instead of delaying, so output and input are
    aligned. The total length is the input's times `to_rate / from_rate`, rounded up. Raises
    ValueError if a rate is below 1.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        if from_rate < 1 or to_rate < 1:
            raise ValueError(f"sample rates must be positive, got {from_rate} and {to_rate}")
        common = math.gcd(from_rate, to_rate)
        self._up = to_rate // common
        self._down = from_rate // common
        self._phases = _phases(from_rate, to_rate)
        self._half = (self._phases.shape[1] - 1) // 2
        self._reset()

    def _reset(self) -> None:
        self._held: Floats = np.zeros(self._half, dtype=np.float32)
        # Position of the next output in steps of 1/up of an input sample, counted from the middle
        # of the first window of `_held`.
        self._next = 0

    def push(self, samples: Samples) -> Samples:
        """Take more input; return the output that it completes."""
        if self._up == self._down:
            return samples
        self._held = np.concatenate((self._held, samples.astype(np.float32)))
        return self._emit(len(self._held) - 2 * self._half)

    def flush(self) -> Samples:
        """End the stream: return the rest of the output and reset."""
        if self._up == self._down:
            return np.zeros(0, dtype=np.int16)
        self._held = np.concatenate((self._held, np.zeros(self._half, dtype=np.float32)))
        tail = self._emit(len(self._held) - 2 * self._half)
        self._reset()
        return tail

    def _emit(self, middles: int) -> Samples:
        """Compute every output whose window is complete; there are `middles` windows."""
        count = -((self._next - middles * self._up) // self._down) if middles > 0 else 0
        if count <= 0:
            return np.zeros(0, dtype=np.int16)
        positions = self._next + self._down * np.arange(count)
        windows = np.lib.stride_tricks.sliding_window_view(self._held, 2 * self._half + 1)
        values = np.einsum(
            "ij,ij->i", windows[positions // self._up], self._phases[positions % self._up]
        )
        following = self._next + self._down * count
        # A step may be longer than the held input: drop at most what is held.
        used = min(following // self._up, middles)
        self._held = self._held[used:]
        self._next = following - used * self._up
        samples: Samples = np.clip(np.rint(values), -32768, 32767).astype(np.int16)
        return samples


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Return a whole recording at another rate: `len * to_rate / from_rate` samples, rounded up."""
    stream = StreamResampler(from_rate, to_rate)
    return np.concatenate((stream.push(samples), stream.flush()))


@cache
def _phases(from_rate: int, to_rate: int) -> Floats:
    """Return the filter as a table [phase, tap]: row p has the weights for an output p/up later.

    The windowed sinc is evaluated at the taps, so no prototype at the common multiple of both rates
    is needed. Each row sums to one, so a constant stays unchanged.
    """
    up = to_rate // math.gcd(from_rate, to_rate)
    lower = min(from_rate, to_rate)
    width = _HALF_WIDTH * from_rate / lower
    half = math.ceil(width)
    taps = np.arange(-half, half + 1)
    distance = taps[None, :] - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance / (width + 0.5 / up)) ** 2, 0, None)
    window = np.i0(_KAISER_BETA * np.sqrt(inside)) * (inside > 0)
    weights = np.sinc(2 * _CUTOFF * lower / from_rate * distance) * window
    table: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return table
