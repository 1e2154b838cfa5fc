"""`bench/relay_tables.py`: reports as the tables of docs/topics/relay.md."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from hookflash_local.bench.report import Report

from .test_report_charts import report

SCRIPT = Path(__file__).parents[3] / "bench" / "relay_tables.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_a_target_that_is_missed_is_bold_and_one_that_was_not_measured_is_a_dash(
    script: dict[str, Any],
) -> None:
    assert list(script["target_table"](report()))[2:] == [
        "| at most 1.5 times the minimal relay at 50 and 150 calls"
        " | 1.11 and 1.11 | **2.22** and **2.22** |",
        "| at most 2 times the C relay at 50 and 150 calls"
        " | 1.25 and 1.25 | **2.50** and **2.50** |",
        "| a median delay of at most 0.1 ms more than the minimal relay's"
        " | 0.05 and 0.05 | 0.05 and 0.05 |",
        "| 400 calls on one core with a p99 under 20 ms | - | - |",
    ]


def test_reports_of_different_parts_are_printed_as_one(
    script: dict[str, Any], tmp_path: Path
) -> None:
    whole = report()
    for number, load in enumerate(("bursts", "steady")):
        rows = [row for row in whole.rows if row.load == load]
        part = Report(machine=whole.machine, seconds=5, rows=rows, notes=[f"note {number}"])
        (tmp_path / f"{number}.json").write_bytes(msgspec.json.encode(part))
    files = [str(tmp_path / f"{number}.json") for number in range(2)]
    result = CliRunner().invoke(script["main"], [*files, "--figures", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines.index("## Load steady") < lines.index("## Load bursts")
    assert (
        "| hookflash | 50 | 4.00 | 2.22 | 2.50 | 0.15 / 1.00 | 0.00 / 0.00 | +0.05"
        " | 0.15 / 1.00 | 40 | 3.0 |" in lines
    )
    assert lines[-2:] == ["note 0", "note 1"]
    assert "minimal relay" in (tmp_path / "relay-cost.svg").read_text()
    assert "minimal relay" in (tmp_path / "relay-delay.svg").read_text()
