"""Degrade speech as bad lines do: noise, a narrow band, lost packets, clipping, a low level.

Each function takes mu-law at 8 kHz and returns mu-law of the same length. The result depends only
on the input, so tests are repeatable. Needs numpy.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hookflash_local.model.speech.pcm import (
    PHONE_RATE,
    mulaw_to_pcm16,
    pcm16_to_mulaw,
    to_floats,
    to_pcm16,
)

Wave = NDArray[np.floating]

_PACKET = 160
"""Samples in 20 ms, the usual packet length of a phone call."""

_LOUD = 0.1
"""Packets below this share of the loudest packet's amplitude are pauses between words."""


def noise(audio: bytes, snr_db: float) -> bytes:
    """Add pink noise, as of a street or a car. `snr_db` is the ratio of speech to noise in dB."""
    if not audio:
        return audio
    wave = _wave(audio)
    spectrum = np.fft.rfft(_random(audio).standard_normal(len(wave)))
    hertz = np.fft.rfftfreq(len(wave), 1 / PHONE_RATE)
    # Pink noise, the usual background: half the power per octave.
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 100.0)), len(wave))
    loudness = np.sqrt(np.mean(shaped**2))
    return _mulaw(wave + shaped / loudness * _speech_level(wave) / 10 ** (snr_db / 20))


def narrow_band(audio: bytes, low_hz: float = 400, high_hz: float = 2600) -> bytes:
    """Keep only `low_hz` to `high_hz`, as an old handset or a bad bridge does."""
    if not audio:
        return audio
    wave = _wave(audio)
    hertz = np.fft.rfftfreq(len(wave), 1 / PHONE_RATE)
    gain = 1 / (1 + (low_hz / np.maximum(hertz, 1)) ** 8) / (1 + (hertz / high_hz) ** 16)
    return _mulaw(np.fft.irfft(np.fft.rfft(wave) * gain, len(wave)))


def lost_packets(audio: bytes, share: float = 0.05) -> bytes:
    """Replace a `share` of the packets (0 to 1) with silence, in gaps of one or two packets."""
    wave = _wave(audio)
    random = _random(audio)
    start = 0
    while start < len(wave):
        # A gap is 1.5 packets long on average, so gaps start less often than `share`.
        gap = _PACKET * int(random.integers(1, 3)) if random.random() < share / 1.5 else 0
        wave[start : start + gap] = 0
        start += gap or _PACKET
    return _mulaw(wave)


def clipped(audio: bytes, over: float = 6.0) -> bytes:
    """Amplify to `over` times full scale and clip, as shouting into a microphone does."""
    wave = _wave(audio)
    loudest = float(np.max(np.abs(wave), initial=1e-6))
    return _mulaw(np.clip(wave / loudest * over, -1, 1) * 0.9)


def low_level(audio: bytes, down_db: float = 26) -> bytes:
    """Attenuate by `down_db` decibels, with mu-law's quantisation noise."""
    return _mulaw(_wave(audio) / 10 ** (down_db / 20))


IMPAIRMENTS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "good line": lambda audio: audio,
    "noise, 15 dB": lambda audio: noise(audio, 15),
    "noise, 10 dB": lambda audio: noise(audio, 10),
    "narrow band": narrow_band,
    "lost packets, 5 %": lost_packets,
    "clipped": clipped,
    "low level": low_level,
}
"""The impairments by name, at the strength that the benchmarks and the tests use."""


def _wave(audio: bytes) -> Wave:
    return to_floats(mulaw_to_pcm16(audio)).astype(np.float64)


def _mulaw(wave: Wave) -> bytes:
    return pcm16_to_mulaw(to_pcm16(wave))


def _random(audio: bytes) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(audio))


def _speech_level(wave: Wave) -> float:
    """Return the root mean square of the packets that hold speech."""
    whole = wave[: len(wave) // _PACKET * _PACKET].reshape(-1, _PACKET)
    if not len(whole):
        return 0.0
    power = np.mean(whole**2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * _LOUD**2])))
