from __future__ import annotations

import pytest

from hookflash_local.bench.report import Fault, Run, Spread

from .test_harness import window


def run(relay: str, cpu_ms: float, p99: float = 1.0, p50: float = 0.1) -> Run:
    delay = {"count": 9, "sent": 9, "lost": 1, "mean": 0, "p50": p50, "p99": p99, "p999": 2}
    seen = window(calls=50, cpu_ms=cpu_ms, up={**delay, "max": 3.0})
    start = Spread.of([4.0, 2.0, 3.0])
    return Run(relay=relay, window=seen, barge_in=seen.up, memory_kb=cpu_ms * 10, start=start)


def test_a_spread_is_of_the_values_that_there_are() -> None:
    assert Spread.of([]) == Spread(p50=0, p99=0, max=0)
    assert Spread.of(range(101)) == Spread(p50=50, p99=99, max=100)


def test_a_row_has_medians_and_compares_neighbours() -> None:
    from hookflash_local.bench.report import Row

    bare = [run("C relay", cpu_ms) for cpu_ms in (1.0, 2.0, 4.0)]
    ours = [run("hookflash", cpu_ms, p99) for cpu_ms, p99 in ((2.0, 1.0), (3.0, 7.0), (4.8, 2.0))]
    row = Row.of(ours, bare)
    assert (row.relay, row.calls, row.runs) == ("hookflash", 50, 3)
    assert row.cpu_ms == 3.0
    # 2.0, 1.5 and 1.2 times what ran beside them, whatever the machine did meanwhile.
    assert row.times == pytest.approx(1.5)
    assert row.up.p99 == 2.0
    assert row.memory_kb == 30.0
    assert row.lost == 3


def test_a_row_is_compared_with_the_minimal_relay_too() -> None:
    from hookflash_local.bench.report import Row

    bare = [run("minimal relay", cpu_ms, p50=p50) for cpu_ms, p50 in ((2.0, 0.2), (4.0, 0.3))]
    ours = [run("hookflash", cpu_ms, p50=p50) for cpu_ms, p50 in ((3.0, 0.25), (10.0, 0.45))]
    row = Row.of(ours, [], bare, load="bursts")
    assert (row.load, row.times) == ("bursts", None)
    assert row.times_minimal == pytest.approx(2.0)
    # The slower direction counts: down has no delay in these windows, so up is the larger.
    assert row.added_ms == pytest.approx(0.1)
    alone = Row.of(ours, [])
    assert (alone.times_minimal, alone.added_ms) == (None, None)


def test_a_fault_is_told_as_a_ratio() -> None:
    fault = Fault(fault="flood", calls=9, before_p99=0.5, during_p99=0.6, lost=0, gone=0)
    assert fault.times == pytest.approx(1.2)
