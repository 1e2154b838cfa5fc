"""`hookflash calls`: what is kept of calls that are over."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Do something about calls that are over."""


@command.command()
@click.argument("sid")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--force", is_flag=True, help="Also if its journal has no end: its process is gone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def delete(sid: str, settings_file: Path | None, force: bool, as_json: bool) -> int:
    """Delete all that is kept of the call SID: recording, journal, transcript and messages.

    What remains is that there was a call, when, for how long and how it ended, without a name or a
    number. Exits with 1 if nothing is known of the call.
    """
    import asyncio

    import msgspec

    from hookflash.server.kept import Erased, KeptCalls
    from hookflash.settings import Settings
    from hookflash.stores.records import open_store

    settings = Settings.load(file=settings_file)

    async def erase() -> Erased:
        store = await open_store(settings.storage.database_url)
        try:
            return await KeptCalls(store, settings.storage.data_dir).erase(sid, force=force)
        finally:
            await store.close()

    erased = asyncio.run(erase())
    if as_json:
        click.echo(msgspec.json.encode({"call_sid": sid} | msgspec.to_builtins(erased)))
    elif erased:
        there = [name for name, was in msgspec.to_builtins(erased).items() if was]
        click.echo(f"{sid}: deleted {', '.join(there)}")
    else:
        click.echo(f"{sid}: nothing is kept of such a call", err=True)
    return 0 if erased else 1
