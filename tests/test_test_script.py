"""scripts/test with a Python that runs no tests: which parts run, and what the last line says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "test"
STUB = """#!/bin/sh
case "$*" in
  *"-m coverage"*) part=coverage ;;
  *"-m clockless"*) part=clockless ;;
  *"-m realtime"*) part=realtime ;;
  *"-m tests.simulation"*) part=simulation ;;
  *"-m not clockless and not realtime"*) part=parallel ;;
  *) part=chosen ;;
esac
echo "$part: $*" >>ran
exit "$(cat "$part" 2>/dev/null || echo 0)"
"""


class Checkout:
    """A folder with scripts/test and a stand-in for Python. `codes` are the parts' exit codes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        shutil.copy(SCRIPT, folder / "scripts" / "test")
        (folder / "scripts" / "clockless.txt").write_text(
            "# a remark\ntests/a  # another\n\ntests/b\n"
        )
        python = folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(STUB)
        python.chmod(0o755)

    def run(self, *arguments: str, **codes: int) -> tuple[int, str]:
        """Return the exit code and the last line."""
        for part, code in codes.items():
            (self.folder / part).write_text(str(code))
        done = subprocess.run(
            [self.folder / "scripts" / "test", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, (done.stdout.splitlines() or [""])[-1]

    @property
    def ran(self) -> dict[str, str]:
        lines = (self.folder / "ran").read_text().splitlines()
        return dict(line.split(": ", 1) for line in lines)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_all_parts_run_or_those_that_were_asked_for_and_only_one_measures_coverage(
    checkout: Checkout,
) -> None:
    assert checkout.run() == (0, "test: all parts passed")
    ran = checkout.ran
    assert sorted(ran) == ["clockless", "coverage", "parallel", "realtime", "simulation"]
    assert "tests/a tests/b" in ran["clockless"]
    assert [part for part, command in ran.items() if "--cov" in command] == ["clockless"]
    assert [part for part, command in ran.items() if "-n 2" in command] == ["clockless", "parallel"]
    (checkout.folder / "ran").unlink()
    assert checkout.run("tests/core", "-k", "ledger", chosen=1)[0] == 1
    ((_, command),) = checkout.ran.items()
    assert command == "-m pytest -n 2 --dist loadfile tests/core -k ledger"


def test_a_part_that_fails_keeps_no_other_from_running_and_is_named_at_the_end(
    checkout: Checkout,
) -> None:
    parts = ("clockless", "coverage", "parallel", "simulation", "realtime")
    for codes, last in (
        ({"clockless": 1}, "test: failed: clockless"),
        ({"coverage": 2}, "test: failed: coverage"),
        ({"parallel": 1, "realtime": 1}, "test: failed: parallel realtime"),
        ({"parallel": 5}, "test: failed: parallel"),
        ({"clockless": 5}, "test: failed: clockless"),
        ({"simulation": 1}, "test: failed: simulation"),
        ({"realtime": 2}, "test: failed: realtime"),
        ({"simulation": 1, "realtime": 1}, "test: failed: simulation realtime"),
    ):
        assert checkout.run(**{**dict.fromkeys(parts, 0), **codes}) == (1, last)
        assert len(checkout.ran) == 5
        (checkout.folder / "ran").unlink()
    # No test is marked realtime.
    assert checkout.run(**{**dict.fromkeys(parts, 0), "realtime": 5}) == (
        0,
        "test: all parts passed",
    )
