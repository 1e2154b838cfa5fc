"""`hookflash bench`: what the relay costs, against a bare relay in C."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hookflash.errors import ConfigError


@click.command
@click.option(
    "--calls", help="Calls at once, separated by commas.  [default: 10,50,100,150,200,400]"
)
@click.option("--seconds", type=click.FloatRange(0.5, 600), help="How long each is measured.")
@click.option("--runs", type=click.IntRange(1, 99), help="How many times; medians are reported.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["cost", "tls", "workers", "limit", "faults", "ledger", "console", "leak"]),
    help="Only this part; may be given several times.",
)
@click.option(
    "--realtime",
    is_flag=True,
    help="Run relay and load with real-time priority: for a busy machine, as root.",
)
@click.option("--quick", is_flag=True, help="Three calls for one second: a smoke test.")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), help="Write SVG files here."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    calls: str | None,
    seconds: float | None,
    runs: int | None,
    parts: tuple[str, ...],
    realtime: bool,
    quick: bool,
    figures: Path | None,
    as_json: bool,
) -> None:
    """Compare the relay with a minimal relay in C, compiled for this machine.

    Starts `hookflash serve` with everything on, and the load in separate processes. It measures
    CPU per second of a call, added delay, barge-in, memory and the start of a call, also with TLS
    to the model and with two workers. It then finds how many calls one core carries, the effect
    of a fault on other calls, the accuracy of the playout ledger, the cost of the console, and
    memory over a thousand calls.
    Takes about half an hour; --calls, --runs and --part make it shorter.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigError("the relay is measured on Linux only: it needs epoll and /proc")
    import asyncio
    import signal

    import msgspec
    from rich.console import Console

    from hookflash_local.bench import figure
    from hookflash_local.bench.relay import QUICK, Plan, measure
    from hookflash_local.bench.table import tables

    plan = QUICK if quick else Plan()
    chosen: dict[str, object] = {"seconds": seconds, "runs": runs, "parts": parts or None}
    chosen |= {"realtime": realtime}
    if calls is not None:
        numbers = _numbers(calls)
        chosen |= {"calls": numbers}
        if not {50, 150} & set(numbers):
            chosen |= {"compared": numbers[:1]}
    plan = msgspec.structs.replace(
        plan, **{name: value for name, value in chosen.items() if value is not None}
    )
    # Handled like Ctrl-C, so that all child processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:
        report = asyncio.run(measure(plan, lambda doing: status.update(doing)))
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        if report.rows:
            (figures / "relay-cost.svg").write_text(figure.cost_picture(report))
            (figures / "relay-delay.svg").write_text(figure.delay_picture(report))
        if report.leak is not None:
            (figures / "relay-memory.svg").write_text(figure.memory_picture(report.leak))
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    screen = Console(highlight=False)
    for part in tables(report):
        screen.print(part)


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
