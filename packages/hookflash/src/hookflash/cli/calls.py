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

    from hookflash.errors import HookflashError
    from hookflash.files.shared_files import open_files
    from hookflash.server.retention import Erased, StoredCalls
    from hookflash.settings import Settings
    from hookflash.stores.records import open_store

    settings = Settings.load(file=settings_file)
    files = open_files(settings.storage.data_dir, settings.storage.files_url)

    async def erase() -> Erased:
        store = await open_store(settings.storage.database_url, create=False)
        try:
            return await StoredCalls(store, files).erase(sid, force=force)
        except OSError as error:
            raise HookflashError(
                f"{sid}: its files cannot be deleted now: {error}; try again"
            ) from error
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


@command.command()
@click.argument("sid")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--html", is_flag=True, help="Write SID.html as well: it opens without a server.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(sid: str, folder: Path, html: bool, settings_file: Path | None, as_json: bool) -> int:
    """Write the data of the call SID to FOLDER: SID.json, SID.jsonl and SID.wav.

    These are its record, its journal and its recording, as far as they are stored, on whichever
    machine the call was. `hookflash replay` reads the journal. With --html, SID.html has the
    timeline, the transcript and the sound in one file. Exits with 1 if the call is unknown.
    """
    import asyncio

    import msgspec

    from hookflash.errors import ConfigError, HookflashError
    from hookflash.files.shared_files import open_files
    from hookflash.files.stored_files import KINDS, SUFFIXES
    from hookflash.private_files import create_folder, open_file, write_file
    from hookflash.replay.page import page_of_journal
    from hookflash.settings import Settings
    from hookflash.stores.records import open_store

    settings = Settings.load(file=settings_file)
    files = open_files(settings.storage.data_dir, settings.storage.files_url)

    async def write() -> list[Path]:
        store = await open_store(settings.storage.database_url, create=False)
        try:
            record = await store.get(sid)
        finally:
            await store.close()
        written: list[Path] = []
        if html and record is not None:
            journal = await files.find("journals", sid)
            recording = await files.find("recordings", sid)
            if journal is None:
                raise ConfigError(
                    f"{sid}: --html needs the journal of the call, and none is stored; leave --html"
                    " out"
                )
            sound = await recording.whole() if recording is not None else None
            page = page_of_journal(await journal.whole(), sound)
            create_folder(folder)
            written.append(folder / f"{sid}.html")
            write_file(written[-1], page)
        if record is not None:
            create_folder(folder)
            written.append(folder / f"{sid}.json")
            write_file(written[-1], msgspec.json.format(msgspec.json.encode(record)))
        for kind in KINDS:
            found = await files.find(kind, sid)
            if found is None:
                continue
            create_folder(folder)
            written.append(folder / f"{sid}{SUFFIXES[kind]}")
            with open_file(written[-1], "wb") as file:
                async for piece in found.read(0, found.size):
                    file.write(piece)
        return written

    try:
        written = asyncio.run(write())
    except OSError as error:
        raise HookflashError(f"{sid}: it cannot be exported now: {error}; try again") from error
    if as_json:
        click.echo(msgspec.json.encode({"call_sid": sid, "files": [str(each) for each in written]}))
    elif written:
        for each in written:
            click.echo(each)
    else:
        click.echo(f"{sid}: no data of this call is stored", err=True)
    return 0 if written else 1
