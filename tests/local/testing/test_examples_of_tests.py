"""The examples of tests run as their first lines say, and so do those of the how-to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hookflash_local.cli import evaluate

ROOT = Path(__file__).parents[3]


def test_the_tests_of_the_examples_pass() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
        + ["-p", "no:asyncio", "-c", "/dev/null", "--rootdir", "examples", "examples/tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_the_scenarios_of_the_examples_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("HOOKFLASH_LLM_URL", raising=False)
    file = "examples/tests/front_desk.yaml"
    ran = CliRunner().invoke(evaluate.command, [file], standalone_mode=False)
    assert ran.return_value == 0, ran.output
    assert ran.output.splitlines()[-1] == "3 scenarios, all passed"
