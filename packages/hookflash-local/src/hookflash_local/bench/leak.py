"""Memory over many calls that come and go, one after another.

A call that has ended is remembered for a minute, because its webhooks may still come, and its
tokens until they have expired; so calls come and go for as long before what is measured begins.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hookflash_local.bench.report import Leak
from hookflash_local.bench.stage import Rig

_POINTS = 50
_TALK_SECONDS = 0.1
_REMEMBERED_SECONDS = 130.0


async def measure_leak(rig: Rig, calls: int, seconds: float, tell: Callable[[str], None]) -> Leak:
    """Place and end so many calls, evenly over `seconds`, and as many before as are remembered."""
    curve: list[tuple[int, float]] = []
    early = round(calls * _REMEMBERED_SECONDS / seconds) if seconds else 0
    began = time.monotonic()
    # Nothing is timed here, and it takes long: others need not wait for it.
    async with replace(rig, alone=False).hookflash() as stage:
        for number in range(1 - early, calls + 1):
            await stage.place(1)
            await asyncio.sleep(_TALK_SECONDS)
            await stage.end()
            if number % max(1, calls // _POINTS) == 0:
                tell(f"leak: {number} of {calls} calls")
                curve.append((number, stage.resident_bytes / 1e6))
            due = began + seconds * (number + early) / calls
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return Leak(
        calls=calls,
        seconds=seconds,
        curve=tuple(curve),
        growth_kb=_slope([point for point in curve if point[0] > 0]) * 1e6,
    )


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """Return by how much the second value grows with each of the first (least squares)."""
    if len(points) < 2:
        return 0.0
    fit = statistics.linear_regression(*zip(*points, strict=True))
    return float(fit.slope)
