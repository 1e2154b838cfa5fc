from __future__ import annotations

import json
from pathlib import Path

import pytest

from hookflash.cli import main
from hookflash.core.call import Call
from hookflash.core.events import CallArrived, CallCompleted, StreamStarted
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal import JOURNAL_VERSION, Journals, JournalState

SID = "CA" + "0a" * 16


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A short call as the runtime writes it: it arrives, the stream opens, the caller is gone."""
    journals = Journals(tmp_path)
    call = Call(CallSetup(agent="Riverside"))
    written = journals.begin(SID, call.setup)
    at = 1_795_336_000.0
    for event in (
        CallArrived(SID, "+15550100009", "+15550100001"),
        StreamStarted("MZ1", 1),
        CallCompleted(),
    ):
        commands = call.receive(event, at)
        written.write(at, event, commands, JournalState(call.phase.value, call.handoff.state.value))
        at += 1.0
    written.close()
    journals.close()
    return tmp_path / f"{SID}.jsonl"


def run(*arguments: object) -> object:
    with pytest.raises(SystemExit) as left:
        main(["replay", *map(str, arguments)])
    return left.value.code


def test_a_call_replays_to_the_same_commands(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(journal) == 0
    told = capsys.readouterr().out
    assert told.startswith("Riverside · ")
    assert "3 events, " in told and "the same" in told


def test_an_event_that_is_answered_differently_is_shown(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.write_text(journal.read_text().replace('"CloseModel"', '"ClearAudio"'))
    assert run(journal) == 1
    told = capsys.readouterr().out
    assert "answered differently" in told
    then, now = told.partition("\n  then ")[2].split("\n  now  ")
    assert "ClearAudio(" in then and "CloseModel(" not in then
    assert "CloseModel(" in now and "ClearAudio(" not in now


def test_json_has_everything_in_one_object(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(journal, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["call_sid"], told["events"], told["same"]) == (SID, 3, True)


def test_the_picture_is_written_where_it_is_wanted(journal: Path, tmp_path: Path) -> None:
    assert run(journal, "--picture", tmp_path / "call.svg") == 0
    assert (tmp_path / "call.svg").read_text().startswith("<svg")


def test_a_file_that_is_no_journal_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.jsonl").write_text("hello\n")
    assert run(tmp_path / "notes.jsonl") == 2
    assert run(tmp_path / "missing.jsonl") == 2
    assert "not that of a journal" in capsys.readouterr().err


def test_a_journal_of_another_version_is_refused_in_words(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = journal.read_text()
    journal.write_text(text.replace(f'"journal":{JOURNAL_VERSION}', '"journal":99', 1))
    assert run(journal) == 2
    told = capsys.readouterr()
    assert f"expected version {JOURNAL_VERSION}" in told.err
    assert "written by version 99" in told.err and not told.out
    journal.write_text(text + '{"at":1795336003.0,"version":1}\n')
    assert run(journal) == 2
    assert "written by version 1" in capsys.readouterr().err
