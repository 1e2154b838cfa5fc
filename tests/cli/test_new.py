"""`hookflash new`: the project that it makes is complete, and its own tests pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hookflash import Agent
from hookflash.agents.load_agent import load_agent
from hookflash.cli import main
from hookflash.cli.new import FILES, agent_name
from hookflash.settings import is_placeholder


def test_a_new_project_has_an_agent_and_tests_that_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "My Shop"
    with pytest.raises(SystemExit) as left:
        main(["new", str(folder)])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert [name for name in FILES if f"  {folder / name}\n" not in told] == []
    agent = load_agent(str(folder / "agent.py"))
    assert isinstance(agent, Agent) and agent.name == "my-shop"
    agent.call_setup()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
        + ["-p", "no:asyncio", "--rootdir", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
    # What `.env.example` leaves empty is missing, and not a value.
    values = [line.partition("=") for line in (folder / ".env.example").read_text().splitlines()]
    assert all(not value for name, _, value in values if not name.startswith("#"))
    assert ".env\n" in (folder / ".gitignore").read_text()
    assert not is_placeholder("")


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agent.py").write_text("mine")
    with pytest.raises(SystemExit) as left:
        main(["new", str(tmp_path)])
    assert left.value.code == 2
    assert "agent.py exists already, and nothing was written" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["agent.py"]
    with pytest.raises(SystemExit) as left:
        main(["new", str(tmp_path / "agent.py" / "below")])
    assert left.value.code == 2
    assert "cannot be written: " in capsys.readouterr().err


def test_an_agent_is_named_after_its_folder() -> None:
    assert agent_name(Path("/x/Front Desk_2")) == "front-desk-2"
    assert agent_name(Path("/x/---")) == "front-desk"
