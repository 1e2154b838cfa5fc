"""Limit how fast a carrier may send audio for one call: a token bucket.

A carrier sends audio in real time. After a network delay, late frames arrive in a burst, which is
normal. A stream that stays faster than real time is not. The bucket fills at `TIMES_REAL` times
real time and holds `BURST_SECONDS` of audio:

    bucket not empty                 the frame is accepted
    bucket empty                     the frame is dropped: neither the model nor a capture gets it
    a full bucket's worth dropped    `exceeded` is set once: the caller of this class closes the
                                     stream, and the carrier then requests new instructions

Each frame costs `FRAME_COST` besides its bytes, because a short frame is as much work as a long
one.
"""

from __future__ import annotations

from collections.abc import Callable

from hookflash.core.audio import BYTES_PER_MS

TIMES_REAL = 4
BURST_SECONDS = 10
FRAME_COST = 80
_COST_PER_SECOND = 1000 * BYTES_PER_MS + 50 * FRAME_COST
"""The cost of one second of audio in frames of 20 ms."""

BUCKET_BYTES = BURST_SECONDS * _COST_PER_SECOND


class AudioRateLimit:
    """The token bucket of one call. `now` returns seconds; sizes are bytes of mu-law.

    The caller of this class subtracts `size + FRAME_COST` from `left` for each frame. It calls
    `over_limit` only if `left` is negative, so the clock is read rarely.
    """

    __slots__ = ("_dropped", "_filled_at", "_now", "exceeded", "left")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._filled_at = now()
        self._dropped = 0
        self.left = float(BUCKET_BYTES)
        self.exceeded = False
        """True if the last dropped frame made the stream exceed its limit."""

    def over_limit(self, size: int) -> bool:
        """Refill the bucket after a frame that made `left` negative. Return whether to drop that
        frame."""
        now = self._now()
        self.left += (now - self._filled_at) * TIMES_REAL * _COST_PER_SECOND
        self._filled_at = now
        if self.left >= 0:
            self.left = min(self.left, BUCKET_BYTES)
            if self.left >= BUCKET_BYTES / 2:
                self._dropped = 0
            return False
        price = size + FRAME_COST
        self.left += price
        self.exceeded = self._dropped < BUCKET_BYTES <= self._dropped + price
        self._dropped += price
        return True
