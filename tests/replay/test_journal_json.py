from __future__ import annotations

from pathlib import Path

from hookflash.replay.journal_json import read_lines


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"journal": 1}\n{"at": 1.0, "expi')
    assert read_lines(tmp_path / "j.jsonl") == [{"journal": 1}]
    (tmp_path / "j.jsonl").write_text(
        '{"journal": 1}\n{"at": 1.0, "expi\n{"at": 2.0, "version": 2}\n'
    )
    assert read_lines(tmp_path / "j.jsonl") == [{"journal": 1}, {"at": 2.0, "version": 2}]
