"""`hookflash bench`: measure the relay's cost against two bare relays, in C and in Python."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hookflash.errors import ConfigError


@click.command
@click.option("--calls", help="Calls at once, separated by commas.  [default: 10,50,150,400]")
@click.option(
    "--load",
    "loads",
    multiple=True,
    type=click.Choice(["steady", "bursts"]),
    help="Measure only this load. Repeat the option for several.",
)
@click.option(
    "--relays", help="Relays to measure, separated by commas.  [default: c,minimal,hookflash]"
)
@click.option("--seconds", type=click.FloatRange(0.5, 600), help="Length of one measurement.")
@click.option("--runs", type=click.IntRange(1, 99), help="Number of runs; the report has medians.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(
        ["cost", "tls", "workers", "limit", "faults", "strangers", "ledger", "console", "leak"]
    ),
    help="Measure only this part. Repeat the option for several.",
)
@click.option(
    "--realtime",
    is_flag=True,
    help="Run with real-time priority, for a busy machine. Needs root.",
)
@click.option("--quick", is_flag=True, help="Check that it works: three calls for half a second.")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), help="Write SVG files here."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    calls: str | None,
    loads: tuple[str, ...],
    relays: str | None,
    seconds: float | None,
    runs: int | None,
    parts: tuple[str, ...],
    realtime: bool,
    quick: bool,
    figures: Path | None,
    as_json: bool,
) -> None:
    """Measure the relay's cost against bare relays in C and Python.

    Compiles the C relay. Then starts `hookflash serve` with everything on, each bare relay, and the
    load in separate processes. It measures CPU per second of a call, delay, barge-in, memory and
    the start of a call, also with TLS to the model and with two workers. It does so under two
    loads: steady streams, and bursts with pauses and jitter. It then finds how many calls one core
    carries, the effect of a fault or of strangers on calls, and the accuracy of the playout ledger.
    It also finds the cost of the console, and memory over a thousand calls.

    Takes about an hour; --calls, --load, --relays, --runs and --part make it shorter.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigError(f"hookflash bench needs Linux (epoll and /proc), this is {sys.platform}")
    import asyncio
    import signal

    import msgspec
    from rich.console import Console

    from hookflash_local.bench import report_charts
    from hookflash_local.bench.relay_benchmark import QUICK, RELAYS, Plan, measure
    from hookflash_local.bench.report_tables import tables

    plan = QUICK if quick else Plan()
    chosen: dict[str, object] = {"seconds": seconds, "runs": runs, "parts": parts or None}
    chosen |= {"realtime": realtime, "loads": loads or None}
    if relays is not None:
        chosen |= {"relays": _names(relays, tuple(RELAYS))}
    if calls is not None:
        numbers = _numbers(calls)
        chosen |= {"calls": numbers}
        if not {50, 150} & set(numbers):
            chosen |= {"compared": numbers[:1]}
    plan = msgspec.structs.replace(
        plan, **{name: value for name, value in chosen.items() if value is not None}
    )
    # SIGTERM ends it like Ctrl-C, so that the started processes are ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:
        report = asyncio.run(measure(plan, lambda step: status.update(step)))
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        if report.rows:
            (figures / "relay-cost.svg").write_text(report_charts.cost_chart(report))
            (figures / "relay-delay.svg").write_text(report_charts.delay_chart(report))
        if report.leak is not None:
            (figures / "relay-memory.svg").write_text(report_charts.memory_chart(report.leak))
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    output = Console(highlight=False)
    for part in tables(report):
        output.print(part)


def _names(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(known):
        raise click.BadParameter(
            f"expected names out of {','.join(known)}, got {text!r}", param_hint="--relays"
        )
    return names


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise click.BadParameter(
            f"expected numbers such as 10,50,100, got {text!r}", param_hint="--calls"
        )
    return numbers
