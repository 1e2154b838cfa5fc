from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import Attempt, attempted
from hookflash.core.record import CallRecord
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.files.stored_files import DataFolder
from hookflash.runtime.journal import Journals
from hookflash.runtime.wav import header
from hookflash.server.retention import SWEEP_SECONDS, RetentionDays, StoredCalls, retention_sweep
from hookflash.settings import Settings
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.records import RecordStore, open_store
from hookflash_local.simulation.world import SimulatedWorld

NOW = 1_790_000_000.0
DAY = 86_400.0


class OldCalls:
    """A data folder with calls in it."""

    def __init__(self, folder: Path, store: RecordStore) -> None:
        self.folder = folder
        self.store = store
        self.journals = folder / "journals"
        self.recordings = folder / "recordings"
        for each in (self.journals, self.recordings):
            each.mkdir()
        self.discarded: list[str] = []
        self.stored = StoredCalls(store, DataFolder(folder), discard=self.discarded.append)

    async def put(self, call_sid: str, *, days: float = 0.0, ended: bool = True) -> None:
        """Keep a call that arrived so many days ago."""
        arrived_at = NOW - days * DAY
        record = CallRecord(
            call_sid=call_sid,
            agent="shop",
            caller="+15550101",
            called="+15550100",
            disposition="handled_by_agent",
            arrived_at=arrived_at,
            seconds=5.0,
            summary="A bell.",
        )
        await self.store.put(record)
        setup = CallSetup()
        call, journals = Call(setup), Journals(self.journals)
        journal = journals.begin(call_sid, setup)
        events: list[e.AnyEvent] = [e.CallArrived(call_sid, "+15550101", "+15550100")]
        if ended:
            events.append(e.CallCompleted())
        for event in events:
            journal.write(arrived_at, event, call.receive(event, arrived_at))
        journals.close()
        (self.recordings / f"{call_sid}.wav").write_bytes(header(0))
        for path in (self.journals / f"{call_sid}.jsonl", self.recordings / f"{call_sid}.wav"):
            os.utime(path, (arrived_at, arrived_at))

    def files(self) -> set[str]:
        return {path.name for path in self.folder.rglob("CA*")}


@pytest.fixture
async def old_calls(tmp_path: Path) -> AsyncIterator[OldCalls]:
    store = await open_store(f"sqlite:///{tmp_path}/calls.db", connect=SimulatedWorld(0).sqlite)
    yield OldCalls(tmp_path, store)
    await store.close()


async def test_a_calls_recording_and_summary_are_found(old_calls: OldCalls) -> None:
    await old_calls.put("CA1")
    found = await old_calls.stored.find("recordings", "CA1")
    assert found is not None
    assert await found.whole() == (old_calls.recordings / "CA1.wav").read_bytes()
    assert await old_calls.stored.find("recordings", "CA2") is None
    assert await old_calls.stored.find("recordings", "../CA1") is None
    assert await old_calls.stored.summary("CA1") == "A bell."
    assert await old_calls.stored.summary("CA2") == ""


async def test_to_erase_a_call_takes_all_there_is_of_it(old_calls: OldCalls) -> None:
    await old_calls.put("CA1")
    await old_calls.put("CA2")
    erased = await old_calls.stored.erase("CA1")
    assert erased.record and erased.journal and erased.recording
    assert old_calls.files() == {"CA2.jsonl", "CA2.wav"}
    assert old_calls.discarded == ["CA1"]
    assert not await old_calls.stored.erase("CA1")
    # Its record may wait for the database.
    waiting = old_calls.folder / "records" / "CA1.json"
    waiting.parent.mkdir()
    waiting.write_text("{}")
    await old_calls.stored.erase("CA1")
    assert not waiting.exists()
    await old_calls.stored.delete("CA2")
    assert old_calls.files() == set()
    assert {call.caller for call in await old_calls.store.list()} == {""}


async def test_a_call_that_may_be_going_on_is_erased_only_by_force(old_calls: OldCalls) -> None:
    await old_calls.put("CA1", ended=False)
    with pytest.raises(ConfigError, match="its journal has no end"):
        await old_calls.stored.erase("CA1")
    assert old_calls.files() == {"CA1.jsonl", "CA1.wav"}
    path = old_calls.journals / "CA1.jsonl"
    path.write_text(path.read_text().replace('"journal":', '"journal":9', 1))
    with pytest.raises(ConfigError, match="its journal has no end"):
        await old_calls.stored.erase("CA1")
    assert await old_calls.stored.erase("CA1", force=True)
    assert old_calls.files() == set()


async def test_a_journal_that_cannot_be_read_keeps_nobody_from_erasing(old_calls: OldCalls) -> None:
    await old_calls.put("CA1")
    (old_calls.journals / "CA1.jsonl").write_text("no journal\n")
    assert (await old_calls.stored.erase("CA1")).journal


