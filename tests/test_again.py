"""Which failures get a second run, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "again"


@pytest.fixture(scope="module")
def again() -> Any:
    loader = SourceFileLoader("again", str(SCRIPT))
    spec = spec_from_loader("again", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("failed", "another"),
    [
        (["tests/scenarios/test_words.py::test_a"], True),
        (["tests/scenarios/test_words.py::test_a[x]", "tests/bench/test_b.py::test_b"], True),
        (["tests/scenarios/test_words.py::test_a", "tests/core/test_b.py::test_b"], False),
        (["tests/core/test_b.py::test_b"], False),
        (["tests/test_house.py::test_b"], False),
        ([f"tests/scenarios/test_words.py::test_{n}" for n in range(4)], False),
        ([], False),
    ],
)
def test_few_failures_of_tests_that_play_in_time_get_another_run(
    again: Any, failed: list[str], another: bool
) -> None:
    assert again.worth_another(failed) is another


@pytest.mark.parametrize(("holds", "code"), [("True", 0), ("False", 1)])
def test_the_second_run_decides(tmp_path: Path, holds: str, code: int) -> None:
    folder = tmp_path / "tests" / "scenarios"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(f"def test_x():\n    assert {holds}\n")
    failures = tmp_path / "lastfailed"
    failures.write_text(json.dumps({"tests/scenarios/test_x.py::test_x": True}))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(failures)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert "again, alone:\n  tests/scenarios/test_x.py::test_x" in done.stdout


def test_a_test_that_is_not_there_does_not_pass(tmp_path: Path) -> None:
    failures = tmp_path / "lastfailed"
    for gone in (["tests/scenarios/test_x.py::test_x"], []):
        failures.write_text(json.dumps(dict.fromkeys(gone, True)))
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(failures)], cwd=tmp_path, timeout=60, check=False
        )
        assert done.returncode != 0
    failures.unlink()
    done = subprocess.run([sys.executable, str(SCRIPT), str(failures)], timeout=60, check=False)
    assert done.returncode == 1
