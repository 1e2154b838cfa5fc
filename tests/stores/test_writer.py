from __future__ import annotations

import asyncio

import pytest

from hookflash.core.record import CallRecord
from hookflash.stores.writer import RETRY_SECONDS, StoreWriter

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
    assert "CA1 ! its record is not stored after 8 attempts" in caplog.messages
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
    assert caplog.messages == ["CA2 ! its record is not stored: 2 others wait for the database"]
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
    assert "CA1 ! its record is not stored" in caplog.messages
    assert "CA2 ! its record is not stored" in caplog.messages


async def test_a_record_after_the_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    writer = StoreWriter(RefusingStore())
    writer.start()
    await writer.close()
    writer.put(record(1))
    assert caplog.messages == ["CA1 ! its record came after the writer was closed: not stored"]


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
