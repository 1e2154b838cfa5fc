"""The rules of tests/conftest.py, tried on a small run of their own."""

from __future__ import annotations

import os
import re
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


def outcomes(finished: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return what became of each test, by the name of its file and its own."""
    found = re.findall(r"^(?:.*/)?(test_\w+)\.py::(\w+) ([A-Z]+)", finished.stdout, re.M)
    return {f"{file}.{test}": outcome for file, test, outcome in found}


NAMED = [
    ("simulation/named/test_0.py", STRICT, "assert 0", "XFAIL"),
    ("simulation/named/deeper/test_1.py", STRICT, "assert 0", "XFAIL"),
    ("simulation/named/test_2.py", STRICT, "pass", "FAILED"),
    ("simulation/named/test_3.py", '@pytest.mark.skip(reason="slow")', "pass", "ERROR"),
    ("simulation/named/test_4.py", "", 'pytest.xfail("known")', "FAILED"),
    ("simulation/named/test_5.py", '@pytest.mark.xfail(reason="loose")', "assert 0", "FAILED"),
    ("simulation/named/test_6.py", "@pytest.mark.xfail(strict=True)", "assert 0", "FAILED"),
    ("simulation/test_7.py", STRICT, "assert 0", "FAILED"),
    ("test_8.py", STRICT, "assert 0", "FAILED"),
]


def test_a_test_that_does_not_run_fails_in_ci_but_a_named_sequence_that_is_known_to_fail(
    tests: Path,
) -> None:
    """One exception: an expected failure of a named sequence, strict and with a reason."""
    for file, mark, body, _ in NAMED:
        write(tests / file, f"import pytest\n{mark}\ndef test_it(): {body}\n")
    finished = run(tests, "true", "-vv", "--continue-on-collection-errors")
    assert finished.returncode != 0
    assert "not run, which CI does not accept" in finished.stdout
    found = outcomes(finished)
    assert {each: found.pop(f"{Path(each).stem}.test_it") for each, *_ in NAMED} == {
        each: outcome for each, *_, outcome in NAMED
    }
    assert found == {
        "test_suite.test_runs": "PASSED",
        "test_suite.test_skipped": "ERROR",
        "test_suite.test_expected_to_fail": "FAILED",
        "test_suite.test_passes_unexpectedly": "FAILED",
    }
    last = finished.stdout.splitlines()[-1]
    assert "skipped" not in last and "2 xfailed" in last
    # The module that skips itself is an error too.
    assert "3 errors" in last


def test_what_ci_accepts_passes_there_and_elsewhere_what_does_not_run_is_only_skipped(
    tests: Path, tmp_path: Path
) -> None:
    finished = run(tests, "")
    assert finished.returncode == 0
    assert "1 passed, 2 skipped, 1 xfailed, 1 xpassed" in finished.stdout
    accepted = tmp_path / "accepted"
    for file, mark, body, outcome in NAMED:
        if outcome == "XFAIL":
            write(accepted / file, f"import pytest\n{mark}\ndef test_it(): {body}\n")
    assert run(accepted, "true").returncode == 0


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
