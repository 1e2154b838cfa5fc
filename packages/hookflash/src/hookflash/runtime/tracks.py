"""Two sides of sound on one sample clock, and the blocks that are cut off them. No I/O.

Samples are counted from 0, 8,000 a second; a sample of a side is one byte of mu-law. Sound is laid
down as the base64 text in which it came, so that the event loop's thread only counts: whoever
takes a block decodes it. What no piece covers is silence.
"""

from __future__ import annotations

import binascii
from collections import deque
from typing import NamedTuple, Protocol

from hookflash.core.audio import BYTES_PER_MS, SILENCE

FRAME_SAMPLES = 20 * BYTES_PER_MS

_QUIET = bytes([SILENCE])


class Piece(NamedTuple):
    """`size` bytes of a payload, from its byte `skip` on, that begin at sample `at`."""

    at: int
    payload: str
    skip: int
    size: int


class Block(NamedTuple):
    """Samples `first` to `first + size` of both sides: left the caller, right what they heard."""

    first: int
    size: int
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]

    def stereo(self) -> bytearray:
        """Return the sound, left and right by turns. A payload that is no base64 is silence."""
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
    """Where the blocks of one call go: a recording, or somebody who listens."""

    block_frames: int
    """How many frames of 20 ms a block should hold; the least of all sinks counts."""

    def put(self, block: Block) -> None:
        """Take the next block. They come in order; what lies between two of them is silence."""
        ...

    def end(self) -> None:
        """No more will come."""
        ...


class Track:
    """One side. Pieces are laid one behind another and taken off at the front."""

    def __init__(self) -> None:
        self.end = 0
        """The first sample that is still free."""
        self._pieces: deque[Piece] = deque()

    def lay(self, at: int, payload: str, size: int, *, skip: int = 0) -> None:
        """Lay `size` bytes at sample `at`. What would lie where it is not free is cut off."""
        late = max(0, self.end - at)
        if late < size:
            self._pieces.append(Piece(at + late, payload, skip + late, size - late))
            self.end = at + size

    def take(self, until: int) -> tuple[Piece, ...]:
        """Take what lies before sample `until`, where nothing can be laid any more."""
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
