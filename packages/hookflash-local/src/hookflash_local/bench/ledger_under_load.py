"""Measure the playout ledger's accuracy under load.

The load generator interrupts every agent repeatedly. Its carrier side knows, to the sample, how
much of a turn was played at `clear`. Its model side gets `conversation.item.truncate`. The
difference is the error. `hookflash ledger` measures single calls in all ways of interrupting.
"""

from __future__ import annotations

from collections.abc import Callable

from hookflash_local.bench.fault_isolation import JITTER_MS, JITTER_SHARE
from hookflash_local.bench.harness import SETTLE_SECONDS, Harness
from hookflash_local.bench.programs import BenchError
from hookflash_local.bench.report import Accuracy

_BARGE_SECONDS = 1.0
_FEW = 10
_ANSWERED = 0.9
"""The least share of cut turns that must be truncated within the window. Some truncations come
later, and a turn that was cut at its last piece needs none."""


async def measure_ledger(
    harness: Harness,
    calls: int,
    seconds: float,
    on_progress: Callable[[str], None],
    *,
    settle: float = SETTLE_SECONDS,
) -> list[Accuracy]:
    """Measure with few calls, with `calls`, and with `calls` and jitter on the carrier's messages.

    Each measurement lasts `seconds` and starts `settle` seconds after the calls.
    Raises `BenchError` if too few cut turns were truncated.
    """
    jitter = f"0-{JITTER_MS} ms of jitter on {JITTER_SHARE:.0%} of the pieces"
    conditions = {
        "few calls": (min(_FEW, calls), False),
        "many calls": (calls, False),
        f"many calls, {jitter}": (calls, True),
    }
    found = []
    for name, (number, jittered) in conditions.items():
        on_progress(f"ledger: {name}")
        found.append(await _once(harness, name, number, seconds, settle, jittered=jittered))
    return found


async def _once(
    harness: Harness, name: str, calls: int, seconds: float, settle: float, *, jittered: bool
) -> Accuracy:
    async with harness.hookflash() as loaded:
        await loaded.place(calls)
        if jittered:
            loaded.load.order("jitter", JITTER_SHARE, JITTER_MS)
        loaded.load.order("barge", _BARGE_SECONDS)
        window = (await loaded.measure(seconds, settle=settle)).check()
    ledger = window.ledger
    if ledger.count < _ANSWERED * ledger.sent or not ledger.count:
        raise BenchError(
            f"ledger, {name}: expected a truncation for at least {_ANSWERED:.0%} of the"
            f" {ledger.sent} cut turns, got {ledger.count}"
        )
    return Accuracy(
        condition=name,
        calls=window.calls,
        cuts=ledger.count,
        p50=ledger.p50,
        p99=ledger.p99,
        max=ledger.max,
    )
