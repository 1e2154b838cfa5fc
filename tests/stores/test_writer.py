from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from hookflash.core.record import CallRecord
from hookflash.stores.waiting_records import WaitingRecords
from hookflash.stores.writer import OTHERS_SECONDS, RETRY_SECONDS, WAITING_SECONDS, StoreWriter

from .parts import Database


def record(number: int) -> CallRecord:
    return CallRecord(
        call_sid=f"CA{number}",
        agent="reception",
        caller="+15550101",
        called="+15550100",
        disposition="handled_by_agent",
        arrived_at=float(number),
        seconds=1.0,
    )


class RefusingStore:
    """A store that keeps call SIDs, refuses the first `refusals` writes, and opens when told."""

    def __init__(self, refusals: int = 0) -> None:
        self.stored: list[str] = []
        self.refusals = refusals
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, record: CallRecord) -> None:
        self.asked.set()
        await self.open.wait()
        if self.refusals:
            self.refusals -= 1
            raise OSError("the disk is full")
        self.stored.append(record.call_sid)


async def test_records_are_written_in_the_order_in_which_they_came() -> None:
    refusing = RefusingStore()
    writer = StoreWriter(refusing)
    writer.start()
    for number in range(5):
        writer.put(record(number))
    await writer.flush()
    assert refusing.stored == ["CA0", "CA1", "CA2", "CA3", "CA4"]
    await writer.close()


async def test_taking_a_record_does_not_wait_for_the_store() -> None:
    refusing = RefusingStore()
    refusing.open.clear()
    writer = StoreWriter(refusing)
    writer.start()
    writer.put(record(1))
    writer.put(record(2))
    assert refusing.stored == []
    refusing.open.set()
    await writer.close()
    assert refusing.stored == ["CA1", "CA2"]


async def test_closing_writes_what_still_waits() -> None:
    refusing = RefusingStore()
    writer = StoreWriter(refusing)
    writer.start()
    writer.put(record(1))
    await writer.close()
    assert refusing.stored == ["CA1"]


async def test_a_refused_record_is_tried_again_before_the_next() -> None:
    refusing = RefusingStore(refusals=2)
    writer = StoreWriter(refusing)
    writer.start()
    writer.put(record(1))
    writer.put(record(2))
    await writer.flush()
    assert refusing.stored == ["CA1", "CA2"]
    assert asyncio.get_running_loop().time() == pytest.approx(0.1 + 0.5)
    await writer.close()


async def test_a_record_that_is_always_refused_is_named_and_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing = RefusingStore(refusals=8)
    writer = StoreWriter(refusing)
    writer.start()
    writer.put(record(1))
    writer.put(record(2))
    await writer.flush()
    assert refusing.stored == ["CA2"]
    assert "CA1 ! it was not stored in 8 attempts: its record is not stored" in caplog.messages
    assert asyncio.get_running_loop().time() == pytest.approx(sum(RETRY_SECONDS))
    assert not any("+1555" in message for message in caplog.messages)
    await writer.close()


async def test_closing_cuts_a_long_wait_for_the_next_attempt_short() -> None:
    refusing = RefusingStore(refusals=1)
    writer = StoreWriter(refusing, retry_seconds=(3600,))
    writer.start()
    writer.put(record(1))
    await refusing.asked.wait()
    await writer.close()
    assert refusing.stored == ["CA1"]
    assert asyncio.get_running_loop().time() == 0.0


async def test_a_full_queue_refuses_by_name_and_keeps_what_it_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing = RefusingStore()
    writer = StoreWriter(refusing, size=2)
    for number in range(3):
        writer.put(record(number))
    assert caplog.messages == ["CA2 ! 2 records wait for the database: its record is not stored"]
    writer.start()
    await writer.close()
    assert refusing.stored == ["CA0", "CA1"]


async def test_closing_does_not_wait_for_ever_and_names_what_was_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing = RefusingStore()
    refusing.open.clear()
    writer = StoreWriter(refusing)
    writer.start()
    writer.put(record(1))
    writer.put(record(2))
    await refusing.asked.wait()
    await writer.close()
    assert asyncio.get_running_loop().time() == 10.0
    assert refusing.stored == []
    for number in (1, 2):
        assert f"CA{number} ! the writer is closed: its record is not stored" in caplog.messages


async def test_a_record_after_the_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    writer = StoreWriter(RefusingStore())
    writer.start()
    await writer.close()
    writer.put(record(1))
    assert caplog.messages == [
        "CA1 ! its record came after the writer was closed: its record is not stored"
    ]


async def test_closing_a_writer_that_never_started_is_harmless() -> None:
    await StoreWriter(RefusingStore()).close()


async def test_records_reach_a_database(database: Database) -> None:
    store = await database.records()
    writer = StoreWriter(store)
    writer.start()
    for number in range(20):
        writer.put(record(number))
    await writer.close()
    assert {found.call_sid for found in await store.list()} == {f"CA{n}" for n in range(20)}
    await store.close()


