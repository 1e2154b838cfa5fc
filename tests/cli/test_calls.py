"""`hookflash calls`, on a data folder of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hookflash.cli import hookflash
from hookflash.core.record import CallRecord, HandoffAttempt, ToolUse, Utterance
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


# --- list and show --------------------------------------------------------------------------------


@pytest.fixture
def told(folder: Path) -> Path:
    """The data folder, with a second call in which something was said."""

    async def fill() -> None:
        store = await open_store(f"sqlite:///{folder / 'hookflash.db'}")
        said = [("caller", "A person,\x07 please."), ("agent", "One moment.")]
        record = CallRecord(
            call_sid="CB22",
            agent="shop",
            caller="+15550102",
            called="+15550100",
            disposition="handed_off",
            arrived_at=100.0,
            seconds=61.4,
            summary="Wanted: a person.",
            utterances=tuple(
                Utterance(speaker=who, text=text, started_at=float(n), ended_at=n + 1.0)  # type: ignore[arg-type]
                for n, (who, text) in enumerate(said)
            ),
            tools=(
                ToolUse(
                    name="find", arguments="{}", output="9", failed=False, started_at=3, seconds=0.1
                ),
            ),
            handoffs=(
                HandoffAttempt(
                    destination="desk",
                    reason="a person",
                    source="tool",
                    started_at=5,
                    outcome="declined",
                    note="not now",
                ),
            ),
        )
        await store.put(record)
        await store.close()

    asyncio.run(fill())
    return folder


def test_calls_are_listed_newest_first(told: Path) -> None:
    lines = run(command="list").output.splitlines()
    assert [line.split()[2] for line in lines] == ["CB22", "CA1"]
    assert lines[0].endswith("CB22  shop  +15550102  61 s  handed off")
    assert len(run("--limit", "1", command="list").output.splitlines()) == 1
    found = [json.loads(line) for line in run("--json", command="list").output.splitlines()]
    assert [each["call_sid"] for each in found] == ["CB22", "CA1"]


def test_a_call_is_shown_by_the_beginning_of_its_sid(told: Path) -> None:
    lines = run("CB", command="show").output.splitlines()
    assert lines[1:] == [
        "",
        "Wanted: a person.",
        "",
        " 0:00  caller  A person,  please.",
        " 0:01  agent   One moment.",
        " 0:03  tool    find {} answered: 9",
        " 0:05  human   hand-off to desk: declined, “not now”",
    ]
    assert json.loads(run("CB22", "--json", command="show").output)["call_sid"] == "CB22"
    with pytest.raises(ConfigError, match="2 calls begin so; write more of the SID"):
        run("C", command="show")
    unknown = run("CX", command="show")
    assert unknown.return_value == 1 and "see `hookflash calls list`" in unknown.output


def test_the_files_of_a_local_call_are_shown_and_deleted_with_it(told: Path) -> None:
    ours = told / "calls" / "20260101-120000-CB22"
    others = told / "calls" / "20260101-120001-CB22"
    for folder, sid in ((ours, "CB22"), (others, "CB22other")):
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps({"call_sid": sid}))
    assert f"  {ours / 'record.json'}\n" in run("CB22", command="show").output
    assert run("CB22").output == "CB22: deleted record, files\n"
    assert not ours.exists() and others.exists()


def test_without_a_database_there_are_no_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKFLASH_DATA_DIR", str(tmp_path / "none"))
    assert run(command="list").output == "no calls\n"
    assert run("CA1", command="show").return_value == 1
    assert not (tmp_path / "none").exists()
