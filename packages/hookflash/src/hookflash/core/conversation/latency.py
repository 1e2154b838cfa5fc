"""What marks tell about the carrier: the round trip, and until when sound was played.

All times are milliseconds on the sender's clock; `playout.py` explains it.
"""

from __future__ import annotations

from collections import deque

import msgspec

from hookflash.core.audio import ms

_LATE_MARKS = 3
"""One late mark is jitter. After this many in a row, the estimate is moved."""

_SAMPLES = 8
"""How many round trips are remembered."""

_PROBE_MS = 500.0
"""The least time between two measurements. The first few come sooner, because the first round trip
of a stream is seldom its shortest."""

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
    """The shortest round trip measured (`round_trip_ms`), and the estimate of what was played.

    `edge` is when the last confirmed chunk ended, `ends_at` when everything sent will have ended.
    """

    def __init__(self, *, ends_at: float = 0.0) -> None:
        self.edge = ends_at
        self.ends_at = ends_at
        self.round_trip_ms = 0.0
        self._probes: dict[int, float] = {}
        self._probed_at = -_PROBE_MS
        self._trips: deque[float] = deque(maxlen=_SAMPLES)
        self._late: list[float] = []
        self._queued_ms = 0.0
        self._dry = 0
        """How many unconfirmed chunks were sent into a buffer that may have been empty."""

    # --- measuring ----------------------------------------------------------------------------

    def probe_due(self, now_ms: float) -> bool:
        every_ms = _PROBE_MS if len(self._trips) >= _FIRST_PROBES else _FIRST_PROBE_MS
        return now_ms - self._probed_at >= every_ms

    def probe(self, sequence: int, now_ms: float) -> None:
        self._probes[sequence] = self._probed_at = now_ms

    def measure(self, sequence: int, now_ms: float) -> None:
        sent_at = self._probes.pop(sequence, None)
        if sent_at is not None:
            self._trips.append(now_ms - sent_at)
            self.round_trip_ms = min(self._trips)

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
        """The mark of `chunk` is lost; its sound must have been played."""
        self._done(chunk)
        self.edge = max(self.edge, chunk.sent_at) + ms(chunk.size)

    def played(self, chunk: Chunk, now_ms: float, *, exact: bool) -> None:
        """Move the edge to the end of `chunk`, whose mark came back at `now_ms` if `exact`."""
        self._done(chunk)
        earliest = chunk.sent_at + ms(chunk.size)
        expected = max(self.edge + ms(chunk.size), earliest)
        measured = max(now_ms - self.round_trip_ms, earliest)
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
        """Estimate again when everything that was sent will have ended."""
        if not self._dry:
            self.ends_at = self.edge + self._queued_ms
            return
        self.ends_at = self.edge
        for chunk in chunks:
            self.ends_at = max(self.ends_at, chunk.sent_at) + ms(chunk.size)

    def _done(self, chunk: Chunk) -> None:
        self._queued_ms -= ms(chunk.size)
        self._dry -= chunk.dry
