"""What one bad peer, or a slow disk, does to everybody else's calls.

Each fault meets a fresh line with calls on it: the others' delay is measured three times, then the
fault is put in, then it is measured three times again.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hookflash_local.bench.report import Fault
from hookflash_local.bench.stage import Rig, Stage, Window

FLOOD_RATE = 1000
JITTER_SHARE, JITTER_MS = 0.05, 80
_WINDOWS = 3
_SETTLE_SECONDS = 0.5

PutIn = Callable[[Stage], None]


def _stalled_model(stage: Stage) -> None:
    stage.load.order("deaf-model", stage.live[0])


def _stalled_carrier(stage: Stage) -> None:
    stage.load.order("deaf-carrier", stage.live[0])


def _flood(stage: Stage) -> None:
    stage.load.order("flood", stage.live[0], FLOOD_RATE)


def _jitter(stage: Stage) -> None:
    stage.load.order("jitter", JITTER_SHARE, JITTER_MS)


FAULTS: dict[str, PutIn] = {
    "a model that stops reading": _stalled_model,
    "a carrier that stops reading": _stalled_carrier,
    f"a call with {FLOOD_RATE} pieces a second": _flood,
    f"0-{JITTER_MS} ms of jitter on {JITTER_SHARE:.0%} of the pieces": _jitter,
}
SLOW_DISK = "a disk that takes 200 ms a write"


async def measure_faults(
    rig: Rig, calls: int, seconds: float, tell: Callable[[str], None]
) -> list[Fault]:
    """Measure every fault with so many calls, each window for so many seconds."""
    found = []
    for name, put_in in FAULTS.items():
        tell(f"fault: {name}")
        found.append(await measure_fault(rig, name, put_in, calls, seconds))
    tell(f"fault: {SLOW_DISK}")
    found.append(await _slow_disk(rig, calls, seconds))
    return found


async def measure_fault(
    rig: Rig,
    name: str,
    put_in: PutIn,
    calls: int,
    seconds: float,
    environ: Mapping[str, str] | None = None,
) -> Fault:
    """Measure the other calls without and with a fault."""
    async with rig.hookflash(environ=environ) as stage:
        await stage.place(calls)
        before = await _windows(stage, seconds)
        put_in(stage)
        during = await _windows(stage, seconds)
        return Fault(
            fault=name,
            calls=calls,
            before_p99=statistics.median(window.p99 for window in before),
            during_p99=statistics.median(window.p99 for window in during),
            lost=sum(window.up.lost + window.down.lost for window in during),
            gone=len(stage.load.gone),
        )


async def _windows(stage: Stage, seconds: float) -> Sequence[Window]:
    return [await stage.measure(seconds, settle=_SETTLE_SECONDS) for _ in range(_WINDOWS)]


async def _slow_disk(rig: Rig, calls: int, seconds: float) -> Fault:
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        switch = Path(folder) / "slow"
        environ = {"LD_PRELOAD": str(rig.programs.slow_disk), "SLOW_DISK": str(switch)}
        return await measure_fault(
            rig, SLOW_DISK, lambda stage: switch.touch(), calls, seconds, environ
        )
