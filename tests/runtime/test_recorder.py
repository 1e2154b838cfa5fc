from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash.runtime.recorder import Recordings, recording_path, repair_all
from hookflash.runtime.tracks import Block, Piece
from hookflash.runtime.wav import HEADER_BYTES, WavFile, header


def block(first: int, byte: int, size: int = 160) -> Block:
    payload = base64.b64encode(bytes([byte]) * size).decode()
    return Block(first, size, (Piece(first, payload, 0, size),), ())


def left(path: Path) -> bytes:
    data = path.read_bytes()
    assert data[:HEADER_BYTES] == header((len(data) - HEADER_BYTES) // 2)
    return data[HEADER_BYTES::2]


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[Recordings]:
    recordings = Recordings(tmp_path / "recordings")
    yield recordings
    recordings.close()


def test_blocks_are_laid_where_they_were_heard(recordings: Recordings) -> None:
    recording = recordings.begin("CA1", since=100.0, zero=100.01)
    recording.put(block(0, 1))
    recording.put(block(320, 2))
    recording.end()
    assert recordings.flush(60)
    silence = bytes([255])
    assert left(recording.path) == silence * 80 + b"\x01" * 160 + silence * 160 + b"\x02" * 160
    assert recordings.lost_seconds == 0.0


def test_nothing_from_before_the_beginning_is_kept(recordings: Recordings) -> None:
    recording = recordings.begin("CA1", since=100.0, zero=99.97)
    recording.put(block(0, 1))
    assert recordings.flush(60)
    assert not recording.path.exists()
    recording.put(block(160, 2))
    recording.end()
    assert recordings.flush(60)
    assert left(recording.path) == b"\x02" * 80


def test_a_recording_is_gone_on_with_by_whoever_has_the_call(tmp_path: Path) -> None:
    for number, zero in enumerate((100.0, 100.1), start=1):
        recordings = Recordings(tmp_path)
        recordings.begin("CA1", since=100.0, zero=zero).put(block(0, number))
        recordings.close()
    assert left(tmp_path / "CA1.wav") == b"\x01" * 160 + b"\xff" * 640 + b"\x02" * 160


def test_a_recording_is_deleted_with_what_still_waits(recordings: Recordings) -> None:
    recording = recordings.begin("CA1", since=0.0, zero=0.0)
    recording.put(block(0, 1))
    recordings.discard("CA1")
    assert recordings.flush(60)
    assert not recording.path.exists()
    recordings.discard("CA1")
    assert recordings.flush(60) and recordings.error is None


class SlowDisk:
    """Holds the writing thread until `call_from_facts` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.busy, self.call_from_facts = threading.Event(), threading.Event()
        write = WavFile.write

        def slowly(file: WavFile, first: int, sound: bytes) -> None:
            self.busy.set()
            self.call_from_facts.wait(60)
            write(file, first, sound)

        monkeypatch.setattr(WavFile, "write", slowly)


def test_a_slow_disk_leaves_silence_and_everything_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = SlowDisk(monkeypatch)
    recordings = Recordings(tmp_path, queue_samples=480)
    recording = recordings.begin("CA1", since=0.0, zero=0.0)
    recording.put(block(0, 1))
    assert disk.busy.wait(60)
    for number in range(1, 10):
        recording.put(block(160 * number, number + 1))
    disk.call_from_facts.set()
    assert recordings.flush(60)
    recording.put(block(1600, 42))
    recording.end()
    recordings.close()
    sound = left(recording.path)
    assert [sound[160 * number] for number in range(11)] == [1, 2, 3, *[255] * 7, 42]
    assert recordings.lost_seconds == pytest.approx(7 * 0.02)
    assert caplog.text.count("the disk is too slow") == 1


def test_a_disk_that_fails_is_told_and_gone_on_with_when_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    recordings = Recordings(folder)
    folder.rmdir()
    recording = recordings.begin("CA1", since=0.0, zero=0.0)
    for number in range(3):
        recording.put(block(160 * number, 1))
    assert recordings.flush(60)
    assert recordings.error is not None
    folder.mkdir()
    recording.put(block(480, 2))
    recording.end()
    recordings.close()
    assert left(recording.path) == b"\xff" * 480 + b"\x02" * 160
    assert recordings.lost_seconds == pytest.approx(0.06)
    assert caplog.text.count("cannot be written") == 1


def test_recordings_of_dead_processes_are_repaired_and_others_left_alone(tmp_path: Path) -> None:
    for name in ("CAdead", "CAlive"):
        (tmp_path / f"{name}.wav").write_bytes(header(0) + b"\x01\x02" * 3)
    long_ago = time.time() - 3600
    os.utime(tmp_path / "CAdead.wav", (long_ago, long_ago))
    assert repair_all(tmp_path, time.time()) == 1
    assert left(tmp_path / "CAdead.wav") == b"\x01" * 3
    assert (tmp_path / "CAlive.wav").read_bytes()[:HEADER_BYTES] == header(0)


@pytest.mark.parametrize("call_sid", ["", "../etc/passwd", "CA/1", "x" * 65])
def test_what_is_no_call_sid_is_no_file(tmp_path: Path, call_sid: str) -> None:
    with pytest.raises(ValueError, match="expected a call SID"):
        recording_path(tmp_path, call_sid)
