"""What makes `serve --reload` start again, and how its child is treated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hookflash.cli import main
from hookflash.cli._reloading import first_change, run_reloading, stamps


def test_python_files_and_settings_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text("1")
    (tmp_path / ".env").write_text("A=1")
    for folder in (".venv", "__pycache__", "parts"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "more.py").write_text("1")
    (tmp_path / "notes.txt").write_text("1")
    before = stamps(Path())
    assert sorted(before) == [".env", "agent.py", str(Path("parts", "more.py"))]
    assert first_change(before, stamps(Path())) is None
    (tmp_path / "parts" / "more.py").unlink()
    assert first_change(before, stamps(Path())) == str(Path("parts", "more.py"))
    (tmp_path / "hookflash.toml").write_text("")
    assert first_change(stamps(Path()) | {"hookflash.toml": 0}, stamps(Path())) == "hookflash.toml"


def test_a_change_starts_the_program_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    started = tmp_path / "started"
    program = [
        sys.executable,
        "-c",
        "import os, time;"
        f" open({str(started)!r}, 'a').write(os.environ['HOOKFLASH_DRAIN_SECONDS']);"
        " time.sleep(60)",
    ]
    looks = []

    def look(seconds: float) -> None:
        """Wait for the child's start, then change a file; after the second start, interrupt."""
        while len(started.read_text() if started.exists() else "") <= len(looks):
            pass
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt
        (tmp_path / "agent.py").write_text("changed")

    import subprocess

    real_wait = subprocess.Popen.wait

    def wait(self: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        self.kill()
        return real_wait(self, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait)
    assert run_reloading(program, tmp_path, sleep=look) < 0
    assert started.read_text() == "00"
    assert "agent.py has changed: the server starts again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--reload", "--tunnel"], "--reload does not go with --tunnel or --number"),
        (["--reload", "--workers", "2"], "--tunnel, --number and --reload need one worker"),
        (["--number", "+15550100", "--workers", "2"], "need one worker"),
    ],
)
def test_what_does_not_go_together_is_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "agent.py", *options])
    assert left.value.code == 2
    assert told in capsys.readouterr().err
