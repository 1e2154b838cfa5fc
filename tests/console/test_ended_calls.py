"""Calls that are over, over HTTP: found, shown, played and forgotten; figures and the trail."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hookflash.console import ended_calls
from hookflash.console.console import Hooks
from hookflash.core.commands import ClearAudio, RunTool, StoreRecord
from hookflash.core.events import (
    AgentTranscribed,
    CallArrived,
    CallCompleted,
    CallerSpeechStarted,
    CallerSpeechStopped,
    HintGiven,
    LegChanged,
    ModelAudio,
    ResponseStarted,
    RoomChanged,
    ToolFinished,
)
from hookflash.core.record import CallRecord, HandoffAttempt, ToolUse, Utterance
from hookflash.core.setup import CallSetup
from hookflash.files.stored_files import DataFolder, Kind, StoredFile
from hookflash.runtime.journal import Journals, JournalState
from hookflash.runtime.wav import header

from .conftest import MakeOffice, Office, Time
from .test_deliveries import left, put

NOW = Time().now


def record(call_sid: str = "CA1", **changes: object) -> CallRecord:
    about: dict[str, object] = {
        "call_sid": call_sid,
        "agent": "shop",
        "caller": "+15550101234",
        "called": "+15550100",
        "disposition": "handed_off",
        "arrived_at": NOW - 3600.0,
        "seconds": 60.0,
        "barge_ins": 1,
        "utterances": (
            Utterance(speaker="caller", text="My brake.", started_at=1.0, ended_at=31.0),
            Utterance(
                speaker="agent", text="Yes", cut=" of course", started_at=31.5, ended_at=46.5
            ),
        ),
        "handoffs": (
            HandoffAttempt(
                destination="desk",
                reason="brake",
                source="tool",
                started_at=40.0,
                outcome="bridged",
                seconds_to_human=9.0,
            ),
        ),
        "tools": (
            ToolUse(
                name="look",
                arguments="{}",
                output="yes",
                failed=False,
                started_at=32.0,
                seconds=0.5,
            ),
        ),
    }
    return CallRecord(**(about | changes))


class Kept:
    """The files of calls in a data folder, as the server has them for the console."""

    def __init__(self, folder: Path) -> None:
        self.files = DataFolder(folder)
        self.error: OSError | None = None

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        if self.error is not None:
            raise self.error
        return await self.files.find(kind, call_sid)

    async def summary(self, call_sid: str) -> str:
        return "The brake squeaks."

    async def delete(self, call_sid: str) -> None:
        if self.error is not None:
            raise self.error
        await self.files.delete(call_sid)


async def test_calls_are_found_and_shown_in_pages(office: Office) -> None:
    for number in range(3):
        await office.store.put(record(f"CA{number}", arrived_at=NOW - 100.0 + number))
    async with office.signed_in("vera") as client:
        first = (await client.get("/api/past", params={"limit": 2, "text": "brake"})).json()
        assert [each["call_sid"] for each in first["calls"]] == ["CA2", "CA1"]
        assert first["next"] == "CA1"
        second = await client.get("/api/past", params={"limit": 2, "before": first["next"]})
        assert [each["call_sid"] for each in second.json()["calls"]] == ["CA0"]
        assert second.json()["next"] is None
    found = first["calls"][0]
    assert found["excerpt"] == "My brake."
    assert (found["destination"], found["outcome"], found["seconds_to_human"]) == (
        "desk",
        "bridged",
        9.0,
    )
    assert found["answer_seconds"] == 0.5
    # A minute of the line, half a minute heard, a quarter spoken.
    assert found["cost"] == pytest.approx(0.6 + 0.6 + 0.6)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "since=x", "colour=red", "text=" + "x" * 201],
)
async def test_a_query_that_is_none_is_refused(office: Office, query: str) -> None:
    async with office.signed_in() as client:
        answer = await client.get(f"/api/past?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "request")


async def test_a_call_is_shown_with_all_that_record_and_journal_have(
    make_office: MakeOffice, tmp_path: Path
) -> None:
    journals = Journals(tmp_path / "journals")
    journal = journals.begin("CA1", CallSetup())
    at = record().arrived_at
    journal.write(at, HintGiven("a regular", "anna"), [], JournalState("talking", "idle"))
    journal.write(at + 31, HintGiven("x", "anna"), [RunTool("t1", "look", "{}")])
    journal.write(at + 33, ToolFinished("t1", "yes"), [])
    journal.write(at + 35, CallerSpeechStarted("c1"), [ClearAudio()])
    journal.write(
        at + 40, LegChanged("CA9", "ringing", 2), [], JournalState("handing off", "ringing")
    )
    journals.close()
    async with make_office(hooks=Hooks(data=Kept(tmp_path))) as office:
        await office.store.put(record())
        async with office.signed_in("vera") as client:
            found = (await client.get("/api/past/CA1")).json()
            assert (await client.get("/api/past/CA404")).status_code == 404
    assert found["entry"]["call_sid"] == "CA1"
    assert (found["summary"], found["recording"]) == ("The brake squeaks.", None)
    assert [(each["text"], each["cut"]) for each in found["parts"]["lines"]] == [
        ("My brake.", ""),
        ("Yes", " of course"),
    ]
    assert found["handoffs"][0]["outcome"] == "bridged"
    assert [each["seconds"] for each in found["parts"]["tools"]] == [2.0]
    assert [each["name"] for each in found["parts"]["stages"]] == ["talking", "ringing"]
    assert [each["at"] for each in found["parts"]["barge_ins"]] == [35.0]
    assert [each["status"] for each in found["parts"]["legs"]] == ["ringing"]
    assert [each["text"] for each in found["parts"]["actions"]] == ["a regular", "x"]
    (latency,) = found["parts"]["latencies"]
    assert (latency["started_at"], latency["ended_at"]) == (31.0, 31.5)


@pytest.mark.parametrize("failing", [None, False, True])
async def test_a_call_without_a_journal_is_shown_as_its_record_has_it(
    make_office: MakeOffice, tmp_path: Path, failing: bool | None
) -> None:
    kept = Kept(tmp_path)
    kept.error = OSError("the store does not answer") if failing else None
    async with make_office(hooks=Hooks(data=None if failing is None else kept)) as office:
        await office.store.put(record())
        async with office.signed_in() as client:
            found = (await client.get("/api/past/CA1")).json()
    (tool,) = found["parts"]["tools"]
    assert (tool["name"], tool["seconds"], tool["status"]) == ("look", 0.5, "answered")
    assert found["parts"]["stages"] == []


async def test_a_recording_is_played_in_pieces_and_its_hearing_written_down_once(
    make_office: MakeOffice, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "CA1.wav").write_bytes(b"RIFF" + bytes(range(100)))
    async with make_office(hooks=Hooks(data=kept)) as office:
        await office.store.put(record())
        await office.store.put(record("CA2"))
        async with office.signed_in() as client:
            shown = (await client.get("/api/past/CA1")).json()
            assert shown["summary"] == "The brake squeaks."
            assert shown["recording"] == "../api/past/CA1/recording"
            assert (await client.get("/api/past/CA2")).json()["recording"] is None
            whole = await client.get("/api/past/CA1/recording")
            assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
            part = await client.get("/api/past/CA1/recording", headers={"Range": "bytes=4-7"})
            assert (part.status_code, part.content) == (206, bytes(range(4)))
            assert part.headers["content-range"] == "bytes 4-7/104"
            assert (await client.get("/api/past/CA2/recording")).status_code == 404
            kept.error = OSError("the store does not answer")
            refused = await client.get("/api/past/CA1/recording")
            assert (refused.status_code, refused.json()["code"]) == (503, "unreachable")
            assert (await client.get("/api/past/CA1")).json()["recording"] is None
            kept.error = None
            trail = (await client.get("/api/audit", params={"action": "recording"})).json()
            assert len(trail["entries"]) == 1


async def test_a_call_is_taken_away_as_text_events_or_one_page(
    make_office: MakeOffice, tmp_path: Path
) -> None:
    journals = Journals(tmp_path / "journals")
    journal = journals.begin("CA1", CallSetup())
    at = record().arrived_at
    journal.write(at, CallArrived("CA1", "+15550101234", "+15550100"), [])
    journal.write(at + 31, CallerSpeechStopped("c1"), [])
    journal.write(at + 31.2, ResponseStarted("r1"), [])
    journal.write(at + 31.3, AgentTranscribed("i1", "Yes"), [])
    journal.write(at + 31.4, ModelAudio("r1", "i1", "", 800), [])
    journal.write(at + 60, CallCompleted(), [StoreRecord(record())])
    journals.close()
    kept = Kept(tmp_path)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "CA1.wav").write_bytes(header(80) + b"\xff" * 160)
    async with make_office(hooks=Hooks(data=kept)) as office:
        for sid in ("CA1", "CA2"):
            await office.store.put(record(sid))
        async with office.signed_in("vera") as client:
            shown = (await client.get("/api/past/CA1")).json()
            assert shown["has_journal"]
            (turn,) = shown["turns"]
            assert (turn["stopped_at"], turn["generated_at"]) == (31.0, 31.3)
            text = await client.get("/api/past/CA1/transcript")
            assert text.headers["content-disposition"] == 'attachment; filename="CA1.txt"'
            assert "Caller: My brake." in text.text
            events = await client.get("/api/past/CA1/journal")
            assert events.text.splitlines()[1].startswith('{"at":')
            html = await client.get("/api/past/CA1/replay")
            assert html.headers["content-type"] == "text/html; charset=utf-8"
            assert html.headers["content-disposition"] == 'attachment; filename="CA1.html"'
            assert "data:audio/wav;base64," in html.text
            assert not (await client.get("/api/past/CA2")).json()["has_journal"]
            for what in ("journal", "replay"):
                assert (await client.get(f"/api/past/CA2/{what}")).status_code == 404
            assert (await client.get("/api/past/CA404/transcript")).status_code == 404
            kept.error = OSError("the store does not answer")
            for what in ("journal", "replay"):
                assert (await client.get(f"/api/past/CA1/{what}")).status_code == 503
        async with office.signed_in() as client:
            trail = (await client.get("/api/audit", params={"action": "export"})).json()["entries"]
    assert [each["text"] for each in trail] == ["replay", "journal", "transcript"]


async def test_the_calls_of_a_search_are_a_table(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_calls, "_TABLE_PAGE", 2)
    for number in range(5):
        await office.store.put(record(f"CA{number}", arrived_at=NOW - 100.0 + number))
    busy = msgspec.structs.replace(record().handoffs[0], outcome="busy")
    await office.store.put(record("CA9", handoffs=(busy,)))
    async with office.signed_in("vera") as client:
        table = await client.get("/api/past.csv", params={"outcome": "bridged"})
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        head, *rows = table.text.splitlines()
        assert head.startswith("call_sid,arrived_at,agent")
        assert [row.split(",")[0] for row in rows] == ["CA4", "CA3", "CA2", "CA1", "CA0"]
        monkeypatch.setattr(ended_calls, "TABLE_CALLS", 3)
        assert len((await client.get("/api/past.csv")).text.splitlines()) == 5
        found = (await client.get("/api/past", params={"outcome": "busy"})).json()["calls"]
        assert [each["call_sid"] for each in found] == ["CA9"]
        assert (await client.get("/api/past.csv", params={"text": "..."})).status_code == 400


async def test_outcomes_are_told_where_they_happened(
    make_office: MakeOffice, tmp_path: Path
) -> None:
    journals = Journals(tmp_path / "journals")
    journal = journals.begin("CA1", CallSetup())
    at = record().arrived_at
    state = JournalState
    journal.write(at, HintGiven("x", "anna"), [], state("talking", "idle"))
    journal.write(at + 40, LegChanged("CAh1", "ringing", 1), [], state("talking", "ringing"))
    journal.write(at + 45, LegChanged("CAh1", "completed", 1, "busy"), [])
    journal.write(at + 46, LegChanged("CAh2", "ringing", 2), [])
    journal.write(at + 48, LegChanged("CAh2", "answered", 2), [])
    journal.write(at + 50, RoomChanged(2, "started"), [], state("with a human", "with human"))
    journal.write(at + 55, RoomChanged(2, "left", "CAh2"), [], state("ended", "done"))
    journals.close()
    first = record().handoffs[0]
    attempts = (
        msgspec.structs.replace(first, outcome="busy", note="at lunch", seconds_to_human=None),
        msgspec.structs.replace(first, started_at=46.0),
    )
    async with make_office(hooks=Hooks(data=Kept(tmp_path))) as office:
        await office.store.put(record(handoffs=attempts))
        async with office.signed_in("vera") as client:
            found = (await client.get("/api/past/CA1")).json()["parts"]["outcomes"]
    assert [(each["at"], each["text"]) for each in found] == [
        (45.0, "Desk was busy: at lunch"),
        (55.0, "The human hung up"),
    ]


async def test_a_voicemail_is_shown_with_its_call(office: Office) -> None:
    await office.store.put(record())
    await put(office, left(1, kind="voicemail", recording_url="https://api.example/RE1"))
    async with office.signed_in("vera") as client:
        (voicemail,) = (await client.get("/api/past/CA1")).json()["voicemails"]
    assert (voicemail["text"], voicemail["recording_url"]) == ("", "https://api.example/RE1")


async def test_a_deleted_call_leaves_only_an_audit_entry(
    make_office: MakeOffice, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    paths = [tmp_path / "journals" / "CA1.jsonl", tmp_path / "recordings" / "CA1.wav"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("{}")
    async with make_office(hooks=Hooks(data=kept)) as office:
        await office.store.put(record())
        async with office.signed_in() as client:
            kept.error = OSError("the store does not answer")
            assert (await client.delete("/api/past/CA1")).status_code == 503
            assert (await client.get("/api/past/CA1")).status_code == 200
            kept.error = None
            assert (await client.delete("/api/past/CA1")).status_code == 204
            assert (await client.delete("/api/past/CA1")).status_code == 404
            assert (await client.get("/api/past/CA1")).status_code == 404
            trail = (await client.get("/api/audit", params={"call": "CA1"})).json()["entries"]
    assert [each["action"] for each in trail] == ["delete", "delete"]
    assert not any(path.exists() for path in paths)


async def test_figures_are_counted_over_time_and_altogether(office: Office) -> None:
    await office.store.put(record("CA1", arrived_at=NOW - 3600.0))
    await office.store.put(
        record("CA2", arrived_at=NOW - 90_000.0, disposition="abandoned", handoffs=())
    )
    async with office.signed_in("vera") as client:
        found = (await client.get("/api/figures")).json()
        assert len(found["buckets"]) == 7
        assert [each["calls"] for each in found["buckets"]] == [0, 0, 0, 0, 0, 1, 1]
        last, whole = found["buckets"][-1], found["whole"]
        assert (last["until"], last["dispositions"]) == (NOW, {"handed_off": 1})
        assert last["to_human"] == {"count": 1, "mean": 9.0, "p50": 9.0, "p90": 9.0}
        assert whole["calls"] == 2
        assert whole["cost"] == pytest.approx(3.6)
        assert whole["outcomes"] == {"bridged": 1}
        assert whole["answer"]["count"] == 2
        assert found["currency"] == "EUR"
        for query in ("since=5&until=5", "since=0&until=100000&step=1", "step=0", "step=x"):
            assert (await client.get(f"/api/figures?{query}")).status_code == 400, query


async def test_the_trail_is_read_in_pages(office: Office) -> None:
    async with office.signed_in() as client, office.signed_in("vera"):
        first = (await client.get("/api/audit", params={"limit": 1})).json()
        assert [each["who"] for each in first["entries"]] == ["vera"]
        second = await client.get("/api/audit", params={"limit": 1, "before": first["next"]})
        assert [each["who"] for each in second.json()["entries"]] == ["anna"]
        mine = await client.get("/api/audit", params={"who": "anna"})
        assert [each["action"] for each in mine.json()["entries"]] == ["sign-in"]
        assert mine.json()["next"] is None
