"""The rule of tests/conftest.py, tried on a small run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
import pytest
def test_runs(): pass
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
@pytest.mark.xfail(reason="known")
def test_expected_to_fail(): assert 0
@pytest.mark.xfail(reason="fixed by now")
def test_passes_unexpectedly(): pass
"""
SKIPPED_MODULE = 'import pytest\npytest.importorskip("no_such_module_anywhere")\n'


def run(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_skipped_module.py").write_text(SKIPPED_MODULE)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "CI": ci},
        timeout=60,
    )


def test_a_test_that_does_not_run_fails_in_ci(tmp_path: Path) -> None:
    finished = run(tmp_path, "true")
    assert finished.returncode != 0
    assert "not run, which CI does not accept" in finished.stdout
    assert "skipped" not in finished.stdout.splitlines()[-1]
    assert "xfailed" not in finished.stdout.splitlines()[-1]


def test_elsewhere_it_is_only_skipped(tmp_path: Path) -> None:
    finished = run(tmp_path, "")
    assert finished.returncode == 0
    assert "1 passed, 2 skipped, 1 xfailed, 1 xpassed" in finished.stdout
