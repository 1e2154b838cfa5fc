"""The rules of tests/conftest.py, tried on a small run of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
STRICT = '@pytest.mark.xfail(strict=True, reason="mended by the next change")'


def run(tests: Path, ci: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what is in `tests` with a copy of the conftest."""
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    (tests / "conftest.py").write_text(conftest)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), *arguments],
        capture_output=True,
        text=True,
        cwd=tests,
        env={**os.environ, "CI": ci},
        timeout=60,
    )


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    write(tmp_path / "tests" / "test_suite.py", SUITE)
    write(tmp_path / "tests" / "test_skipped_module.py", SKIPPED_MODULE)
    return tmp_path / "tests"


def test_a_test_that_does_not_run_fails_in_ci(tests: Path) -> None:
    finished = run(tests, "true")
    assert finished.returncode != 0
    assert "not run, which CI does not accept" in finished.stdout
    assert "skipped" not in finished.stdout.splitlines()[-1]
    assert "xfailed" not in finished.stdout.splitlines()[-1]


def test_elsewhere_it_is_only_skipped(tests: Path) -> None:
    finished = run(tests, "")
    assert finished.returncode == 0
    assert "1 passed, 2 skipped, 1 xfailed, 1 xpassed" in finished.stdout


@pytest.mark.parametrize(
    ("file", "mark", "body", "outcome"),
    [
        ("simulation/named/test_it.py", STRICT, "assert 0", "1 xfailed"),
        ("simulation/named/deeper/test_it.py", STRICT, "assert 0", "1 xfailed"),
        ("simulation/named/test_it.py", STRICT, "pass", "1 failed"),
        ("simulation/named/test_it.py", '@pytest.mark.skip(reason="slow")', "pass", "1 error"),
        ("simulation/named/test_it.py", "", 'pytest.xfail("known")', "1 failed"),
        (
            "simulation/named/test_it.py",
            '@pytest.mark.xfail(reason="no strict")',
            "assert 0",
            "1 failed",
        ),
        ("simulation/named/test_it.py", "@pytest.mark.xfail(strict=True)", "assert 0", "1 failed"),
        ("simulation/test_it.py", STRICT, "assert 0", "1 failed"),
        ("test_it.py", STRICT, "assert 0", "1 failed"),
    ],
)
def test_ci_accepts_an_expected_failure_only_of_a_named_sequence_strict_and_with_a_reason(
    tmp_path: Path, file: str, mark: str, body: str, outcome: str
) -> None:
    write(tmp_path / "tests" / file, f"import pytest\n{mark}\ndef test_it(): {body}\n")
    finished = run(tmp_path / "tests", "true")
    assert finished.stdout.splitlines()[-1].startswith(outcome)
    assert (finished.returncode == 0) == (outcome == "1 xfailed")


def test_tests_of_listed_files_and_folders_are_clockless_unless_their_input_is_random(
    tmp_path: Path,
) -> None:
    tests = tmp_path / "tests"
    listed = "# a remark\n\ntests/core\ntests/test_listed.py  # and another\n"
    write(tmp_path / "scripts" / "clockless.txt", listed)
    write(tests / "test_listed.py", "def test_listed(): pass\n")
    write(tests / "test_other.py", "def test_other(): pass\n")
    write(
        tests / "core" / "test_core.py",
        "import pytest\n"
        "from hypothesis import given, strategies\n"
        "def test_core(): pass\n"
        "@given(strategies.none())\n"
        "def test_example(x): pass\n"
        "@pytest.mark.random\n"
        "def test_walk(): pass\n"
        "@pytest.mark.realtime\n"
        "def test_socket(): pass\n",
    )
    marked = run(tests, "", "-m", "clockless", "--collect-only").stdout
    assert "2/6 tests collected" in marked
    assert "test_listed.py::test_listed" in marked
    assert "test_core.py::test_core" in marked
