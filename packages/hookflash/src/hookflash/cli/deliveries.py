"""`hookflash deliveries`: what calls have left for their owner, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookflash.core.delivery_tracking import TrackedDelivery

_STATES = ("waiting", "delivered", "dead", "kept")


@click.command
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--retry", metavar="ID", help="Try this one again, or `all` that are dead or kept.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each.")
def command(
    state: str | None, limit: int, retry: str | None, settings_file: Path | None, as_json: bool
) -> int:
    """List voicemails, wishes to be called back and messages, the newest first.

    A delivery is waiting, delivered, dead (given up after days of failing) or kept (nobody wants
    it). A server that runs takes up what is tried again within seconds.
    """
    import asyncio

    import msgspec

    from hookflash.settings import Settings

    settings = Settings.load(file=settings_file)
    revived, found = asyncio.run(_look(settings.storage.database_url, state, limit, retry))
    if retry is not None and retry != "all" and not revived:
        click.echo(f"hookflash: no delivery {retry} is dead or kept", err=True)
        return 1
    if retry is not None:
        click.echo(f"{revived} tried again", err=True)
    for kept in found:
        click.echo(msgspec.json.encode(kept) if as_json else _line(kept))
    if not found and not as_json:
        click.echo("no deliveries" if state is None else f"no deliveries are {state}")
    return 0


async def _look(
    url: str, state: str | None, limit: int, retry: str | None
) -> tuple[int, Sequence[TrackedDelivery]]:
    """Return how many are tried again, and the deliveries that are asked for."""
    import time
    from typing import cast

    from hookflash.core.delivery_tracking import State
    from hookflash.stores.database import open_database
    from hookflash.stores.deliveries import DeliveryStore

    engine = await open_database(url)
    try:
        shelf = DeliveryStore(engine)
        revived = 0
        if retry is not None:
            one = None if retry == "all" else retry
            revived = await shelf.revive(time.time(), delivery_id=one)
        return revived, await shelf.list(limit=limit, state=cast(State | None, state))
    finally:
        await engine.dispose()


def _line(kept: TrackedDelivery) -> str:
    """Return a delivery on one line. What callers say is shown without what moves a cursor."""
    from datetime import datetime

    delivery = kept.delivery
    at = datetime.fromtimestamp(delivery.created_at).strftime("%Y-%m-%d %H:%M")
    who = delivery.number or delivery.caller or "unknown"
    said = delivery.wish or delivery.transcript or delivery.summary or delivery.reason
    parts = (at, kept.state, delivery.kind, delivery.id, delivery.destination, who, said)
    line = "  ".join(part for part in parts if part)
    if kept.error:
        line += f"  ({kept.attempts} failed, the last: {kept.error})"
    return "".join(character if character.isprintable() else " " for character in line)
