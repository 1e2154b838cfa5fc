"""`hookflash calls`: manage the stored data of ended calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hookflash.core.record import CallRecord
    from hookflash.settings import Settings
    from hookflash.stores.records import RecordStore

_T = TypeVar("_T")


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
    import shutil

    import msgspec

    from hookflash.errors import HookflashError
    from hookflash.files.local_call_folders import call_folders
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
    folders = call_folders(settings.storage.data_dir, sid)
    for folder in folders:
        # `hookflash call` has written them for its caller.
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(msgspec.json.encode({"call_sid": sid} | msgspec.to_builtins(erased)))
    elif erased or folders:
        there = [name for name, was in msgspec.to_builtins(erased).items() if was]
        there += ["files"] if folders else []
        click.echo(f"{sid}: deleted {', '.join(there)}")
    else:
        click.echo(f"{sid}: no data of this call is stored", err=True)
    return 0 if erased or folders else 1


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


_SETTINGS = click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file."
)


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@_SETTINGS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each call.")
def list_(limit: int, settings_file: Path | None, as_json: bool) -> int:
    """List ended calls, newest first.

    A line has the time, the SID, the agent, the caller, how long the call was and how it ended.
    """
    import msgspec

    from hookflash.stores.database import missing_file

    settings = _settings(settings_file)
    if missing_file(settings.storage.database_url) is not None:
        # Opening the database would create the file and its folder.
        click.echo("no calls", err=True)
        return 0

    async def read(store: RecordStore) -> Sequence[CallRecord]:
        return await store.list(limit=limit)

    found = _with_store(settings, read)
    for record in found:
        click.echo(msgspec.json.encode(record) if as_json else _line(record))
    if not found and not as_json:
        click.echo("no calls", err=True)
    return 0


@command.command()
@click.argument("sid")
@_SETTINGS
@click.option("--json", "as_json", is_flag=True, help="Print the record as one JSON object.")
def show(sid: str, settings_file: Path | None, as_json: bool) -> int:
    """Show the call SID: its summary, transcript, tools and hand-offs.

    Of a call that `hookflash call` made, its files are shown, too. The first characters of a SID
    are enough if no other call has them. Exits with 1 if the call is unknown.
    """
    import msgspec

    from hookflash.files.local_call_folders import call_folders

    settings = _settings(settings_file)
    record = _find(settings, sid)
    if record is None:
        return _unknown(sid)
    if as_json:
        click.echo(msgspec.json.encode(record))
        return 0
    click.echo(_text(record), nl=False)
    for folder in call_folders(settings.storage.data_dir, record.call_sid):
        for path in sorted(folder.iterdir()):
            click.echo(f"  {path}")
    return 0


def _settings(file: Path | None) -> Settings:
    from hookflash.settings import Settings

    return Settings.load(file=file)


def _with_store(settings: Settings, work: Callable[[RecordStore], Awaitable[_T]]) -> _T:
    """Open the database, do the work and close it. Raises `ConfigError` if there is none."""
    import asyncio

    from hookflash.stores.records import open_store

    async def run() -> _T:
        store = await open_store(settings.storage.database_url, create=False)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def _find(settings: Settings, sid: str) -> CallRecord | None:
    """Return the record of a SID, or of the only call whose SID begins so.

    Raises `ConfigError` if several calls begin so.
    """
    from hookflash.errors import ConfigError
    from hookflash.stores.database import missing_file

    if missing_file(settings.storage.database_url) is not None:
        return None

    async def read(store: RecordStore) -> CallRecord | None:
        exact = await store.get(sid)
        if exact is not None:
            return exact
        found = [each for each in await store.list(limit=10_000) if each.call_sid.startswith(sid)]
        if len(found) > 1:
            raise ConfigError(f"{sid}: {len(found)} calls begin so; write more of the SID")
        return found[0] if found else None

    return _with_store(settings, read)


def _unknown(sid: str) -> int:
    click.echo(f"hookflash: {sid}: no data of this call is stored; see `hookflash calls list`",
               err=True)  # fmt: skip
    return 1


def _line(record: CallRecord) -> str:
    from datetime import datetime

    at = datetime.fromtimestamp(record.arrived_at).strftime("%Y-%m-%d %H:%M")
    parts = (
        at,
        record.call_sid,
        record.agent,
        record.caller,
        f"{record.seconds:.0f} s",
        record.disposition.replace("_", " "),
    )
    return _printable("  ".join(parts))


def _text(record: CallRecord) -> str:
    """Return a call as text: who, when, the summary, and what happened in order of time."""
    from hookflash.replay.svg import clock

    lines = [_line(record)]
    if record.summary:
        lines += ["", _printable(record.summary)]
    rows: list[tuple[float, str, str]] = []
    for said in record.utterances:
        cut = f" [cut off: {said.cut}]" if said.cut else ""
        rows.append((said.started_at, said.speaker, f"{said.text}{cut}"))
    for use in record.tools:
        word = "failed" if use.failed else "answered"
        rows.append((use.started_at, "tool", f"{use.name} {use.arguments} {word}: {use.output}"))
    for attempt in record.handoffs:
        note = f", “{attempt.note}”" if attempt.note else ""
        rows.append(
            (
                attempt.started_at,
                "human",
                f"hand-off to {attempt.destination}: {attempt.outcome}{note}",
            )
        )
    lines.append("")
    lines += [
        f"{clock(at):>5}  {who:<7} {_printable(what)}"
        for at, who, what in sorted(rows, key=lambda row: row[0])
    ]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Return text without control characters, which a caller's words may have."""
    return "".join(character if character.isprintable() else " " for character in text)
