# .venv/bin/python -m hookflash bench --realtime --json > report.json
# .venv/bin/python bench/relay_tables.py report.json
"""Print reports of `hookflash bench --json` as the Markdown tables of docs/topics/relay.md.

Several reports, of different parts, count as one. `--figures` writes its figures, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
import msgspec

from hookflash_local.bench.harness import LOADS
from hookflash_local.bench.report import HOOKFLASH, Report, Row, Spread
from hookflash_local.bench.report_charts import cost_chart, delay_chart
from hookflash_local.bench.report_tables import (
    MOST_ADDED_MS,
    MOST_TIMES,
    MOST_TIMES_MINIMAL,
    TARGET_CALLS,
)

LIMIT_CALLS, LIMIT_MS = 400, 20.0
"""The target of one core: the number of calls, and the highest p99 in ms."""


def cost_table(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line per relay and number of calls: its cost and its delays."""
    yield from _head(
        "relay", "calls", "CPU", "times minimal", "times C", "up", "down", "added", "barge-in",
        "KB a call", "start",
    )  # fmt: skip
    for row in rows:
        yield _line(
            row.relay,
            row.calls,
            f"{row.cpu_ms:.2f}",
            _number(row.times_minimal),
            _number(row.times),
            _spread(row.up),
            _spread(row.down),
            _number(row.added_ms, "+.2f"),
            _spread(row.barge_in),
            f"{row.memory_kb:.0f}",
            f"{row.start.p50:.1f}",
        )


def target_table(report: Report) -> Iterator[str]:
    """Yield a line per target and load; a value that misses its target is bold."""
    yield from _head("target", *report.loads)
    numbers = " and ".join(map(str, TARGET_CALLS))

    def values(figure: str, most: float) -> Iterator[str]:
        for load in report.loads:
            rows = [report.row(load, HOOKFLASH, calls) for calls in TARGET_CALLS]
            found = [None if row is None else getattr(row, figure) for row in rows]
            yield " and ".join(_judged(value, most) for value in found)

    yield _line(
        f"at most {MOST_TIMES_MINIMAL:g} times the minimal relay at {numbers} calls",
        *values("times_minimal", MOST_TIMES_MINIMAL),
    )
    yield _line(
        f"at most {MOST_TIMES:g} times the C relay at {numbers} calls", *values("times", MOST_TIMES)
    )
    yield _line(
        f"a median delay of at most {MOST_ADDED_MS:g} ms more than the minimal relay's",
        *values("added_ms", MOST_ADDED_MS),
    )
    full = [report.row(load, HOOKFLASH, LIMIT_CALLS) for load in report.loads]
    slowest = [None if row is None else max(row.up.p99, row.down.p99) for row in full]
    yield _line(
        f"{LIMIT_CALLS} calls on one core with a p99 under {LIMIT_MS:g} ms",
        *(_judged(value, LIMIT_MS) for value in slowest),
    )


def limit_table(report: Report) -> Iterator[str]:
    """Yield a line per relay and load: how many calls one core carries."""
    yield from _head("load", "relay", "calls", "stopped by")
    for limit in report.limits:
        yield _line(limit.load, limit.relay, limit.calls, limit.stopped_by)


def fault_table(report: Report) -> Iterator[str]:
    yield from _head("fault", "before", "during", "lost")
    for fault in report.faults:
        yield _line(
            fault.fault, f"{fault.before_p99:.2f} ms", f"{fault.during_p99:.2f} ms", fault.lost
        )


def ledger_table(report: Report) -> Iterator[str]:
    yield from _head("line", "calls", "turns cut", "median", "p99", "most")
    for each in report.accuracy:
        times = (f"{value:.2f}" for value in (each.p50, each.p99, each.max))
        yield _line(each.condition, each.calls, each.cuts, *times)


def worker_table(report: Report) -> Iterator[str]:
    yield from _head("calls", "CPU", "p99", "two workers carry")
    for each in report.shared:
        yield _line(
            f"{each.calls} with one worker, {2 * each.calls} with two",
            " and ".join(f"{value:.2f}" for value in each.cpu_ms) + " ms",
            " and ".join(f"{value:.1f}" for value in each.p99) + " ms",
            f"{each.times:.2f} times as many",
        )


def merged(reports: Sequence[Report]) -> Report:
    """Return one report with all parts of `reports`, and the machine of the first."""
    whole = msgspec.structs.replace(reports[0], rows=list(reports[0].rows))
    for report in reports[1:]:
        for part in ("rows", "shared", "limits", "faults", "accuracy", "watched", "notes"):
            setattr(whole, part, getattr(whole, part) + getattr(report, part))
        whole.leak = whole.leak or report.leak
    whole.rows.sort(key=lambda row: (LOADS.index(row.load), row.calls))
    return whole


def tables(report: Report) -> Iterator[str]:
    """Yield the lines of all tables for which the report has a part."""
    for load in report.loads:
        yield from (f"## Load {load}", "")
        yield from cost_table(row for row in report.rows if row.load == load)
        yield ""
    parts: tuple[tuple[Sequence[object], str, Callable[[Report], Iterator[str]]], ...] = (
        (report.rows, "Targets", target_table),
        (report.limits, "One core", limit_table),
        (report.faults, "Faults", fault_table),
        (report.accuracy, "Ledger", ledger_table),
        (report.shared, "Workers", worker_table),
    )
    for measured, title, lines in parts:
        if measured:
            yield from (f"## {title}", "", *lines(report), "")
    if report.leak is not None:
        leak = report.leak
        first, last = leak.curve[0][1], leak.curve[-1][1]
        yield f"Memory: {first:.1f} to {last:.1f} MB; {leak.growth_kb:+.0f} KB per thousand calls"
    yield from report.notes


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield "|---" * len(names) + "|"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _judged(value: float | None, most: float) -> str:
    return _number(value) if value is None or value <= most else f"**{value:.2f}**"


def _spread(spread: Spread) -> str:
    return f"{spread.p50:.2f} / {spread.p99:.2f}"


@click.command
@click.argument(
    "reports", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False, exists=True))
def main(reports: tuple[Path, ...], figures: Path | None) -> None:
    """Print the tables of REPORTS, which are files with the output of `hookflash bench --json`."""
    read = [msgspec.json.decode(path.read_bytes(), type=Report) for path in reports]
    whole = merged(read)
    for line in tables(whole):
        print(line)
    if figures is not None and whole.rows:
        (figures / "relay-cost.svg").write_text(cost_chart(whole))
        (figures / "relay-delay.svg").write_text(delay_chart(whole))


if __name__ == "__main__":
    main()
