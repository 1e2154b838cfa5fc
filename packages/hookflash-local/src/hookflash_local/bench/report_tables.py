"""Print a report as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hookflash.core.conversation.playout import FRAME_MS
from hookflash_local.bench.report import HOOKFLASH, Report, Row, Spread

TARGET_CALLS = (50, 150)
MOST_TIMES, MOST_TIMES_MINIMAL, MOST_ADDED_MS = 2.0, 1.5, 0.1
"""The targets at each of `TARGET_CALLS`, under each load.

They are the highest ratios of the cost to those of the C relay and of the minimal relay, and the
highest median delay beyond the minimal relay's.
"""


def tables(report: Report) -> Iterator[Table | str]:
    """Yield the tables and lines to print, from top to bottom."""
    machine = report.machine
    yield (
        f"{machine.cores} cores of {machine.processor}, Linux {machine.kernel},"
        f" Python {machine.python}; the relay on one core, the load generator on another"
    )
    for load in report.loads:
        rows = [row for row in report.rows if row.load == load]
        yield _cost(load, rows)
        yield _delay(load, rows)
        yield from _verdicts(report, load)
    if report.shared:
        yield _workers(report)
    if report.limits:
        yield _limits(report)
    if report.faults:
        yield _faults(report)
    if report.accuracy:
        yield _accuracy(report)
    if report.watched:
        yield _watched(report)
    if report.leak is not None:
        leak = report.leak
        before = [megabytes for calls, megabytes in leak.curve if calls <= 0]
        measured = [megabytes for calls, megabytes in leak.curve if calls > 0]
        yield (
            f"{leak.calls} calls, one after another in {leak.seconds:.0f} s:"
            f" {(before or measured)[-1]:.1f} MB before, {measured[-1]:.1f} MB after; slope"
            f" {leak.growth_kb:+.0f} KB per thousand calls"
        )
    yield from report.notes


def _cost(load: str, rows: Sequence[Row]) -> Table:
    table = Table(title=f"Cost of a call, {load}", box=SIMPLE_HEAD)
    table.add_column("relay", no_wrap=True)
    for name in ("calls", "CPU ms/s", "x C", "x minimal", "memory KB", "start ms"):
        table.add_column(name, justify="right")
    for row in _sectioned(table, rows):
        table.add_row(
            row.relay,
            str(row.calls),
            f"{row.cpu_ms:.2f}{' !' if _doubtful(row) else ''}",
            _ratio(row.times),
            _ratio(row.times_minimal),
            f"{row.memory_kb:.0f}",
            f"{row.start.p50:.1f}/{row.start.p99:.1f}",
        )
    table.caption = "start: from the voice webhook to the agent's first audio, median/p99"
    if any(map(_doubtful, rows)):
        table.caption += "; !: a core was full, or other processes used it"
    return table


def _delay(load: str, rows: Sequence[Row]) -> Table:
    table = Table(title=f"Delay, {load}, ms: median/p99", box=SIMPLE_HEAD)
    table.add_column("relay", no_wrap=True)
    for name in ("calls", "up", "down", "barge-in", "added"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in _sectioned(table, rows):
        table.add_row(
            row.relay,
            str(row.calls),
            _spread(row.up),
            _spread(row.down),
            _spread(row.barge_in),
            "-" if row.added_ms is None else f"{row.added_ms:+.2f}",
        )
    table.caption = "added: the median less that of the minimal relay"
    return table


def _sectioned(table: Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows, with a rule in the table where the number of calls changes."""
    last = 0
    for row in rows:
        if last not in (0, row.calls):
            table.add_section()
        last = row.calls
        yield row


