"""`hookflash deliveries`: list the deliveries for the owner, and retry them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookflash.core.delivery_retries import TrackedDelivery

_STATES = ("waiting", "delivered", "dead", "unroutable")


@click.command
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--retry", metavar="ID", help="Retry this one, or `all` that are dead or unroutable.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each.")
def command(
    state: str | None, limit: int, retry: str | None, settings_file: Path | None, as_json: bool
) -> int:
    """List voicemails, callback requests and messages, newest first.

    A delivery is waiting, delivered, dead (given up after days of failing) or unroutable (no outlet
    wants it). A running server retries within seconds.
    """
    import asyncio

    import msgspec

    from hookflash.settings import Settings
    from hookflash.stores.database import missing_file

    url = Settings.load(file=settings_file).storage.database_url
    missing = missing_file(url)
    if missing is not None:
        # Opening the database would create the file and its folder.
        click.echo(f"hookflash: no deliveries: there is no database {missing} yet", err=True)
        return 0 if retry in (None, "all") else 1
    revived, found = asyncio.run(_look(url, state, limit, retry))
    if retry is not None and retry != "all" and not revived:
        click.echo(f"hookflash: no delivery {retry} is dead or unroutable", err=True)
        return 1
    if retry is not None:
        click.echo(f"{revived} retried", err=True)
    for stored in found:
        click.echo(msgspec.json.encode(stored) if as_json else _line(stored))
    if not found and not as_json:
        click.echo("no deliveries" if state is None else f"no deliveries are {state}")
    return 0


async def _look(
    url: str, state: str | None, limit: int, retry: str | None
) -> tuple[int, Sequence[TrackedDelivery]]:
    """Return the number of retried deliveries, and the requested list."""
    import time
    from typing import cast

    from hookflash.core.delivery_retries import DeliveryState
    from hookflash.stores.database import open_database
    from hookflash.stores.deliveries import DeliveryStore

    engine = await open_database(url, create=False)
    try:
        store = DeliveryStore(engine)
        revived = 0
        if retry is not None:
            one = None if retry == "all" else retry
            revived = await store.revive(time.time(), delivery_id=one)
        return revived, await store.list(limit=limit, state=cast(DeliveryState | None, state))
    finally:
        await engine.dispose()


def _line(stored: TrackedDelivery) -> str:
    """Return a delivery on one line, without control characters in the caller's words."""
    from datetime import datetime

    delivery = stored.delivery
    at = datetime.fromtimestamp(delivery.created_at).strftime("%Y-%m-%d %H:%M")
    who = delivery.number or delivery.caller or "unknown"
    said = delivery.wish or delivery.transcript or delivery.summary or delivery.reason
    parts = (at, stored.state, delivery.kind, delivery.id, delivery.destination, who, said)
    line = "  ".join(part for part in parts if part)
    if stored.error:
        line += f"  ({stored.attempts} failed, the last: {stored.error})"
    return "".join(character if character.isprintable() else " " for character in line)