# --- records that wait on disk -------------------------------------------------------------------


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "records").glob("*")}


async def test_a_record_is_on_disk_while_the_database_refuses_it(tmp_path: Path) -> None:
    refusing = RefusingStore(refusals=2)
    writer = StoreWriter(refusing, waiting=WaitingRecords(tmp_path))
    writer.start()
    writer.put(record(1))
    await asyncio.sleep(0.05)
    assert files(tmp_path) == {"CA1.json"}
    assert (tmp_path / "records" / "CA1.json").stat().st_mode & 0o777 == 0o600
    assert writer.waiting == 1
    await writer.flush()
    assert refusing.stored == ["CA1"]
    assert files(tmp_path) == set()
    assert writer.waiting == 0
    await writer.close()


async def test_a_long_outage_of_the_database_loses_no_record(tmp_path: Path) -> None:
    refusing = RefusingStore(refusals=1_000_000)
    writer = StoreWriter(refusing, waiting=WaitingRecords(tmp_path), size=3)
    writer.start()
    for number in range(6):
        # More than the queue has room for.
        writer.put(record(number))
    await asyncio.sleep(3600)
    assert files(tmp_path) == {f"CA{number}.json" for number in range(6)}
    refusing.refusals = 0
    await asyncio.sleep(WAITING_SECONDS)
    assert sorted(refusing.stored) == [f"CA{number}" for number in range(6)]
    assert files(tmp_path) == set()
    await writer.close()


async def test_the_next_process_stores_what_the_last_one_could_not(tmp_path: Path) -> None:
    refusing = RefusingStore(refusals=1_000_000)
    writer = StoreWriter(refusing, waiting=WaitingRecords(tmp_path))
    writer.start()
    writer.put(record(1))
    writer.put(record(2))
    await writer.close()
    writer.put(record(3))
    assert files(tmp_path) == {"CA1.json", "CA2.json", "CA3.json"}
    now = max(path.stat().st_mtime for path in (tmp_path / "records").iterdir())
    for path in (tmp_path / "records").iterdir():
        os.utime(path, (now, now))
    # A file that was just written belongs to a process that may still be there.
    store = RefusingStore()
    for seconds, stored in ((OTHERS_SECONDS - 1, []), (OTHERS_SECONDS, ["CA1", "CA2", "CA3"])):
        successor = StoreWriter(
            store, waiting=WaitingRecords(tmp_path), wall=lambda late=seconds: now + late
        )
        successor.start()
        await asyncio.sleep(1)
        await successor.close()
        assert sorted(store.stored) == stored
    assert files(tmp_path) == set()


async def test_a_record_on_disk_never_replaces_a_later_one(tmp_path: Path) -> None:
    refusing = RefusingStore(refusals=len(RETRY_SECONDS) + 1)
    writer = StoreWriter(refusing, waiting=WaitingRecords(tmp_path))
    writer.start()
    writer.put(record(1))
    writer.put(replace(record(1), summary="later"))
    await asyncio.sleep(3 * WAITING_SECONDS + sum(RETRY_SECONDS))
    assert refusing.stored == ["CA1"]
    assert files(tmp_path) == set()
    await writer.close()


async def test_a_file_that_is_no_record_is_named_and_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "CA0.json").write_text("{")
    os.utime(tmp_path / "records" / "CA0.json", (1.0, 1.0))
    waiting = WaitingRecords(tmp_path)
    waiting.put(record(1))
    os.utime(tmp_path / "records" / "CA1.json", (2.0, 2.0))
    store = RefusingStore()
    writer = StoreWriter(store, waiting=waiting)
    writer.start()
    await asyncio.sleep(1)
    await writer.close()
    assert store.stored == ["CA1"]
    assert "CA0.json cannot be read and is not stored" in caplog.text
    assert waiting.read("CA9") is None


async def test_a_disk_that_is_full_as_well_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "records").write_text("no folder")
    writer = StoreWriter(RefusingStore(refusals=100), waiting=WaitingRecords(tmp_path))
    writer.start()
    writer.put(record(1))
    await writer.flush()
    assert "CA1 ! its record cannot be written to disk" in caplog.text
    assert "CA1 ! it was not stored in 8 attempts: its record is not stored" in caplog.text
    writer.forget("CA1")
    assert "CA1 ! its record on disk cannot be deleted" in caplog.text
    await writer.close()


async def test_an_erased_call_has_no_record_on_disk(tmp_path: Path) -> None:
    writer = StoreWriter(RefusingStore(refusals=100), waiting=WaitingRecords(tmp_path))
    writer.start()
    writer.put(record(1))
    await writer.flush()
    assert files(tmp_path) == {"CA1.json"}
    writer.forget("CA1")
    assert files(tmp_path) == set()
    with pytest.raises(OSError, match="is no call SID"):
        WaitingRecords(tmp_path).remove("../CA1")
    await writer.close()
