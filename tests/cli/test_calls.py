"""`hookflash calls delete` and `export`, on a data folder of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hookflash.cli import hookflash
from hookflash.core.record import CallRecord
from hookflash.errors import ConfigError
from hookflash.stores.records import open_store

STORED = {
    "agent": "shop",
    "caller": "+15550101",
    "called": "+15550100",
    "disposition": "abandoned",
    "arrived_at": 1.0,
    "seconds": 1.0,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the call CA1 in it."""
    monkeypatch.setenv("HOOKFLASH_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "CA1.wav").write_bytes(b"sound")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{tmp_path / 'hookflash.db'}")
        record = CallRecord(
            call_sid="CA1",
            agent="shop",
            caller="+15550101",
            called="+15550100",
            disposition="abandoned",
            arrived_at=1.0,
            seconds=1.0,
        )
        await store.put(record)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def run(*arguments: str, command: str = "delete") -> Result:
    return CliRunner().invoke(
        hookflash, ["calls", command, *arguments], standalone_mode=False, catch_exceptions=False
    )


def test_the_deleted_data_is_listed(folder: Path) -> None:
    result = run("CA1")
    assert (result.return_value, result.output) == (0, "CA1: deleted record, recording\n")
    assert list((folder / "recordings").iterdir()) == []
    result = run("CA1")
    assert result.return_value == 1
    assert "no data of this call is stored" in result.output


def test_it_is_told_as_json(folder: Path) -> None:
    told = json.loads(run("CA1", "--json").output)
    assert told == {"call_sid": "CA1", "record": True, "journal": False, "recording": True}


@pytest.mark.parametrize(
    "variables",
    [{}, {"HOOKFLASH_DATA_DIR": "other/data"}, {"HOOKFLASH_DATABASE_URL": "sqlite:///calls.db"}],
)
def test_without_a_database_it_is_an_error_and_nothing_is_created(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOOKFLASH_DATA_DIR", "HOOKFLASH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"there is no database \S+\.db, and nothing was created"):
        run("CA1")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_sid_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="expected a call SID"):
        run("CA/1")


def test_a_call_is_exported_and_its_files_are_private(folder: Path) -> None:
    result = run("CA1", str(folder / "out"), command="export")
    out = folder / "out"
    assert (result.return_value, result.output) == (0, f"{out}/CA1.json\n{out}/CA1.wav\n")
    assert (out / "CA1.wav").read_bytes() == b"sound"
    assert json.loads((out / "CA1.json").read_text())["caller"] == "+15550101"
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    told = json.loads(run("CA1", str(out), "--json", command="export").output)
    assert told == {"call_sid": "CA1", "files": [f"{out}/CA1.json", f"{out}/CA1.wav"]}


def test_a_call_is_exported_as_one_page(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--html needs the journal of the call"):
        run("CA1", str(folder / "out"), "--html", command="export")
    record = {"type": "StoreRecord", "record": {**STORED, "call_sid": "CA1"}}
    lines = (
        {"journal": 5, "call_sid": "CA1", "setup": {"agent": "shop"}},
        {"at": 2.0, "command": record},
    )
    (folder / "journals").mkdir()
    (folder / "journals" / "CA1.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = run("CA1", str(folder / "out"), "--html", command="export")
    assert result.return_value == 0
    page = (folder / "out" / "CA1.html").read_text()
    assert "<title>shop: abandoned</title>" in page
    assert (folder / "out" / "CA1.html").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("sid", ["CA2", "../CA1"])
def test_an_unknown_call_is_not_exported(folder: Path, sid: str) -> None:
    result = run(sid, str(folder / "out"), command="export")
    assert result.return_value == 1
    assert "no data of this call is stored" in result.output
    assert not (folder / "out").exists()


def test_files_that_other_nodes_uploaded_are_exported_and_deleted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKFLASH_FILES_URL", (folder / "shared").as_uri())
    there = folder / "shared" / "journals" / "CA1"
    there.mkdir(parents=True)
    (there / "1.jsonl").write_bytes(b'{"journal":5}\n{"at":1.0}\n')
    (there / "2.jsonl").write_bytes(b'{"at":2.0}\n')
    assert run("CA1", str(folder / "out"), command="export").return_value == 0
    assert (folder / "out" / "CA1.jsonl").read_bytes() == (
        b'{"journal":5}\n{"at":1.0}\n{"at":2.0}\n'
    )
    assert run("CA1", "--force").output == "CA1: deleted record, journal, recording\n"
    assert [path.parent.name for path in (folder / "shared").rglob("*") if path.is_file()] == [
        "erased"
    ]


def test_an_address_of_files_that_is_none_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKFLASH_FILES_URL", "ftp://host/files")
    with pytest.raises(ConfigError, match="HOOKFLASH_FILES_URL: expected s3://bucket/prefix"):
        run("CA1", str(folder / "out"), command="export")
