"""The results of a benchmark as plain data, which is also the JSON output."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hookflash_local.bench.harness import STEADY, Delay, Window

REFERENCE = "C relay"
MINIMAL = "minimal relay"
HOOKFLASH = "hookflash"
TLS = ", TLS"
WORKERS = ", 2 workers"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Median, 99th percentile and maximum, in milliseconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values` in ms; all zeros without values."""
        ordered = sorted(values)
        last = len(ordered) - 1
        if last < 0:
            return cls(p50=0.0, p99=0.0, max=0.0)
        return cls(p50=ordered[last // 2], p99=ordered[int(last * 0.99)], max=ordered[-1])

    @classmethod
    def median(cls, delays: Sequence[Delay | Spread]) -> Spread:
        """Return the median of several runs, for each figure separately."""
        return cls(
            p50=statistics.median(each.p50 for each in delays),
            p99=statistics.median(each.p99 for each in delays),
            max=statistics.median(each.max for each in delays),
        )


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one relay. `memory_kb` is per call, `start` in ms."""

    relay: str
    window: Window
    barge_in: Delay
    memory_kb: float
    start: Spread


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of several runs of one relay with `calls` calls at once, under one load.

    `cpu_ms` is CPU time per second of a call. `times` is its ratio to the run of the C relay just
    before, `times_minimal` that to the minimal relay's; None if there was none. `added_ms` is the
    median delay less that of the minimal relay, of the direction in which it adds more. `start` is
    from the voice webhook to the agent's first audio, in ms. `memory_kb` is per call. A
    `load_share` near 1 means that the load generator was the limit; a high `foreign_share` means
    that other processes used the machine.
    """

    load: str = STEADY
    relay: str
    calls: int
    runs: int
    cpu_ms: float
    times: float | None
    times_minimal: float | None = None
    added_ms: float | None = None
    cpu_share: float
    up: Spread
    down: Spread
    barge_in: Spread
    memory_kb: float
    start: Spread
    lost: int
    late_p99: float
    load_share: float
    foreign_share: float

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        reference: Sequence[Run],
        minimal: Sequence[Run] = (),
        *,
        load: str = STEADY,
    ) -> Row:
        """Return the medians of `runs`. `reference` and `minimal` have one run for each of them."""
        windows = [run.window for run in runs]
        added = [_added_ms(run, beside) for run, beside in zip(runs, minimal, strict=False)]
        return cls(
            load=load,
            relay=runs[0].relay,
            calls=windows[0].calls,
            runs=len(runs),
            cpu_ms=_median(windows, lambda window: window.cpu_ms),
            times=_times(runs, reference),
            times_minimal=_times(runs, minimal),
            added_ms=statistics.median(added) if added else None,
            cpu_share=_median(windows, lambda window: window.cpu_share),
            up=Spread.median([window.up for window in windows]),
            down=Spread.median([window.down for window in windows]),
            barge_in=Spread.median([run.barge_in for run in runs]),
            memory_kb=statistics.median(run.memory_kb for run in runs),
            start=Spread.median([run.start for run in runs]),
            lost=sum(window.up.lost + window.down.lost for window in windows),
            late_p99=_median(windows, lambda window: window.late.p99),
            load_share=_median(windows, lambda window: window.load_share),
            foreign_share=_median(windows, lambda window: window.foreign_share),
        )


def _times(runs: Sequence[Run], reference: Sequence[Run]) -> float | None:
    """Return the median ratio of a run's cost to that of the run beside it; None without runs."""
    times = [
        run.window.cpu_ms / beside.window.cpu_ms
        for run, beside in zip(runs, reference, strict=False)
        if beside.window.cpu_ms > 0
    ]
    return statistics.median(times) if times else None


def _added_ms(run: Run, minimal: Run) -> float:
    """Return the larger of the differences between the median delays, up and down."""
    ours, bare = run.window, minimal.window
    return max(ours.up.p50 - bare.up.p50, ours.down.p50 - bare.down.p50)


class TwoWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """One worker with `calls` calls, and two workers with twice as many: medians of several runs.

    `cpu_ms` is CPU time per second of a call, for one and for two workers. `p99` is that of the
    slower direction, in ms. `times` is how many times the calls of one worker two workers carry, on
    their own cores, computed from CPU time: two workers share nothing but the port.
    """

    calls: int
    cpu_ms: tuple[float, float]
    p99: tuple[float, float]
    times: float

    @classmethod
    def of(cls, calls: int, runs: Sequence[tuple[Run, Run]]) -> TwoWorkers:
        ones, twos = zip(*runs, strict=True)

        def medians(figure: Callable[[Run], float]) -> tuple[float, float]:
            return statistics.median(map(figure, ones)), statistics.median(map(figure, twos))

        times = [2 * one.window.cpu_ms / two.window.cpu_ms for one, two in runs]
        return cls(
            calls=calls,
            cpu_ms=medians(lambda run: run.window.cpu_ms),
            p99=medians(lambda run: run.window.p99),
            times=statistics.median(times),
        )


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The most calls at which p99 stayed under 20 ms in each direction, and what stopped it."""

    load: str = STEADY
    relay: str
    calls: int
    stopped_by: str
    curve: tuple[tuple[int, float], ...]
    """Number of calls, and p99 of the slower direction in ms."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a fault on the other calls: their p99 before and during it, in ms."""

    fault: str
    calls: int
    before_p99: float
    during_p99: float
    lost: int
    """Audio messages of the other calls that were lost."""
    gone: int
    """Calls whose connection the relay closed, including the faulty ones."""

    @property
    def times(self) -> float:
        """The ratio of p99 during the fault to p99 before it."""
        return self.during_p99 / max(self.before_p99, 1e-3)


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's error over all cut turns, in ms: reported as heard against really heard."""

    condition: str
    calls: int
    cuts: int
    p50: float
    p99: float
    max: float


class MemoryGrowth(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the relay while calls start and end one after another."""

    calls: int
    seconds: float
    curve: tuple[tuple[int, float], ...]
    """Number of calls so far (0 and less: the warm-up), and the relay's memory in MB."""
    growth_kb: float
    """Memory growth in KB per thousand calls: the slope of the curve from call 1 on."""


class ConsoleCost(msgspec.Struct, frozen=True, kw_only=True):
    """The relay's cost with `pages` console pages open; None is without a console.

    `messages` are per page and second; `p99` is that of the slower direction, in ms.
    """

    pages: int | None
    calls: int
    cpu_ms: float
    cpu_share: float
    p99: float
    messages: float


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of the measurement."""

    processor: str
    cores: int
    kernel: str
    python: str

    @classmethod
    def here(cls) -> Machine:
        name = platform.machine()
        about = Path("/proc/cpuinfo")
        for text in about.read_text().splitlines() if about.exists() else ():
            if text.startswith("model name"):
                name = text.partition(":")[2].strip()
                break
        return cls(
            processor=name,
            cores=os.cpu_count() or 1,
            kernel=platform.release().partition("-")[0],
            python=platform.python_version(),
        )


class Report(msgspec.Struct, kw_only=True):
    """All results; parts that were not chosen are empty. `notes` say what could not be measured.

    `seconds` is the length of one measurement.
    """

    machine: Machine
    seconds: float
    rows: list[Row] = []
    shared: list[TwoWorkers] = []
    limits: list[Limit] = []
    faults: list[Fault] = []
    accuracy: list[Accuracy] = []
    leak: MemoryGrowth | None = None
    watched: list[ConsoleCost] = []
    notes: list[str] = []

    def row(self, load: str, relay: str, calls: int) -> Row | None:
        """Return the row of `relay` with `calls` calls under `load`, or None."""
        wanted = (load, relay, calls)
        found = (row for row in self.rows if (row.load, row.relay, row.calls) == wanted)
        return next(found, None)

    @property
    def loads(self) -> list[str]:
        """The loads that were measured, in their order."""
        return list(dict.fromkeys(row.load for row in self.rows))


def _median(windows: Sequence[Window], figure: Callable[[Window], float]) -> float:
    return statistics.median(map(figure, windows))
