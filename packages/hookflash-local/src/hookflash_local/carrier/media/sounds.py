"""Mu-law sounds: network tones, a stand-in voice, WAV files, mixing and sound detection.

Tones are exact (the North American ringing tone is 440 + 480 Hz, two seconds on, four off). The
voice without a speech engine is a pattern of tones: it can be measured but not understood. Files:
WAV with mu-law at 8 kHz, or 16-bit PCM at 8, 16, 24 or 48 kHz, one channel.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hookflash import g711
from hookflash_local.carrier.media.playout import SAMPLES_PER_SECOND, SILENCE

RINGING_ON_SECONDS = 2
RINGING_OFF_SECONDS = 4


@cache
def tone(frequencies: tuple[float, ...], milliseconds: int, amplitude: int = 4000) -> bytes:
    """Return a sum of sines of `amplitude` (16-bit) each."""
    turns = [2 * math.pi * frequency / SAMPLES_PER_SECOND for frequency in frequencies]
    return g711.encode(
        round(sum(amplitude * math.sin(turn * n) for turn in turns))
        for n in range(milliseconds * 8)
    )


def beep() -> bytes:
    """What a mailbox and a conference play: 1,000 Hz, half a second."""
    return tone((1000.0,), 500)


def fax_tone() -> bytes:
    """How a fax machine answers: 2,100 Hz, three seconds (the CED tone of ITU-T T.30)."""
    return tone((2100.0,), 3000)


@cache
def ringing_cycle() -> bytes:
    """One turn of the ringing tone: two seconds on, four off."""
    # Both tones repeat after 1/40 s, so that a short piece can be repeated without a click.
    return tone((440.0, 480.0), 25) * (40 * RINGING_ON_SECONDS) + SILENCE * (
        SAMPLES_PER_SECOND * RINGING_OFF_SECONDS
    )


@cache
def hold_music() -> bytes:
    """A slow rising chord, to be looped: what waits in a queue or in an empty conference hears."""
    notes = (261.63, 329.63, 392.0, 523.25)
    return b"".join(tone((note,), 480, 2500) + SILENCE * 160 for note in notes)


def prepare() -> None:
    """Make what is made on first use: in the middle of a call it would hold everything up."""
    for sound in (beep, ringing_cycle, hold_music):
        sound()


def voice_pattern(text: str) -> bytes:
    """Stand in for speech: 65 ms a letter, a pitch that depends on the word, a rest between words.

    The same text gives the same sound, two texts give two sounds.
    """
    spoken = bytearray()
    for word in text.split():
        seed = hashlib.sha256(word.encode()).digest()
        pitch = 110 + seed[0] % 90
        formant = 500 + seed[1] * 4
        spoken += tone((float(pitch), float(formant)), 65 * min(len(word), 20), 5000)
        spoken += SILENCE * (SAMPLES_PER_SECOND * 60 // 1000)
    return bytes(spoken)


def read_wav(data: bytes) -> bytes:
    """Return the sound of a WAV file as mu-law at 8 kHz.

    Raises ValueError, saying what came, for anything but one channel of mu-law at 8 kHz or of
    16-bit PCM at a multiple of 8 kHz. Only rates above 8 kHz need numpy.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("expected a WAV file (RIFF ... WAVE)")
    position, form, samples = 12, b"", b""
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        if name == b"fmt ":
            form = data[position + 8 : position + 8 + size]
        elif name == b"data":
            samples = data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    if len(form) < 16:
        raise ValueError("the WAV file has no format chunk")
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if coding == 0xFFFE and len(form) >= 26:
        coding = struct.unpack_from("<H", form, 24)[0]
    if channels != 1:
        raise ValueError(f"expected one channel, the WAV file has {channels}")
    if (coding, rate, bits) == (7, SAMPLES_PER_SECOND, 8):
        return samples
    if (coding, bits) != (1, 16) or rate % SAMPLES_PER_SECOND:
        raise ValueError(
            "expected mu-law at 8 kHz or 16-bit PCM at a multiple of 8 kHz, the WAV file has"
            f" format {coding} with {bits} bits at {rate} Hz"
        )
    whole = samples[: len(samples) // 2 * 2]
    linear = list(struct.unpack(f"<{len(whole) // 2}h", whole))
    if rate > SAMPLES_PER_SECOND:
        linear = _decimate(linear, rate // SAMPLES_PER_SECOND)
    return g711.encode(linear)


def write_wav(channels: list[bytes]) -> bytes:
    """Return a WAV file, 16-bit PCM at 8 kHz, of one or two channels of mu-law, equally long."""
    count = len(channels)
    linear = [g711.decode(channel) for channel in channels]
    mixed = [sample for samples in zip(*linear, strict=True) for sample in samples]
    data = struct.pack(f"<{len(mixed)}h", *mixed)
    rate = SAMPLES_PER_SECOND
    form = struct.pack("<HHIIHH", 1, count, rate, rate * 2 * count, 2 * count, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _decimate(samples: list[int], factor: int) -> list[int]:
    """Low-pass below 3.6 kHz and keep every `factor`-th sample: a polyphase FIR by its result."""
    import numpy as np  # only here: the rest of the stand-in runs without it

    half = 24 * factor
    index = np.arange(-half, half + 1)
    cutoff = 0.45 / factor
    taps = 2 * cutoff * np.sinc(2 * cutoff * index) * np.hamming(2 * half + 1)
    taps /= taps.sum()
    padded = np.concatenate([np.zeros(half), np.asarray(samples, dtype=float), np.zeros(half)])
    count = -(-len(samples) // factor)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)[::factor][:count]
    return [int(value) for value in np.clip(np.rint(windows @ taps), -32768, 32767)]


def load(sound: bytes | str | Path) -> bytes:
    """Return mu-law: bytes are mu-law already, a path names a WAV file (or raw `.ulaw`)."""
    if isinstance(sound, bytes):
        return sound
    path = Path(sound)
    data = path.read_bytes()
    return data if path.suffix == ".ulaw" else read_wav(data)


def mix(parts: Sequence[bytes]) -> bytes:
    """Mix pieces of equal length; one piece is passed through unchanged."""
    audible = [part for part in parts if part.count(0xFF) != len(part)]
    if not audible:
        return parts[0] if parts else b""
    if len(audible) == 1:
        return audible[0]
    return g711.encode(map(sum, zip(*(g711.decode(part) for part in audible), strict=True)))


_LOUD = bytes(1 if abs(sample) > 400 else 0 for sample in g711.LINEAR)


def is_sound(payload: bytes) -> bool:
    """Tell speech and tones from silence and faint noise: a tenth of the samples is loud."""
    return payload.translate(_LOUD).count(1) * 10 >= len(payload) > 0
