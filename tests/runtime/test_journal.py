from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import MoveCall
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.runtime.journal import Journals, State, read_journal, rebuild, replay

SETUP = CallSetup(
    greeting="Hello.",
    destinations=(
        Destination(
            key="desk", when="always", plan=HandoffPlan(targets=(Target.phone("+15550100002"),))
        ),
    ),
)


def live(journals: Journals, events: list[tuple[float, e.AnyEvent | None]]) -> tuple[Call, Path]:
    """Live through events, as a driver does, and return the call and its journal's file."""
    call = Call(SETUP)
    journal = journals.begin("CA1", SETUP)
    for at, event in events:
        commands = call.expire(at) if event is None else call.receive(event, at)
        state = State(call.phase.value, call.handoff.state.value)
        journal.write(at, "expired" if event is None else event, commands, state)
    assert journals.flush()
    return call, journal.path


CONVERSATION: list[tuple[float, e.AnyEvent | None]] = [
    (1000.0, e.CallArrived("CA1", "+15550100009", "+15550100001")),
    (1000.2, e.StreamStarted("MZ1", 1)),
    (1000.25, e.MarkReturned("1:1:probe")),
    (1000.3, e.CallerAudio("QUFB", 3, 20)),
    (1000.4, e.ModelReady("sess")),
    (1000.5, e.ResponseStarted("r1")),
    (1000.6, e.ModelAudio("r1", "i1", "QUFBQUFBQUE=", 8)),
    (1000.61, e.ModelAudioEnded("r1", "i1")),
    (1000.62, e.ResponseEnded("r1", "completed")),
    (1002.0, None),
    (1003.0, e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r2")),
    (1011.5, None),
]


@pytest.fixture
def journals(tmp_path: Path):
    journals = Journals(tmp_path / "journals")
    yield journals
    journals.close()


def test_a_journal_replays_to_the_same_commands(journals: Journals) -> None:
    call, path = live(journals, CONVERSATION)
    head, lines = read_journal(path)
    steps = list(replay(Call(head.setup), lines))
    assert len(steps) == len(CONVERSATION) - 1  # the caller's sound is not in it
    assert all(step.same for step in steps)
    assert any(isinstance(each, MoveCall) for step in steps for each in step.now)
    assert head.call_sid == call.facts.call_sid


def test_no_sound_reaches_a_journal_but_its_size_does(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    text = path.read_text()
    assert "QUFB" not in text
    assert '"size":8' in text


def test_a_call_is_rebuilt_from_its_journal_as_it_was(journals: Journals) -> None:
    call, path = live(journals, CONVERSATION)
    again = rebuild(*read_journal(path))
    assert again.phase is call.phase
    assert again.handoff.request == call.handoff.request
    assert again.transcript.history() == call.transcript.history()
    assert again.route.step == call.route.step
    assert again.deadline == call.deadline


def test_a_change_of_the_core_shows_as_a_difference(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    changed = path.read_text().replace('"seconds":2.0', '"seconds":3.0')
    path.write_text(changed)
    head, lines = read_journal(path)
    different = [step for step in replay(Call(head.setup), lines) if not step.same]
    assert len(different) == 1
    assert isinstance(different[0].then[-1], MoveCall)


def test_a_last_line_that_a_crash_cut_short_is_left_out(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    _, lines = read_journal(path)
    with path.open("ab") as file:
        file.write(b'{"at":1012.0,"event":{"type":"Stre')
    assert read_journal(path)[1] == lines


def test_a_broken_line_in_the_middle_is_named(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    broken = path.read_text().split("\n")
    broken[3] = "{nonsense"
    path.write_text("\n".join(broken))
    with pytest.raises(ConfigError, match="line 4"):
        read_journal(path)


def test_another_file_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"hello": 1}\n')
    with pytest.raises(ConfigError, match="first line is not that of a journal"):
        read_journal(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_journal(tmp_path / "missing.jsonl")


def test_a_journal_of_another_version_is_refused(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    path.write_text(path.read_text().replace('"journal":1', '"journal":2', 1))
    with pytest.raises(ConfigError, match="version 2"):
        read_journal(path)


def test_a_call_sid_cannot_lead_out_of_the_folder(journals: Journals) -> None:
    assert journals.find("../../etc/passwd") is None
    with pytest.raises(ConfigError, match="does not come from a carrier"):
        journals.begin("../../etc/passwd", SETUP)


def test_a_slow_disk_loses_lines_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(tmp_path / "slow", queue_lines=8)
    go_on = threading.Event()
    begun = threading.Event()
    write = Journals._write

    def slow(files, path, data):
        begun.set()
        go_on.wait(10)
        write(files, path, data)

    monkeypatch.setattr(Journals, "_write", staticmethod(slow))
    journal = journals.begin("CA1", SETUP)
    begun.wait(10)
    call = Call(SETUP)
    state = State("ringing", "idle")
    for number in range(40):
        event = e.AgentTranscribed(f"i{number}", "word")
        journal.write(1000.0 + number, event, call.receive(event, 1000.0 + number), state)
    go_on.set()
    assert journals.flush()
    journal.write(2000.0, e.CallCompleted(), [], state)
    journals.close()
    _, lines = read_journal(journal.path)
    assert (
        sum(line.lost for line in lines)
        == 40 + 1 - sum(line.event is not None or line.state is not None for line in lines) + 1
    )
    assert lines[-1].event == e.CallCompleted()


def test_a_disk_that_fails_is_told_and_does_not_stop_a_call(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    journal = journals.begin("CA1", SETUP)
    journal.write(1.0, e.CallCompleted(), [], State("ended", "idle"))
    assert journals.flush()
    assert journals.error is not None
    journals.close()
