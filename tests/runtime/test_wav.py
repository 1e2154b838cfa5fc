from __future__ import annotations

from pathlib import Path

import pytest

from hookflash.runtime.wav import HEADER_BYTES, WavFile, header, repair, samples_in
from hookflash_local.audio.wav import read_wav


def test_a_file_is_whole_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    file = WavFile(path)
    assert path.read_bytes() == header(0)
    file.write(2, b"\x01\x02\x03\x04")
    assert path.read_bytes() == header(4) + b"\xff\xff\xff\xff\x01\x02\x03\x04"
    file.write(3, b"\x05\x06\x07\x08")
    assert path.read_bytes() == header(5) + b"\xff\xff\xff\xff\x01\x02\x03\x04\x07\x08"
    file.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_is_gone_on_with_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(header(1) + b"\x01\x02" * 3 + b"\x09")
    file = WavFile(path)
    assert file.samples == 3
    file.write(3, b"\x03\x04")
    file.close()
    assert path.read_bytes() == header(4) + b"\x01\x02" * 3 + b"\x03\x04"


def test_a_long_silence_is_written_in_pieces(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "call.wav")
    file.write(100_000, b"\x01\x02")
    assert file.samples == 100_001
    assert (tmp_path / "call.wav").read_bytes()[HEADER_BYTES:-2] == b"\xff" * 200_000
    file.close()


def test_the_header_of_a_dead_writer_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(header(0) + b"\x01\x02" * 5 + b"\x01")
    assert repair(path)
    assert path.read_bytes() == header(5) + b"\x01\x02" * 5
    assert not repair(path)
    assert samples_in(3) == 0


def test_others_read_it(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    file = WavFile(tmp_path / "call.wav")
    file.write(0, b"\xff\x80" * 800)
    file.close()
    assert len(read_wav(tmp_path / "call.wav")) == 800


def test_half_a_sample_that_a_full_disk_took_is_written_again(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "call.wav")
    whole = file._file

    class Mean:
        """A disk that takes three bytes at a time."""

        def write(self, data: bytes | memoryview) -> int:
            return whole.write(data if len(data) == HEADER_BYTES else data[:3])

        def __getattr__(self, name: str):
            return getattr(whole, name)

    file._file = Mean()  # type: ignore[assignment]
    file.write(0, bytes(range(8)))
    assert (tmp_path / "call.wav").read_bytes() == header(4) + bytes(range(8))
    file.close()
