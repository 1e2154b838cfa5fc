"""`hookflash calls`: manage the stored data of ended calls."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Manage the stored data of ended calls."""


@command.command()
@click.argument("sid")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option(
    "--force", is_flag=True, help="Also if its journal has no end, because its process is gone."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def delete(sid: str, settings_file: Path | None, force: bool, as_json: bool) -> int:
    """Delete the data of the call SID: recording, journal, transcript and messages.

    A tombstone remains: when the call was, how long, and its disposition, without a name or a
    number. Exits with 1 if the call is unknown.
    """
    import asyncio

    import msgspec

    from hookflash.server.retention import Erased, StoredCalls
    from hookflash.settings import Settings
    from hookflash.stores.records import open_store

    settings = Settings.load(file=settings_file)

    async def erase() -> Erased:
        store = await open_store(settings.storage.database_url, create=False)
        try:
            return await StoredCalls(store, settings.storage.data_dir).erase(sid, force=force)
        finally:
            await store.close()

    erased = asyncio.run(erase())
    if as_json:
        click.echo(msgspec.json.encode({"call_sid": sid} | msgspec.to_builtins(erased)))
    elif erased:
        there = [name for name, was in msgspec.to_builtins(erased).items() if was]
        click.echo(f"{sid}: deleted {', '.join(there)}")
    else:
        click.echo(f"{sid}: no data of this call is stored", err=True)
    return 0 if erased else 1
