from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hookflash.core import commands as c
from hookflash.errors import ConfigError
from hookflash.replay.files import align_tracks, call_folder, read_lines, write_call
from hookflash.replay.sound import Tracks
from hookflash_local.audio.wav import read_wav


def written_journal(script: Any, path: Path) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in script.lines))
    return path


def test_a_call_leaves_five_files(whole_call: Any, record: Any, tmp_path: Path) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    journal = written_journal(whole_call, tmp_path / "CA.jsonl")
    tracks = Tracks(b"\x80" * 8000, b"\x90" * 8000, starts_at=0.5)
    timeline, paths = write_call(tmp_path / "calls" / "one", journal, tracks)
    assert timeline.disposition == "handed_off"
    assert [path.name for path in paths] == [
        "call.wav",
        "transcript.txt",
        "timeline.svg",
        "journal.jsonl",
        "record.json",
    ]
    assert len(read_wav(paths[0])) == 12000
    assert "Are you open?" in paths[1].read_text()
    assert paths[2].read_text().startswith("<svg")
    assert paths[3].read_bytes() == journal.read_bytes()
    assert json.loads(paths[4].read_text())["call_sid"] == record.call_sid


def test_a_journal_that_is_there_already_stays(
    whole_call: Any, record: Any, tmp_path: Path
) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    journal = written_journal(whole_call, tmp_path / "journal.jsonl")
    before = journal.read_bytes()
    write_call(tmp_path, journal, Tracks(b"", b""))
    assert journal.read_bytes() == before


def test_a_call_without_its_record_is_refused_in_words(whole_call: Any, tmp_path: Path) -> None:
    journal = written_journal(whole_call, tmp_path / "CA.jsonl")
    with pytest.raises(ConfigError, match="no record"):
        write_call(tmp_path / "out", journal, Tracks(b"", b""))
    assert not (tmp_path / "out").exists()


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"journal": 1}\n{"at": 1.0, "expi')
    assert read_lines(tmp_path / "j.jsonl") == [{"journal": 1}]
    (tmp_path / "j.jsonl").write_text(
        '{"journal": 1}\n{"at": 1.0, "expi\n{"at": 2.0, "version": 2}\n'
    )
    assert read_lines(tmp_path / "j.jsonl") == [{"journal": 1}, {"at": 2.0, "version": 2}]


def test_both_tracks_begin_when_the_call_arrived() -> None:
    later = align_tracks(Tracks(b"ab", b"cd", starts_at=0.001))
    assert later == (b"\xff" * 8 + b"ab", b"\xff" * 8 + b"cd")
    earlier = align_tracks(Tracks(b"12345678ab", b"12345678cd", starts_at=-0.001))
    assert earlier == (b"ab", b"cd")


def test_folders_of_calls_sort_by_time_and_hold_no_odd_characters(tmp_path: Path) -> None:
    first = call_folder(tmp_path, "CA0123456789abcdef", 1_795_336_000.0)
    second = call_folder(tmp_path, "../../etc", 1_795_336_001.0)
    assert first.parent == second.parent == tmp_path / "calls"
    assert first.name < second.name
    assert first.name.endswith("-CA01234567") and second.name.endswith("-etc")
