"""What a measurement of the relay tells: plain data, as JSON has it."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hookflash_local.bench.stage import Delay, Window

REFERENCE = "C relay"
HOOKFLASH = "hookflash"
TLS = ", TLS"
WORKERS = ", 2 workers"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds: the median, the slowest hundredth and the slowest."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        ordered = sorted(values)
        last = len(ordered) - 1
        if last < 0:
            return cls(p50=0.0, p99=0.0, max=0.0)
        return cls(p50=ordered[last // 2], p99=ordered[int(last * 0.99)], max=ordered[-1])

    @classmethod
    def median(cls, delays: Sequence[Delay | Spread]) -> Spread:
        """Return the median of several runs, each figure by itself."""
        return cls(
            p50=statistics.median(each.p50 for each in delays),
            p99=statistics.median(each.p99 for each in delays),
            max=statistics.median(each.max for each in delays),
        )


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One relay with so many calls, once."""

    relay: str
    window: Window
    barge_in: Delay
    memory_kb: float
    start: Spread


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of several runs of one relay with so many calls.

    `cpu_ms` is for a second of a call, `times` how much that is of what the reference took right
    before (None where it was not asked), `start` from the voice webhook to the agent's first
    sound, `memory_kb` a call. `load_share` near 1 means that the load generator was the limit,
    a high `foreign_share` that the machine was busy with something else.
    """

    relay: str
    calls: int
    runs: int
    cpu_ms: float
    times: float | None
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
    def of(cls, runs: Sequence[Run], reference: Sequence[Run]) -> Row:
        """`reference` are its runs, each beside the one of `runs` in the same place."""
        windows = [run.window for run in runs]
        times = [
            run.window.cpu_ms / beside.window.cpu_ms
            for run, beside in zip(runs, reference, strict=False)
            if beside.window.cpu_ms > 0
        ]
        return cls(
            relay=runs[0].relay,
            calls=windows[0].calls,
            runs=len(runs),
            cpu_ms=_median(windows, lambda window: window.cpu_ms),
            times=statistics.median(times) if times else None,
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


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """One worker with so many calls, and two with twice as many: medians of several runs.

    `cpu_ms` are for a second of a call, of the one and of the two together; `p99` are the slower
    direction's. `times` is how many calls two carry for one's, on cores of their own, by the time
    they take: two workers share nothing but the port, so what a call costs decides.
    """

    calls: int
    cpu_ms: tuple[float, float]
    p99: tuple[float, float]
    times: float

    @classmethod
    def of(cls, calls: int, runs: Sequence[tuple[Run, Run]]) -> Shared:
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
    """The most calls at which p99 stayed under 20 ms each way, and why there were no more."""

    relay: str
    calls: int
    stopped_by: str
    curve: tuple[tuple[int, float], ...]
    """Calls, and p99 of the slower direction in ms."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault did to the other calls: their p99 without it and with it, in ms."""

    fault: str
    calls: int
    before_p99: float
    during_p99: float
    lost: int
    """Pieces of the other calls that did not come through."""
    gone: int
    """Calls that the relay let go meanwhile, and those that were to be hurt among them."""

    @property
    def times(self) -> float:
        return self.during_p99 / max(self.before_p99, 1e-3)


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """By how many ms what the model was told was heard differs from what the ear got, over all
    turns that were cut."""

    condition: str
    calls: int
    cuts: int
    p50: float
    p99: float
    max: float


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """Memory while calls were placed and ended one after another."""

    calls: int
    seconds: float
    curve: tuple[tuple[int, float], ...]
    """Calls so far (0 and less: those before), and the relay's memory in MB."""
    growth_kb: float
    """How much more memory a thousand calls take, by the slope of the curve from call 1 on."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """The relay with so many of the console's pages following its calls; `pages` None: it has no
    console. `messages` are what each page was told, a second; `p99` the slower direction's, ms."""

    pages: int | None
    calls: int
    cpu_ms: float
    cpu_share: float
    p99: float
    messages: float


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where this was measured."""

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
    """All that was asked for; what was not is empty. `notes` say what could not be measured."""

    machine: Machine
    seconds: float
    rows: list[Row] = []
    shared: list[Shared] = []
    limits: list[Limit] = []
    faults: list[Fault] = []
    accuracy: list[Accuracy] = []
    leak: Leak | None = None
    watched: list[Watched] = []
    notes: list[str] = []

    def row(self, relay: str, calls: int) -> Row | None:
        """Return what was measured of `relay` with so many calls."""
        found = (row for row in self.rows if row.relay == relay and row.calls == calls)
        return next(found, None)


def _median(windows: Sequence[Window], figure: Callable[[Window], float]) -> float:
    return statistics.median(map(figure, windows))
