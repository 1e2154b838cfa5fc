"""Measure how one bad peer, or a slow disk, affects the other calls.

For each fault a fresh server gets calls. The delay of the other calls is measured three times
before the fault is injected and three times after.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hookflash_local.bench.harness import Harness, LoadedRelay, Window
from hookflash_local.bench.report import Fault

FLOOD_RATE = 1000
JITTER_SHARE, JITTER_MS = 0.05, 80
_WINDOWS = 3
_SETTLE_SECONDS = 0.5

Inject = Callable[[LoadedRelay], None]


def _stalled_model(loaded: LoadedRelay) -> None:
    loaded.load.order("stall-model", loaded.live[0])


def _stalled_carrier(loaded: LoadedRelay) -> None:
    loaded.load.order("stall-carrier", loaded.live[0])


def _flood(loaded: LoadedRelay) -> None:
    loaded.load.order("flood", loaded.live[0], FLOOD_RATE)


def _jitter(loaded: LoadedRelay) -> None:
    loaded.load.order("jitter", JITTER_SHARE, JITTER_MS)


FAULTS: dict[str, Inject] = {
    "a model that stops reading": _stalled_model,
    "a carrier that stops reading": _stalled_carrier,
    f"a call with {FLOOD_RATE} pieces a second": _flood,
    f"0-{JITTER_MS} ms of jitter on {JITTER_SHARE:.0%} of the pieces": _jitter,
}
SLOW_DISK = "a disk that takes 200 ms a write"


async def measure_faults(
    harness: Harness, calls: int, seconds: float, on_progress: Callable[[str], None]
) -> list[Fault]:
    """Measure every fault with `calls` calls and windows of `seconds`."""
    found = []
    for name, inject in FAULTS.items():
        on_progress(f"fault: {name}")
        found.append(await measure_fault(harness, name, inject, calls, seconds))
    on_progress(f"fault: {SLOW_DISK}")
    found.append(await _slow_disk(harness, calls, seconds))
    return found


async def measure_fault(
    harness: Harness,
    name: str,
    inject: Inject,
    calls: int,
    seconds: float,
    environ: Mapping[str, str] | None = None,
) -> Fault:
    """Measure the other calls before and after `inject`. `environ` is added to the relay's."""
    async with harness.hookflash(environ=environ) as loaded:
        await loaded.place(calls)
        before = await measure_windows(loaded, seconds)
        inject(loaded)
        during = await measure_windows(loaded, seconds)
        return Fault(
            fault=name,
            calls=calls,
            before_p99=statistics.median(window.p99 for window in before),
            during_p99=statistics.median(window.p99 for window in during),
            lost=sum(window.up.lost + window.down.lost for window in during),
            gone=len(loaded.load.gone),
        )


async def measure_windows(loaded: LoadedRelay, seconds: float) -> Sequence[Window]:
    """Measure the live calls several times, one after another."""
    return [await loaded.measure(seconds, settle=_SETTLE_SECONDS) for _ in range(_WINDOWS)]


async def _slow_disk(harness: Harness, calls: int, seconds: float) -> Fault:
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        switch = Path(folder) / "slow"
        environ = {"LD_PRELOAD": str(harness.programs.slow_disk), "SLOW_DISK": str(switch)}
        return await measure_fault(
            harness, SLOW_DISK, lambda loaded: switch.touch(), calls, seconds, environ
        )
