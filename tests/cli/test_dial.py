"""`hookflash dial`: what it passes on, what it prints, and how it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from hookflash import CallRecord, Utterance
from hookflash.cli import hookflash
from hookflash.errors import CallNotPlaced
from hookflash.server import running_line

RECORD = CallRecord(
    call_sid="CA1",
    agent="reminders",
    caller="+15550100",
    called="+15550107",
    direction="outbound",
    answered_after=4.5,
    disposition="message_left",
    arrived_at=1.0,
    seconds=12.0,
    utterances=(Utterance(speaker="agent", text="Hello.", started_at=1, ended_at=2),),
)
EXAMPLE = str(Path(__file__).parents[2] / "examples" / "12_call_out.py")


class Placed:
    call_sid = "CA1"

    async def ended(self) -> CallRecord:
        return RECORD


class FakeLine:
    """Takes the place of a line that is served: what is tested is the command around it."""

    placed: dict[str, Any] = {}
    fault: Exception | None = None

    def __init__(self, target: Any, settings: Any) -> None:
        self.target = target

    async def __aenter__(self) -> FakeLine:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def place(self, to: str, **given: Any) -> Placed:
        if self.fault is not None:
            raise self.fault
        FakeLine.placed = {"to": to} | given
        return Placed()


@pytest.fixture(autouse=True)
def _line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running_line, "RunningLine", FakeLine)
    monkeypatch.setattr(FakeLine, "fault", None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        hookflash, ["dial", *arguments], standalone_mode=False, catch_exceptions=True
    )


def test_it_says_what_came_of_the_call() -> None:
    result = run(EXAMPLE, "+15550107", "--message", "Call us.", "--known", "Order 7.")
    assert "message left, answered after 4.5 s, 12 s\n  agent: Hello.\n" in result.output
    assert FakeLine.placed["to"] == "+15550107"
    assert FakeLine.placed["on_machine"] == "leave_message"
    assert FakeLine.placed["known"] == "Order 7."


def test_the_record_is_printed_as_json() -> None:
    result = run(EXAMPLE, "+15550107", "--json")
    assert FakeLine.placed["on_machine"] == "hang_up"
    line = next(each for each in result.output.splitlines() if each.startswith("{"))
    assert msgspec.json.decode(line, type=CallRecord) == RECORD


def test_a_call_that_may_not_be_placed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLine, "fault", CallNotPlaced("it is night", reason="hours"))
    assert isinstance(run(EXAMPLE, "+15550107").exception, CallNotPlaced)
