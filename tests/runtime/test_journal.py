from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import msgspec
import pytest

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import MoveCall, PlayAudio, SendMark
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.runtime.journal import JOURNAL_VERSION, Journals, JournalState
from hookflash.runtime.journal_files import Chunk, JournalFiles
from hookflash.runtime.journal_replay import read_journal, rebuilding, replay
from hookflash_local.simulation.world import SimulatedWorld

from .conftest import clock_stands

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
        state = JournalState(call.phase.value, call.handoff.state.value)
        journal.write(at, "expired" if event is None else event, commands, state)
    assert journals.flush(60)
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
    assert head.call_sid == call.info.call_sid


def test_no_sound_reaches_a_journal_but_its_size_does(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    text = path.read_text()
    assert "QUFB" not in text
    assert '"size":8' in text


def rebuilt(path: Path) -> Call:
    """Return the call as its journal has it."""
    rebuild = rebuilding(path.name, path.read_bytes())
    while True:
        try:
            next(rebuild)
        except StopIteration as done:
            call: Call = done.value[0]
            return call


def test_a_call_is_rebuilt_from_its_journal_as_it_was(journals: Journals) -> None:
    call, path = live(journals, CONVERSATION)
    again = rebuilt(path)
    assert again.phase is call.phase
    assert again.handoff.request == call.handoff.request
    assert again.conversation.transcript.history() == call.conversation.transcript.history()
    assert again.caller_leg.route.step == call.caller_leg.route.step
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
    text = path.read_text()
    path.write_text(text.replace(f'"journal":{JOURNAL_VERSION}', '"journal":1,"setups":{}', 1))
    expected = f"line 1: expected version {JOURNAL_VERSION}, .* written by version 1"
    with pytest.raises(ConfigError, match=expected):
        read_journal(path)


def test_what_a_process_of_another_version_added_is_refused(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    text, count = path.read_text(), len(path.read_text().splitlines())
    path.write_text(text + '{"at":1012.0,"version":1}\n')
    with pytest.raises(ConfigError, match=f"line {count + 1}: .* written by version 1"):
        read_journal(path)
    path.write_text(text + '{"at":1012.0,"event":{"type":"CallRecovered"}}\n')
    with pytest.raises(ConfigError, match=f"line {count + 1}: .* that did not name itself"):
        read_journal(path)


def test_a_process_that_goes_on_names_its_version(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    resumed = journals.resume("CA1", 1012.0)
    resumed.write(1012.0, e.CallRecovered(), [])
    assert journals.flush(60)
    _, lines = read_journal(path)
    assert [line.version for line in lines[-2:]] == [JOURNAL_VERSION, 0]
    assert lines[-1].event == e.CallRecovered()


def test_a_line_that_a_crash_cut_short_does_not_prevent_a_restore(journals: Journals) -> None:
    call, path = live(journals, CONVERSATION)
    _, before = read_journal(path)
    number = len(path.read_bytes().split(b"\n"))
    journals.close()
    with path.open("ab") as file:
        file.write(b'{"at":1012.0,"event":{"type":"Stre')
    again = Journals(path.parent)
    again.resume("CA1", 1013.0).write(1013.0, e.CallRecovered(), [])
    again.close()
    _, lines = read_journal(path)
    assert lines[: len(before)] == before
    assert [line.event for line in lines[len(before) :]] == [None, e.CallRecovered()]
    assert rebuilt(path).phase is call.phase
    # Two of them in a row are no crash.
    path.write_bytes(path.read_bytes().replace(b'{"at":1012.0', b'{"at":1011.9\n{"at":1012.0'))
    with pytest.raises(ConfigError, match=f"line {number}: "):
        read_journal(path)


def test_rebuilding_takes_one_step_for_each_line_and_passes_over_commands(
    journals: Journals,
) -> None:
    call, path = live(journals, CONVERSATION)
    steps, work = 0, rebuilding(path.name, path.read_bytes())
    while True:
        try:
            next(work)
        except StopIteration as done:
            again, arrived = done.value
            break
        steps += 1
    _, lines = read_journal(path)
    # Commands that are folded with the sound that they play are no lines of their own.
    alone = sum(b',"command":' in text for text in path.read_bytes().splitlines())
    assert steps == len(lines) - alone
    assert (again.phase, again.caller_leg.route.step, again.deadline) == (
        call.phase,
        call.caller_leg.route.step,
        call.deadline,
    )
    assert arrived == CONVERSATION[0][1]


def test_a_call_sid_cannot_lead_out_of_the_folder(journals: Journals) -> None:
    assert journals.find("../../etc/passwd") is None
    with pytest.raises(ConfigError, match="does not come from a carrier"):
        journals.begin("../../etc/passwd", SETUP)


class SlowDisk:
    """A disk that writes nothing until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.busy = threading.Event()
        self.call_from_facts = threading.Event()
        write = JournalFiles.write

        def slowly(files: JournalFiles, path: Path, chunks: list[Chunk]) -> None:
            self.busy.set()
            self.call_from_facts.wait(60)
            write(files, path, chunks)

        monkeypatch.setattr(JournalFiles, "write", slowly)


def said(number: int) -> e.AnyEvent:
    return e.CallerTranscribed(f"i{number}", "word")


def test_a_slow_disk_loses_lines_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = SlowDisk(monkeypatch)
    journals = Journals(tmp_path / "slow", queue_lines=8)
    journal = journals.begin("CA1", SETUP)
    disk.busy.wait(60)
    for number in range(40):
        journal.write(1000.0 + number, said(number), [])
    disk.call_from_facts.set()
    assert journals.flush(60)
    journal.write(2000.0, e.CallCompleted(), [])
    journals.close()
    _, lines = read_journal(journal.path)
    kept = [line.event for line in lines if line.event is not None]
    # The first line of the journal took one place.
    assert kept == [*(said(number) for number in range(7)), e.CallCompleted()]
    assert [line.lost for line in lines if line.lost] == [33]
    assert journals.lost == 33
    assert caplog.text.count("the disk is too slow") == 1


def test_a_call_is_not_rebuilt_from_a_journal_that_lacks_lines(journals: Journals) -> None:
    _, path = live(journals, CONVERSATION)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b'{"at":1000.4,"lost":3}\n', *lines[8:]]))
    with pytest.raises(ConfigError, match="the disk lost 3 lines, so a replay would not give"):
        rebuilt(path)
    # A report of an error can still be made of it.
    assert len(read_journal(path)[1]) == len(lines) - 3


def test_the_state_is_written_again_after_lines_were_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(tmp_path)
    journal = journals.begin("CA1", SETUP)
    talking = JournalState("talking", "ringing")
    assert journals.flush(60)
    with monkeypatch.context() as patched:
        patched.setattr(JournalFiles, "_append", full)
        journal.write(1000.0, said(1), [], talking)
        assert journals.flush(60)
    journal.write(1001.0, said(2), [], talking)
    journal.write(1002.0, said(3), [], talking)
    journals.close()
    _, lines = read_journal(journal.path)
    assert [line.at for line in lines if line.state == talking] == [1001.0]


def full(files: JournalFiles, path: Path, chunks: list[Chunk]) -> None:
    raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_encoded_is_lost_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journals = Journals(tmp_path)
    journal = journals.begin("CA1", SETUP)
    journal.write(1000.0, e.CallerTranscribed("i1", json.loads('"\\ud83d"')), [])
    journal.write(1001.0, said(2), [])
    journals.close()
    _, lines = read_journal(journal.path)
    assert [line.event for line in lines if line.event is not None] == [said(2)]
    assert [line.lost for line in lines if line.lost] == [1]
    assert "journal CA1.jsonl: lines cannot be encoded and are lost" in caplog.text


async def test_audio_lines_are_batched_and_written_with_the_next_other_line(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[bytes | None] = []
    put = journals.put

    def noted(chunk: Chunk, *, urgent: bool) -> bool:
        queued.append(chunk.data)
        return put(chunk, urgent=urgent)

    monkeypatch.setattr(journals, "put", noted)
    journal = journals.begin("CA1", SETUP)
    queued.clear()
    for number in range(10):
        sound = e.ModelAudio("r1", "i1" if number < 7 else "i2", "QUFB", 3)
        journal.write_sound(1000.0 + number / 100, sound, [PlayAudio("QUFB", 3)])
    journal.write(1000.15, e.MarkReturned("1:1:i1:20"), [])
    assert queued == []
    journal.write(1000.2, e.CallerSpeechStarted("u1"), [])
    (data,) = queued
    assert data is not None and data.count(b"\n") == 4
    journal.write_sound(1001.0, e.ModelAudio("r1", "i2", "QUFB", 3), [PlayAudio("QUFB", 3)])
    journal.write_sound(1001.6, e.ModelAudio("r1", "i2", "QUFB", 3), [PlayAudio("QUFB", 3)])
    assert len(queued) == 2
    assert journals.flush(60)
    _, lines = read_journal(journal.path)
    heard = [line for line in lines if isinstance(line.event, e.ModelAudio)]
    assert [line.event.item_id for line in heard] == ["i1"] * 7 + ["i2"] * 5
    assert [line.at for line in heard[:2]] == [1000.0, 1000.01]
    plays = [line.command for line in lines if line.command is not None]
    assert plays == [PlayAudio("", 3)] * 12


async def test_sound_that_nothing_follows_is_fetched_in_the_end(tmp_path: Path) -> None:
    journals = Journals(tmp_path, world=SimulatedWorld(0))
    journal = journals.begin("CA1", SETUP)
    journal.write_sound(1000.0, e.ModelAudio("r1", "i1", "QUFB", 3), [PlayAudio("QUFB", 3)])
    await asyncio.sleep(0.49)
    assert b"pieces" not in journal.path.read_bytes()
    await asyncio.sleep(0.52)
    assert b"pieces" in journal.path.read_bytes()
    journals.close()


async def test_what_waits_is_on_disk_after_a_flush_from_any_thread(journals: Journals) -> None:
    loop, flushed = asyncio.get_running_loop(), asyncio.Queue[bool]()

    def flush() -> None:
        loop.call_soon_threadsafe(flushed.put_nowait, journals.flush(60))

    journal = journals.begin("CA1", SETUP)
    for number in range(2):
        journal.write(1000.0, e.AgentTranscribed(f"i{number}", "word"), [])
        if number:
            threading.Thread(target=flush).start()
            with clock_stands():
                assert await flushed.get()
        else:
            assert journals.flush(60)
        _, lines = read_journal(journal.path)
        assert len(lines) == number + 1


async def test_sound_that_is_cut_up_or_held_back_is_written_as_it_went(journals: Journals) -> None:
    journal = journals.begin("CA1", SETUP)
    journal.write_sound(1.0, e.ModelAudio("r1", "i1", "QUFB", 3), [])
    journal.write_sound(2.0, e.ModelAudio("r1", "i1", "QUFB", 3), [PlayAudio("QUFBQUFB", 6)])
    mark = SendMark("1:1:i1:0")
    journal.write_sound(3.0, e.ModelAudio("r1", "i1", "QUFB", 3), [PlayAudio("QUFB", 3), mark])
    journal.close()
    assert journals.flush(60)
    _, lines = read_journal(journal.path)
    sound = e.ModelAudio("r1", "i1", "", 3)
    assert [(line.at, line.event or line.command) for line in lines] == [
        (1.0, sound),
        (2.0, sound),
        (2.0, PlayAudio("", 6)),
        (3.0, sound),
        (3.0, PlayAudio("", 3)),
        (3.0, mark),
    ]


def test_a_disk_that_takes_lines_again_is_told_what_it_missed(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "full")
    (tmp_path / "full").rmdir()
    journal = journals.begin("CA1", SETUP)
    journal.write(1.0, said(1), [])
    assert journals.flush(60)
    assert journals.error is not None and journals.lost == 2
    (tmp_path / "full").mkdir()
    journal.write(2.0, said(2), [])
    assert journals.flush(60)
    note, line = (msgspec.json.decode(text) for text in journal.path.read_bytes().splitlines())
    assert note == {"at": 2.0, "lost": 2}
    assert line["event"]["item_id"] == "i2"
    journals.close()


def test_a_disk_that_fails_is_told_and_does_not_stop_a_call(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    journal = journals.begin("CA1", SETUP)
    journal.write(1.0, e.CallCompleted(), [], JournalState("ended", "idle"))
    assert journals.flush(60)
    assert journals.error is not None
    journals.close()
