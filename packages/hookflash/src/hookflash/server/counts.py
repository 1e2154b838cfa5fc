"""A worker's numbers: plain, so that counting costs an addition and they can travel. No I/O."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

FIRST_AUDIO_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
HUMAN_SECONDS = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0)


class Spread(msgspec.Struct):
    """How often a duration was up to each of `bounds` (seconds); the last count is beyond all."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def over(cls, bounds: tuple[float, ...]) -> Spread:
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, int]]:
        """Return the buckets as Prometheus has them: each counts all that is below it."""
        buckets, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            buckets.append((bound, below))
        return buckets


def _first_audio() -> Spread:
    return Spread.over(FIRST_AUDIO_SECONDS)


def _to_human() -> Spread:
    return Spread.over(HUMAN_SECONDS)


class Counts(msgspec.Struct):
    """What one worker has counted since it started; `live` is as it is now, by phase."""

    slot: int = 1
    live: dict[str, int] = {}
    ended: dict[str, int] = {}
    handoffs: dict[str, dict[str, int]] = {}
    """Attempts to reach a human, by destination and outcome."""
    deliveries: dict[str, int] = {}
    """Attempts to deliver what calls left, by outcome."""
    abandoned_waiting: int = 0
    returns: int = 0
    first_audio: Spread = msgspec.field(default_factory=_first_audio)
    to_human: Spread = msgspec.field(default_factory=_to_human)
    barge_ins: int = 0
    model_reconnects: int = 0
    carrier_refusals: int = 0
    journal_lines_lost: int = 0
    recording_seconds_lost: int = 0
    frames_up: int = 0
    frames_down: int = 0
    stream_stalls: int = 0
    webhooks_forwarded: int = 0
    streams_handed_over: int = 0
    warm_ready: int = 0
    warm_given: int = 0
    warm_missed: int = 0


def count(table: dict[str, int], name: str) -> None:
    table[name] = table.get(name, 0) + 1
