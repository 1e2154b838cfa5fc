"""Two tracks of audio on one sample clock, and the blocks that are taken from them. No I/O.

Samples are counted from 0 at 8 kHz; one sample of a track is one byte of mu-law. Audio is placed as
the base64 text in which it arrived, so that the event loop's thread only computes positions. A sink
decodes the blocks. Samples that no piece covers are silence.
"""

from __future__ import annotations

import binascii
from collections import deque
from typing import NamedTuple, Protocol

from hookflash.core.audio import BYTES_PER_MS, SILENCE

FRAME_SAMPLES = 20 * BYTES_PER_MS

_QUIET = bytes([SILENCE])


class Piece(NamedTuple):
    """`size` bytes of a payload, from its byte `skip`, placed at sample `at`."""

    at: int
    payload: str
    skip: int
    size: int


class Block(NamedTuple):
    """Samples `first` to `first + size` of both tracks. Left: the caller; right: what they
    heard."""

    first: int
    size: int
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]

    def stereo(self) -> bytearray:
        """Return the samples, left and right interleaved. Invalid base64 becomes silence."""
        both = bytearray(2 * self.size)
        both[0::2] = self._side(self.left)
        both[1::2] = self._side(self.right)
        return both

    def _side(self, pieces: tuple[Piece, ...]) -> bytearray:
        side = bytearray(_QUIET * self.size)
        for at, payload, skip, size in pieces:
            try:
                sound = binascii.a2b_base64(payload)[skip : skip + size]
            except binascii.Error:
                continue
            start = at - self.first
            side[start : start + len(sound)] = sound
        return side


class Sink(Protocol):
    """Receives the blocks of one call: a recording or a listener."""

    block_frames: int
    """The wanted number of 20 ms frames per block; the smallest of all sinks is used."""

    def put(self, block: Block) -> None:
        """Take the next block. Blocks come in order; a gap between two of them is silence."""
        ...

    def end(self) -> None:
        """Handle the end: no more blocks follow."""
        ...


class Track:
    """One track. Pieces are placed one after another and taken from the front."""

    def __init__(self) -> None:
        self.end = 0
        """The first free sample."""
        self._pieces: deque[Piece] = deque()

    def place(self, at: int, payload: str, size: int) -> None:
        """Place `size` bytes at sample `at`. Bytes that would overlap earlier audio are dropped."""
        late = max(0, self.end - at)
        if late < size:
            self._pieces.append(Piece(at + late, payload, late, size - late))
            self.end = at + size

    def take(self, until: int) -> tuple[Piece, ...]:
        """Remove and return everything before sample `until`; nothing can be placed there any
        more."""
        taken: list[Piece] = []
        while self._pieces and self._pieces[0].at < until:
            piece = self._pieces.popleft()
            here = until - piece.at
            if piece.size > here:
                rest = Piece(until, piece.payload, piece.skip + here, piece.size - here)
                self._pieces.appendleft(rest)
                piece = piece._replace(size=here)
            taken.append(piece)
        self.end = max(self.end, until)
        return tuple(taken)
