"""Write a stereo mu-law WAV file that is valid after every write. No network.

    RIFF size WAVE | fmt 18: format 7, 2 channels, 8000 Hz, 8 bits | fact samples | data size ...

If the writing process dies, the file holds whole samples up to the last write. `repair` adds the
samples after the last header update to the header. (RFC 2361: WAVE_FORMAT_MULAW.)
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from hookflash.core.audio import SILENCE
from hookflash.private_files import open_descriptor, open_file

HEADER_BYTES = 58
_CHANNELS, _RATE, _MULAW = 2, 8000, 7
_QUIET = bytes([SILENCE])
_AT_ONCE = 64 * 1024


def header(samples: int) -> bytes:
    """Return the header of a file with `samples` samples per channel."""
    size = _CHANNELS * samples
    return (
        struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + size, b"WAVE")
        + struct.pack("<4sIHHIIHHH", b"fmt ", 18, _MULAW, _CHANNELS, _RATE, 2 * _RATE, 2, 8, 0)
        + struct.pack("<4sII", b"fact", 4, samples)
        + struct.pack("<4sI", b"data", size)
    )


def samples_in(size: int) -> int:
    """Return the number of samples per channel in a file of `size` bytes."""
    return max(0, size - HEADER_BYTES) // _CHANNELS


class WavFile:
    """A recording to append to. Every method may raise `OSError`."""

    def __init__(self, path: Path) -> None:
        number = open_descriptor(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
        self._file = os.fdopen(number, "r+b", 0)
        self.samples = samples_in(self._file.seek(0, os.SEEK_END))
        if not self.samples:
            self._put_header()

    def write(self, first: int, sound: bytes | bytearray) -> None:
        """Write stereo audio that begins at sample `first`.

        A gap before it is filled with silence. Samples that are already written are dropped.
        """
        late = self.samples - first
        if late > 0:
            sound = sound[_CHANNELS * late :]
        self._file.seek(HEADER_BYTES + _CHANNELS * self.samples)
        try:
            missing = -_CHANNELS * late
            while missing > 0:
                missing -= self._write(_QUIET * min(missing, _AT_ONCE))
            self._write(sound)
        finally:
            self._put_header()

    def close(self) -> None:
        self._file.close()

    def _write(self, sound: bytes | bytearray) -> int:
        view = memoryview(sound)
        while view:
            written = self._file.write(view)
            self.samples += written // _CHANNELS
            if written % _CHANNELS:
                # A full disk may take half a sample: the next write overwrites it.
                self._file.seek(HEADER_BYTES + _CHANNELS * self.samples)
                written -= 1
            view = view[written:]
        return len(sound)

    def _put_header(self) -> None:
        self._file.seek(0)
        self._file.write(header(self.samples))


def repair(path: Path) -> bool:
    """Correct a header that does not match the file's size. Return whether it was changed."""
    with open_file(path, "r+b", 0) as file:
        samples = samples_in(file.seek(0, os.SEEK_END))
        wanted = header(samples)
        file.seek(0)
        if file.read(HEADER_BYTES) == wanted:
            return False
        file.seek(0)
        file.write(wanted)
        file.truncate(HEADER_BYTES + _CHANNELS * samples)
    return True