def _verdicts(report: Report, load: str) -> Iterator[str]:
    for calls in TARGET_CALLS:
        row = report.row(load, HOOKFLASH, calls)
        if row is None:
            continue
        who = f"{load}, {calls} calls"
        if row.times is not None:
            yield f"{who}: {row.times:.2f} times the C relay, {_judged(row.times, MOST_TIMES)}"
        if row.times_minimal is not None:
            verdict = _judged(row.times_minimal, MOST_TIMES_MINIMAL)
            yield f"{who}: {row.times_minimal:.2f} times the minimal relay, {verdict}"
        if row.added_ms is not None:
            verdict = _judged(row.added_ms, MOST_ADDED_MS)
            yield f"{who}: median delay {row.added_ms:+.2f} ms from the minimal relay's, {verdict}"


def _judged(value: float, most: float) -> str:
    return f"{'[green]within[/]' if value <= most else '[red]over[/]'} target {most:g}"


def _workers(report: Report) -> Table:
    table = Table(title="One worker, and two with twice the calls", box=SIMPLE_HEAD)
    for name in ("calls", "CPU ms/s", "p99 ms", "calls of two workers / one"):
        table.add_column(name, justify="right")
    for each in report.shared:
        table.add_row(
            f"{each.calls}, {2 * each.calls}",
            f"{each.cpu_ms[0]:.2f}, {each.cpu_ms[1]:.2f}",
            f"{each.p99[0]:.1f}, {each.p99[1]:.1f}",
            f"{each.times:.2f}",
        )
    table.caption = "calculated from CPU time, for workers that have their own cores"
    return table


def _limits(report: Report) -> Table:
    table = Table(title="Calls until p99 passes 20 ms", box=SIMPLE_HEAD)
    table.add_column("load")
    table.add_column("relay")
    table.add_column("calls", justify="right")
    table.add_column("stopped by")
    for limit in report.limits:
        table.add_row(limit.load, limit.relay, str(limit.calls), limit.stopped_by)
    return table


def _faults(report: Report) -> Table:
    table = Table(title="Effect of one fault on the other calls", box=SIMPLE_HEAD)
    table.add_column("fault")
    for name in ("calls", "p99 before, ms", "p99 during, ms", "times", "messages lost"):
        table.add_column(name, justify="right")
    for fault in report.faults:
        table.add_row(
            fault.fault,
            str(fault.calls),
            f"{fault.before_p99:.2f}",
            f"{fault.during_p99:.2f}",
            f"{fault.times:.2f}",
            str(fault.lost),
        )
    return table


def _accuracy(report: Report) -> Table:
    table = Table(title="Error of what the model is told was heard, ms", box=SIMPLE_HEAD)
    table.add_column("condition")
    for name in ("calls", "turns cut", "median", "p99", "maximum", "within 20 ms"):
        table.add_column(name, justify="right")
    for each in report.accuracy:
        table.add_row(
            each.condition,
            str(each.calls),
            str(each.cuts),
            f"{each.p50:.2f}",
            f"{each.p99:.2f}",
            f"{each.max:.2f}",
            "[green]all[/]" if each.max <= FRAME_MS else "[red]not all[/]",
        )
    return table


def _watched(report: Report) -> Table:
    table = Table(title="Cost of the console", box=SIMPLE_HEAD)
    table.add_column("pages open")
    for name in ("calls", "CPU ms/s", "of a core", "added", "p99 ms", "messages/page/s"):
        table.add_column(name, justify="right")
    without = report.watched[0].cpu_share
    for each in report.watched:
        table.add_row(
            "no console" if each.pages is None else str(each.pages),
            str(each.calls),
            f"{each.cpu_ms:.2f}",
            f"{each.cpu_share:.1%}",
            f"{each.cpu_share - without:+.1%}",
            f"{each.p99:.1f}",
            f"{each.messages:.1f}",
        )
    return table


def _ratio(times: float | None) -> str:
    return "-" if times is None else f"{times:.2f}"


def _spread(spread: Spread) -> str:
    return f"{spread.p50:.2f}/{spread.p99:.2f}"


def _doubtful(row: Row) -> bool:
    return max(row.load_share, row.cpu_share) > 0.95 or row.foreign_share > 0.15
