"""Whether the model is told what the ear got, while the line is busy.

The load interrupts every agent again and again. Its carrier's end knows, to the sample, how much
of a turn was played when `clear` came; its model's end is told by `conversation.item.truncate`.
`hookflash ledger` shows the same for single calls, in every way in which an agent can be cut off.
"""

from __future__ import annotations

from collections.abc import Callable

from hookflash_local.bench.faults import JITTER_MS, JITTER_SHARE
from hookflash_local.bench.programs import BenchError
from hookflash_local.bench.report import Accuracy
from hookflash_local.bench.stage import SETTLE_SECONDS, Rig

_BARGE_SECONDS = 1.0
_FEW = 10
_ANSWERED = 0.9
"""Of the turns that are cut in a window, some are told of after it, and of one of which the carrier
was about to play the last piece the model need not be told."""


async def measure_accuracy(
    rig: Rig,
    calls: int,
    seconds: float,
    tell: Callable[[str], None],
    *,
    settle: float = SETTLE_SECONDS,
) -> list[Accuracy]:
    """Measure with few calls, with `calls`, and with those and jitter on the carrier's messages.

    Each time calls go on for `settle` seconds before `seconds` are measured.
    """
    jitter = f"0-{JITTER_MS} ms of jitter on {JITTER_SHARE:.0%} of the pieces"
    conditions = {
        "few calls": (min(_FEW, calls), False),
        "many calls": (calls, False),
        f"many calls, {jitter}": (calls, True),
    }
    found = []
    for name, (number, jittered) in conditions.items():
        tell(f"ledger: {name}")
        found.append(await _once(rig, name, number, seconds, settle, jittered=jittered))
    return found


async def _once(
    rig: Rig, name: str, calls: int, seconds: float, settle: float, *, jittered: bool
) -> Accuracy:
    async with rig.hookflash() as stage:
        await stage.place(calls)
        if jittered:
            stage.load.order("jitter", JITTER_SHARE, JITTER_MS)
        stage.load.order("barge", _BARGE_SECONDS)
        window = (await stage.measure(seconds, settle=settle)).check()
    ledger = window.ledger
    if ledger.count < _ANSWERED * ledger.sent or not ledger.count:
        raise BenchError(
            f"ledger, {name}: {ledger.sent} turns were cut, the model was told of {ledger.count}"
        )
    return Accuracy(
        condition=name,
        calls=window.calls,
        cuts=ledger.count,
        p50=ledger.p50,
        p99=ledger.p99,
        max=ledger.max,
    )
