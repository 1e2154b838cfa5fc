from __future__ import annotations

import pytest
from click.testing import CliRunner

from hookflash.cli import hookflash
from hookflash.core.events import ModelAudio
from hookflash_local.bench.ledger import judge, measure
from hookflash_local.bench.ledger_scenarios import SCENARIOS, Scenario, Speech
from hookflash_local.bench.ledger_simulated import Measured, simulate
from hookflash_local.cli import ledger as ledger_command

TWO = next(each for each in SCENARIOS if each.name == "two items queued, the first playing")


@pytest.mark.parametrize("delay_ms", [0.0, 40.0, 150.0])
@pytest.mark.parametrize("returns_cleared_marks", [True, False])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_right_item_is_truncated_within_a_frame_of_what_was_heard(
    scenario: Scenario, returns_cleared_marks: bool, delay_ms: float
) -> None:
    row = judge(
        scenario,
        simulate(scenario, delay_ms=delay_ms, returns_cleared_marks=returns_cleared_marks),
    )
    assert row.problems == ()
    assert row.right
    assert abs(row.error_ms) <= 1.0, "on a simulated clock only rounding to whole ms is left"


def test_the_scenarios_are_those_that_the_field_gets_wrong() -> None:
    names = [row.scenario for row in measure()]
    assert names[:5] == [
        "mid-generation",
        "after generation, still playing",
        "two items queued, the first playing",
        "two items queued, the second playing",
        "all heard",
    ]
    assert {"second turn", "slower than real time"} <= set(names)


def test_the_receiver_distinguishes_items() -> None:
    assert TWO.heard_ms(b"\xff" * 80 + b"\x01" * 16 + b"\x02" * 8) == {"a": 2.0, "b": 1.0}
    assert TWO.generated_ms("a") == 3000


def test_a_timeline_holds_all_of_the_sound() -> None:
    from hookflash_local.bench.ledger_scenarios import timeline

    scenario = Scenario(
        name="odd",
        speeches=(Speech(item="a", response="r", at_ms=100, ms=450, every_ms=30),),
        barge_ins_ms=(),
    )
    audio = [
        (moment.at_ms, moment.event.size)
        for moment in timeline(scenario)
        if isinstance(moment.event, ModelAudio)
    ]
    assert audio == [(100, 1600), (130, 1600), (160, 400)]


@pytest.mark.parametrize(
    ("measured", "problems"),
    [
        (Measured({"a": 1000}, ("b",), {"a": 1015.0, "b": 0.0}), ()),
        (
            Measured({"a": 1000}, ("b",), {"a": 1021.0, "b": 0.0}),
            ("a: reported 1000 ms, heard 1021 ms",),
        ),
        (
            Measured({"b": 1000}, (), {"a": 3000.0, "b": 1000.0}),
            ("truncated b, not a", "removed nothing, not b"),
        ),
        (
            Measured({}, (), {"a": 1000.0, "b": 0.0}),
            (
                "truncated nothing, not a",
                "removed nothing, not b",
                "a: reported 3000 ms, heard 1000 ms",
                "b: reported 3000 ms, heard 0 ms",
            ),
        ),
        (
            Measured({"a": 1000}, ("b",), {"a": 1000.0, "b": 400.0}),
            ("b: reported 0 ms, heard 400 ms",),
        ),
    ],
)
def test_what_is_wrong_is_named(measured: Measured, problems: tuple[str, ...]) -> None:
    assert judge(TWO, measured).problems == problems


def test_truncating_at_nothing_is_removing() -> None:
    row = judge(TWO, Measured({"a": 1000, "b": 0}, (), {"a": 1000.0, "b": 0.0}))
    assert row.right
    assert (row.item, row.removed) == ("a", ("b",))


def test_the_command_prints_the_table() -> None:
    result = CliRunner().invoke(
        hookflash, ["ledger"], env={"COLUMNS": "160"}, standalone_mode=False
    )
    assert result.return_value == 0
    assert "two items queued, the second playing" in result.output
    assert result.output.count(" right ") == len(SCENARIOS)


def test_the_command_prints_json() -> None:
    import msgspec

    result = CliRunner().invoke(hookflash, ["ledger", "--json"], standalone_mode=False)
    assert result.return_value == 0
    rows = [msgspec.json.decode(line) for line in result.output.splitlines()]
    assert [row["scenario"] for row in rows] == [scenario.name for scenario in SCENARIOS]
    assert all(row["right"] and abs(row["error_ms"]) <= 20 for row in rows)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_fails_when_an_item_is_wrong(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = judge(TWO, Measured({}, (), {"a": 1000.0, "b": 0.0}))
    monkeypatch.setattr("hookflash_local.bench.ledger.measure", lambda play: [wrong])
    result = CliRunner().invoke(ledger_command.command, options, standalone_mode=False)
    assert result.return_value == 1
    assert "truncated nothing, not a" in result.output.replace("\n", " ") or not options