async def test_what_is_no_call_sid_is_refused(old_calls: OldCalls) -> None:
    with pytest.raises(ConfigError, match="expected a call SID"):
        await old_calls.stored.erase("../../etc/passwd")


async def test_data_older_than_its_retention_is_deleted(old_calls: OldCalls) -> None:
    for days in (1, 10, 100):
        await old_calls.put(f"CA{days}", days=days)
    assert await old_calls.stored.sweep(NOW, RetentionDays()) == 0
    assert await old_calls.stored.sweep(NOW, RetentionDays(recordings=5)) == 2
    assert old_calls.files() == {"CA1.jsonl", "CA10.jsonl", "CA100.jsonl", "CA1.wav"}
    # A journal without a record, of a process that died.
    lost = old_calls.journals / "CAlost.jsonl"
    lost.write_text("{}\n")
    os.utime(lost, (NOW - 60 * DAY, NOW - 60 * DAY))
    assert await old_calls.stored.sweep(NOW, RetentionDays(calls=50)) == 2
    assert old_calls.files() == {"CA1.jsonl", "CA10.jsonl", "CA1.wav"}
    assert await old_calls.stored.sweep(NOW, RetentionDays(calls=50)) == 0


async def test_completed_deliveries_are_deleted_and_their_calls_stay(
    old_calls: OldCalls,
) -> None:
    await old_calls.put("CA1", days=100)
    store = DeliveryStore(old_calls.store.engine)
    for number, days in enumerate((1, 100), start=1):
        left = Delivery(
            id=f"CA{number}-message",
            kind="message",
            call_sid=f"CA{number}",
            agent="shop",
            destination="desk",
            created_at=NOW - days * DAY,
        )
        stored = await store.put(left, NOW)
        assert await store.claim(NOW, lease="a", seconds=9.0, limit=1) == [stored]
        await store.finish(
            attempted(stored, Attempt(wanted=()), NOW, chance=0, dead_seconds=9.0), "a"
        )
    assert await old_calls.stored.sweep(NOW, RetentionDays(deliveries=30)) == 1
    assert [each.delivery.id for each in await store.list()] == ["CA1-message"]
    assert old_calls.files() == {"CA1.jsonl", "CA1.wav"}


async def test_it_is_swept_again_and_again_even_after_a_failure(
    old_calls: OldCalls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hookflash.server")
    await old_calls.put("CA1", days=20_000)
    swept = asyncio.Event()
    sweep, fails = old_calls.stored.sweep, [OSError("the disk is gone")]

    async def once_broken(now: float, days: RetentionDays) -> int:
        if fails:
            raise fails.pop()
        try:
            return await sweep(now, days)
        finally:
            swept.set()

    monkeypatch.setattr(old_calls.stored, "sweep", once_broken)
    loop = asyncio.get_running_loop()
    async with retention_sweep(
        old_calls.stored, RetentionDays(calls=30), wall=SimulatedWorld(0).wall
    ):
        await swept.wait()
        assert loop.time() == SWEEP_SECONDS
    assert old_calls.files() == set()
    assert "could not be deleted" in caplog.text and "deleted" in caplog.text


async def test_without_retention_limits_nothing_is_deleted(old_calls: OldCalls) -> None:
    await old_calls.put("CA1", days=20_000)
    async with retention_sweep(old_calls.stored, RetentionDays()):
        await asyncio.sleep(SWEEP_SECONDS)
    assert old_calls.files() == {"CA1.jsonl", "CA1.wav"}


CALLS = "calls with their transcripts, journals and recordings are deleted after"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (RetentionDays(calls=90), f"{CALLS} 90 days (HOOKFLASH_CALL_RETENTION_DAYS; 0: never)"),
        (RetentionDays(), "calls are never deleted (HOOKFLASH_CALL_RETENTION_DAYS is 0)"),
        (
            RetentionDays(recordings=0.5, deliveries=7),
            "calls are never deleted (HOOKFLASH_CALL_RETENTION_DAYS is 0);"
            " recordings after 0.5 days (HOOKFLASH_RECORDING_RETENTION_DAYS);"
            " deliveries after 7 days (HOOKFLASH_DELIVERY_RETENTION_DAYS)",
        ),
    ],
)
async def test_what_is_deleted_when_is_said_at_the_start(
    old_calls: OldCalls, days: RetentionDays, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hookflash.server")
    async with retention_sweep(old_calls.stored, days, wall=lambda: NOW):
        assert caplog.messages == [f"retention: {said}"]


def test_calls_are_deleted_after_90_days_by_default() -> None:
    storage = Settings().storage
    kept = (
        storage.call_retention_days,
        storage.recording_retention_days,
        storage.delivery_retention_days,
    )
    assert kept == (90, 0, 0)
