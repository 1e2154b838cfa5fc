"""`hookflash ledger`: measure the accuracy of the playout ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hookflash_local.bench.ledger import Row
    from hookflash_local.bench.ledger_simulated import Measured


@click.command
@click.option(
    "--delay",
    "delay_ms",
    type=click.FloatRange(0, 1000),
    default=40.0,
    show_default=True,
    metavar="MS",
    help="Delay of each message, in each direction.",
)
@click.option("--sockets", is_flag=True, help="Use real sockets in real time: about 20 s.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per scenario.")
def command(delay_ms: float, sockets: bool, as_json: bool) -> int:
    """Measure how exactly the model knows what was heard.

    Compares what the model is told was heard with what the caller heard. Plays every way of
    interrupting the agent on a simulated clock, with the call core, a model and a carrier's buffer.
    That takes a second or two. With --sockets it runs the real server between the stand-ins. Exits
    with 1 if a wrong item is truncated, or if the error is over 20 ms.
    """
    import functools

    import msgspec
    from rich.console import Console
    from rich.table import Table

    from hookflash_local.bench.ledger import measure
    from hookflash_local.bench.ledger_simulated import simulate

    if sockets:
        rows = _over_sockets(delay_ms)
    else:
        rows = measure(play=functools.partial(simulate, delay_ms=delay_ms))
    if as_json:
        for row in rows:
            line = msgspec.structs.asdict(row) | {"right": row.right}
            click.echo(msgspec.json.encode(line))
        return 0 if all(row.right for row in rows) else 1
    where = "real sockets" if sockets else "simulated clock"
    table = Table(title=f"What the model is told was heard ({delay_ms:g} ms each way, {where})")
    table.add_column("scenario", min_width=34)
    table.add_column("truncated")
    for name in ("heard, ms", "told, ms", "error, ms"):
        table.add_column(name, justify="right")
    table.add_column("removed")
    table.add_column("verdict")
    for row in rows:
        table.add_row(
            row.scenario,
            row.item or "-",
            "-" if row.heard_ms is None else f"{row.heard_ms:.1f}",
            "-" if row.reported_ms is None else str(row.reported_ms),
            f"{row.error_ms:+.1f}",
            ", ".join(row.removed) or "-",
            "[green]right[/]" if row.right else f"[red]{'; '.join(row.problems)}[/]",
        )
    Console().print(table)
    return 0 if all(row.right for row in rows) else 1


def _over_sockets(delay_ms: float) -> list[Row]:
    """Play the scenarios in parallel, each with its own server and stand-ins."""
    import asyncio

    from hookflash_local.bench.ledger import judge
    from hookflash_local.bench.ledger_over_sockets import play, playable
    from hookflash_local.bench.ledger_scenarios import SCENARIOS

    chosen = [scenario for scenario in SCENARIOS if playable(scenario)]

    async def all_of_them() -> list[Measured]:
        return await asyncio.gather(*(play(each, network_ms=delay_ms) for each in chosen))

    click.echo("hookflash: playing the scenarios, about 20 s ...", err=True)
    measured = asyncio.run(all_of_them())
    return [judge(*pair) for pair in zip(chosen, measured, strict=True)]
