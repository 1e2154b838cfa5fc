"""How much sound a stream may bring: what a caller can make, and room for a late burst.

A carrier sends as fast as somebody speaks. After a pause of the network what was late comes at
once, which is no fault; a stream that goes on like that is one. So sound is paid for out of a
purse that fills at `TIMES_REAL` times real time and holds `BURST_SECONDS` of sound:

    in the purse      taken
    purse empty       dropped; the model and the other calls never see it
    as much dropped   `spent`, once: the stream is to be closed, and the carrier asks what is
    as a purse holds  next

A frame costs something besides its sound, because a short one is as much work as a long one.
"""

from __future__ import annotations

from collections.abc import Callable

from hookflash.core.audio import BYTES_PER_MS

TIMES_REAL = 4
BURST_SECONDS = 10
FRAME_PRICE = 80
_PRICE_A_SECOND = 1000 * BYTES_PER_MS + 50 * FRAME_PRICE
"""Of real time, in frames of 20 ms."""

PURSE = BURST_SECONDS * _PRICE_A_SECOND


class Allowance:
    """The purse of one call. `now` is a clock in seconds, sizes are in bytes of mu-law.

    Whoever pays takes `size + FRAME_PRICE` out of `left`, and asks `overdrawn` once it is
    negative: the clock is only looked at then, which is seldom, or for a flood.
    """

    __slots__ = ("_dropped", "_filled_at", "_now", "left", "spent")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._filled_at = now()
        self._dropped = 0
        self.left = float(PURSE)
        self.spent = False
        """Whether the frame dropped last was the one too many."""

    def overdrawn(self, size: int) -> bool:
        """A frame of `size` was paid for with what is not there. Return whether to drop it."""
        now = self._now()
        self.left += (now - self._filled_at) * TIMES_REAL * _PRICE_A_SECOND
        self._filled_at = now
        if self.left >= 0:
            self.left = min(self.left, PURSE)
            if self.left >= PURSE / 2:
                self._dropped = 0
            return False
        price = size + FRAME_PRICE
        self.left += price
        self.spent = self._dropped < PURSE <= self._dropped + price
        self._dropped += price
        return True
