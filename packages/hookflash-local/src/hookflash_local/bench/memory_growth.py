"""Measure memory growth over many calls that start and end one after another.

The server keeps an ended call for a minute, because its webhooks may be late, and its tokens until
they expire. So calls run for that time before the measurement begins.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hookflash_local.bench.harness import Harness
from hookflash_local.bench.report import MemoryGrowth

_POINTS = 50
_TALK_SECONDS = 0.1
_RETENTION_SECONDS = 130.0


async def measure_memory_growth(
    harness: Harness, calls: int, seconds: float, on_progress: Callable[[str], None]
) -> MemoryGrowth:
    """Place and end `calls` calls, evenly over `seconds`, after a warm-up at the same rate."""
    curve: list[tuple[int, float]] = []
    warm_up = round(calls * _RETENTION_SECONDS / seconds) if seconds else 0
    began = time.monotonic()
    # No time is measured here, so other benchmarks need not wait for this long one.
    async with replace(harness, exclusive=False).hookflash() as loaded:
        for number in range(1 - warm_up, calls + 1):
            await loaded.place(1)
            await asyncio.sleep(_TALK_SECONDS)
            await loaded.end()
            if number % max(1, calls // _POINTS) == 0:
                on_progress(f"leak: {number} of {calls} calls")
                curve.append((number, loaded.resident_bytes / 1e6))
            due = began + seconds * (number + warm_up) / calls
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return MemoryGrowth(
        calls=calls,
        seconds=seconds,
        curve=tuple(curve),
        growth_kb=_slope([point for point in curve if point[0] > 0]) * 1e6,
    )


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """Return the slope of the points by least squares."""
    if len(points) < 2:
        return 0.0
    fit = statistics.linear_regression(*zip(*points, strict=True))
    return float(fit.slope)
