"""Read and write WAV files as phone audio: mu-law, 8,000 samples per second, one byte per sample.

Reads mu-law (format 7), A-law (6) and 16-bit PCM (1) at 4 to 192 kHz. Up to eight channels are
mixed to one. Writes mu-law.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import msgspec

from hookflash.errors import ConfigError

RATE: Final = 8000

_PCM, _ALAW, _MULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_WIDTHS: Final = {_PCM: 16, _ALAW: 8, _MULAW: 8}
_EXPECTED = "expected mu-law, A-law or 16-bit PCM in a WAV file"


class _Format(msgspec.Struct, frozen=True):
    encoding: int
    channels: int
    rate: int
    bits: int


def read_wav(path: Path) -> bytes:
    """Return the sound of a WAV file as mu-law at 8 kHz, mono.

    Raises `ConfigError` if the file is missing, is not a WAV file, or has another encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_wav(data, str(path))


def decode_wav(data: bytes, name: str) -> bytes:
    """Return the sound of a WAV file's `data` as mu-law at 8 kHz, mono.

    Raises `ConfigError`, whose message begins with `name`, as `read_wav` does.
    """
    chosen, sound = _parse(data, name)
    if chosen.encoding == _MULAW and chosen.channels == 1 and chosen.rate == RATE:
        return sound
    return _convert(chosen, sound, name)


def _parse(data: bytes, name: str) -> tuple[_Format, bytes]:
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ConfigError(f"{name}: not a WAV file ({_EXPECTED})")
    chosen: _Format | None = None
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        # A recorder that was stopped, or that writes to a pipe, leaves a size that is too large.
        body = data[position + 8 : position + 8 + size]
        if kind == b"fmt ":
            chosen = _read_format(body, name)
        elif kind == b"data":
            if chosen is None:
                raise ConfigError(f"{name}: broken WAV file: expected 'fmt ' before 'data'")
            frame = chosen.channels * chosen.bits // 8
            return chosen, body[: len(body) // frame * frame]
        position += 8 + size + size % 2
    raise ConfigError(f"{name}: broken WAV file: expected a 'data' chunk, found none")


def _read_format(body: bytes, name: str) -> _Format:
    if len(body) < 16:
        raise ConfigError(
            f"{name}: broken WAV file: expected a 'fmt ' chunk of 16 bytes, got {len(body)}"
        )
    encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if encoding == _EXTENSIBLE and len(body) >= 26:
        (encoding,) = struct.unpack_from("<H", body, 24)
    if _WIDTHS.get(encoding) != bits:
        raise ConfigError(f"{name}: WAV encoding {encoding}, {bits} bits per sample: {_EXPECTED}")
    if not 1 <= channels <= 8 or not 4000 <= rate <= 192_000:
        raise ConfigError(f"{name}: {channels} channels at {rate} Hz: {_EXPECTED}")
    return _Format(encoding, channels, rate, bits)


def _convert(chosen: _Format, sound: bytes, name: str) -> bytes:
    # Imported here: most recordings need no conversion, and numpy is slow to load.
    import numpy as np

    from hookflash_local.model.speech import pcm

    if chosen.encoding == _MULAW:
        samples = pcm.mulaw_to_pcm16(sound)
    elif chosen.encoding == _ALAW:
        samples = pcm.alaw_to_pcm16(sound)
    else:
        samples = np.frombuffer(sound, dtype="<i2")
    mixed = samples.reshape(-1, chosen.channels).mean(axis=1).round().astype(np.int16)
    return pcm.pcm16_to_mulaw(pcm.resample(mixed, chosen.rate, RATE))


def write_mulaw(path: Path, audio: bytes) -> None:
    """Write `audio` (mu-law at 8 kHz) as a mono WAV file of format 7."""
    padding = b"\0" * (len(audio) % 2)
    path.write_bytes(_header(_Format(_MULAW, 1, RATE, 8), len(audio)) + audio + padding)


def _header(chosen: _Format, size: int) -> bytes:
    frame = chosen.channels * chosen.bits // 8
    layout = struct.pack(
        "<HHIIHH",
        chosen.encoding,
        chosen.channels,
        chosen.rate,
        chosen.rate * frame,
        frame,
        chosen.bits,
    )
    whole = 4 + 8 + len(layout) + 8 + size + size % 2
    return (
        struct.pack("<4sI4s4sI", b"RIFF", whole, b"WAVE", b"fmt ", len(layout))
        + layout
        + struct.pack("<4sI", b"data", size)
    )
