"""The carrier's road, as far as marks tell: how long it is, and up to when sound was played.

All in milliseconds on the sender's clock: see `playout.py` for what that is and why.
"""

from __future__ import annotations

from collections import deque

import msgspec

from hookflash.core.audio import ms

_LATE_MARKS = 3
"""A mark later than expected is jitter; this many in a row are a fact."""

_ROAD_SAMPLES = 8

_PROBE_MS = 500.0
"""The road is measured so often at most; at first more often, for the first round trip of a stream
is seldom its shortest."""

_FIRST_PROBES = 3
_FIRST_PROBE_MS = 100.0


class Chunk(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    item_id: str
    end: int
    """Bytes of the item up to the end of this chunk."""
    size: int
    sent_at: float
    dry: bool
    """The carrier's buffer may have been empty when this chunk arrived."""
    payload: str = ""


class Unmarked:
    """What was sent since the last mark."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.dry = False

    def add(self, sound_ms: float, dry: bool) -> None:
        self.ms += sound_ms
        self.dry = self.dry or dry

    def clear(self) -> None:
        self.ms = 0.0
        self.dry = False


class RoundTrip:
    """`edge` is when the last confirmed chunk ended, `ends_at` when everything sent will have
    ended, `road_ms` the shortest round trip measured."""

    def __init__(self, *, ends_at: float = 0.0) -> None:
        self.edge = ends_at
        self.ends_at = ends_at
        self.road_ms = 0.0
        self._probes: dict[int, float] = {}
        self._probed_at = -_PROBE_MS
        self._trips: deque[float] = deque(maxlen=_ROAD_SAMPLES)
        self._late: list[float] = []
        self._queued_ms = 0.0
        self._dry = 0
        """How many chunks that wait for their mark were sent into a buffer that may be empty."""

    # --- the road -----------------------------------------------------------------------------

    def probe_due(self, now_ms: float) -> bool:
        every_ms = _PROBE_MS if len(self._trips) >= _FIRST_PROBES else _FIRST_PROBE_MS
        return now_ms - self._probed_at >= every_ms

    def probe(self, sequence: int, now_ms: float) -> None:
        self._probes[sequence] = self._probed_at = now_ms

    def measure(self, sequence: int, now_ms: float) -> None:
        sent_at = self._probes.pop(sequence, None)
        if sent_at is not None:
            self._trips.append(now_ms - sent_at)
            self.road_ms = min(self._trips)

    # --- the sound ----------------------------------------------------------------------------

    def sent(self, now_ms: float, sound_ms: float, dry: bool) -> None:
        self.ends_at = max(self.ends_at, now_ms) + sound_ms
        self._queued_ms += sound_ms
        self._dry += dry

    def cleared(self, now_ms: float) -> None:
        self.ends_at = self.edge = now_ms
        self._late.clear()
        self._queued_ms = 0.0
        self._dry = 0

    def lost(self, chunk: Chunk) -> None:
        """The mark of `chunk` will not come; its sound must have been played all the same."""
        self._done(chunk)
        self.edge = max(self.edge, chunk.sent_at) + ms(chunk.size)

    def played(self, chunk: Chunk, now_ms: float, *, exact: bool) -> None:
        """Move the edge to the end of `chunk`, whose mark came back at `now_ms` if `exact`."""
        self._done(chunk)
        earliest = chunk.sent_at + ms(chunk.size)
        expected = max(self.edge + ms(chunk.size), earliest)
        measured = max(now_ms - self.road_ms, earliest)
        if not exact:
            self.edge = expected
        elif chunk.dry or measured <= expected:
            self.edge = measured
            self._late.clear()
        else:
            self.edge = expected
            self._late.append(measured - expected)
            if len(self._late) >= _LATE_MARKS:
                self.edge += min(self._late)
                self._late.clear()

    def expect(self, chunks: deque[Chunk]) -> None:
        """Say anew when everything that was sent will have ended."""
        if not self._dry:
            self.ends_at = self.edge + self._queued_ms
            return
        self.ends_at = self.edge
        for chunk in chunks:
            self.ends_at = max(self.ends_at, chunk.sent_at) + ms(chunk.size)

    def _done(self, chunk: Chunk) -> None:
        self._queued_ms -= ms(chunk.size)
        self._dry -= chunk.dry
