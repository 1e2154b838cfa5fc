"""The carrier's random numbers: one stream for each purpose, all from one source. No I/O."""

from __future__ import annotations

import itertools
from random import Random

from hookflash.world import SYSTEM


class RandomStreams:
    """`given` is the source; None: the machine's entropy, and delays that are always the same.

    Drawing from one stream does not change another.
    """

    def __init__(self, given: Random | None = None) -> None:
        self._seed = None if given is None else given.getrandbits(64)
        self._delays = itertools.count(1)
        self.sids = self._stream("sids")
        self.requests = self._stream("requests")
        """For the tokens of webhook requests."""
        self.phones = self._stream("phones")
        """For the tokens of phones in a browser."""

    def jitter(self) -> Random:
        """Return a stream for the jitter of one more direction of a stream."""
        number = next(self._delays)
        return Random(1 if self._seed is None else f"{self._seed}/road {number}")

    def _stream(self, name: str) -> Random:
        if self._seed is None:
            return SYSTEM.entropy(f"carrier-{name}")
        return Random(f"{self._seed}/{name}")
