"""Memory over many calls that come and go, one after another.

The calls are spread over a few minutes: a call that has ended is remembered for a minute, because
its webhooks may still come, so memory may only be flat once as many are forgotten as come in.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hookflash.bench.report import Leak
from hookflash.bench.stage import Rig

_POINTS = 50
_TALK_SECONDS = 0.1


async def measure_leak(rig: Rig, calls: int, seconds: float, tell: Callable[[str], None]) -> Leak:
    """Place and end so many calls, evenly over `seconds`."""
    curve: list[tuple[int, float]] = []
    began = time.monotonic()
    # Nothing is timed here, and it takes long: others need not wait for it.
    async with replace(rig, alone=False).hookflash() as stage:
        for number in range(1, calls + 1):
            await stage.place(1)
            await asyncio.sleep(_TALK_SECONDS)
            await stage.end()
            if number % max(1, calls // _POINTS) == 0:
                tell(f"leak: {number} of {calls} calls")
                curve.append((number, stage.resident_bytes / 1e6))
            await asyncio.sleep(max(0.0, began + seconds * number / calls - time.monotonic()))
    return Leak(
        calls=calls,
        seconds=time.monotonic() - began,
        curve=tuple(curve),
        growth_kb=_slope(curve[len(curve) // 2 :]) * 1e6,
    )


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """Return by how much the second value grows with each of the first (least squares)."""
    if len(points) < 2:
        return 0.0
    fit = statistics.linear_regression(*zip(*points, strict=True))
    return float(fit.slope)
