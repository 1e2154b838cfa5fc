from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.replay.conftest import RECORD, JournalScript, play_whole_call

from hookflash import g711
from hookflash.core import commands as c
from hookflash.errors import ConfigError
from hookflash.replay.sound import Tracks
from hookflash_local import audio
from hookflash_local.audio.wav import read_wav
from hookflash_local.demo.call_files import align_tracks, call_folder, write_call, write_stereo


@pytest.fixture
def whole_call() -> JournalScript:
    return play_whole_call(JournalScript())


def written_journal(script: Any, path: Path) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in script.lines))
    return path


def test_a_call_leaves_five_files(whole_call: Any, tmp_path: Path) -> None:
    whole_call.command(31.2, c.StoreRecord(RECORD))
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
    assert json.loads(paths[4].read_text())["call_sid"] == RECORD.call_sid


def test_a_journal_that_is_there_already_stays(whole_call: Any, tmp_path: Path) -> None:
    whole_call.command(31.2, c.StoreRecord(RECORD))
    journal = written_journal(whole_call, tmp_path / "journal.jsonl")
    before = journal.read_bytes()
    write_call(tmp_path, journal, Tracks(b"", b""))
    assert journal.read_bytes() == before


def test_a_call_without_its_record_is_refused_in_words(whole_call: Any, tmp_path: Path) -> None:
    journal = written_journal(whole_call, tmp_path / "CA.jsonl")
    with pytest.raises(ConfigError, match="no record"):
        write_call(tmp_path / "out", journal, Tracks(b"", b""))
    assert not (tmp_path / "out").exists()


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


def test_two_tracks_are_written_side_by_side_and_the_shorter_is_filled_up(tmp_path: Path) -> None:
    left, right = audio.load("yes").audio, audio.load("nope").audio
    write_stereo(tmp_path / "both.wav", left, right)
    with wave.open(str(tmp_path / "both.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(frames) == len(right) > len(left)
    assert np.array_equal(frames[: len(left), 0], g711.decode(left))
    assert not frames[len(left) :, 0].any()
    assert np.array_equal(frames[:, 1], g711.decode(right))
