from __future__ import annotations

import pytest
from click.testing import CliRunner

from hookflash.cli import hookflash


def test_calls_that_are_no_numbers_are_refused() -> None:
    result = CliRunner().invoke(hookflash, ["bench", "--calls", "many"])
    assert result.exit_code == 2
    assert "expected numbers such as 10,50,100, got 'many'" in result.output


def test_relays_that_are_unknown_are_refused() -> None:
    result = CliRunner().invoke(hookflash, ["bench", "--relays", "minimal,rust"])
    assert result.exit_code == 2
    assert "expected names out of c,minimal,hookflash, got 'minimal,rust'" in result.output


def test_without_a_compiler_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(hookflash, ["bench", "--quick"])
    assert "apt-get install gcc" in str(result.exception)
