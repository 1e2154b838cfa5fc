from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from hookflash.core.record import CallRecord, HandoffAttempt, ToolUse, Utterance
from hookflash.core.token_usage import Tokens
from hookflash.stores.records import RecordStore

from .parts import Database

FULL = CallRecord(
    call_sid="CA1",
    agent="reception",
    caller="+15550101",
    called="+15550100",
    disposition="handed_off",
    arrived_at=1_790_000_000.125,
    seconds=61.5,
    barge_ins=2,
    utterances=(
        Utterance(speaker="agent", text="Hello, Café Müller.", started_at=0.5, ended_at=2.0),
        Utterance(speaker="caller", text="My invoice is wrong.", started_at=2.5, ended_at=4.0),
        Utterance(
            speaker="agent", text="I will", started_at=4.5, ended_at=5.0, cut=" connect you now."
        ),
    ),
    handoffs=(
        HandoffAttempt(
            destination="billing",
            reason="invoice",
            source="tool",
            started_at=6.0,
            outcome="declined",
            manner="warm",
            target=1,
            note="They are at lunch.",
        ),
        HandoffAttempt(
            destination="billing",
            reason="invoice",
            source="tool",
            started_at=20.0,
            outcome="bridged",
            seconds_to_human=8.25,
        ),
    ),
    tools=(
        ToolUse(
            name="find_invoice",
            arguments='{"number":"7"}',
            output='{"total":12}',
            failed=False,
            started_at=4.1,
            seconds=0.02,
        ),
    ),
    recorded_from=1.5,
    summary="CallQuery: an invoice put right.",
    tokens=Tokens(text_read=55, text_cached=64, sound_read=13, sound_written=3_000_000_000),
)


def plain(number: int, **changes: object) -> CallRecord:
    record = CallRecord(
        call_sid=f"CA{number:03}",
        agent="reception",
        caller="+15550101",
        called="+15550100",
        disposition="handled_by_agent",
        arrived_at=1000.0 + number,
        seconds=1.0,
    )
    return replace(record, **changes)


async def made_store(database: Database) -> AsyncIterator[RecordStore]:
    store = await database.records()
    yield store
    await store.close()


store = pytest.fixture(made_store)


async def test_a_record_comes_back_as_it_was_put(store: RecordStore) -> None:
    await store.put(FULL)
    assert await store.get("CA1") == FULL


async def test_an_unknown_call_has_no_record(store: RecordStore) -> None:
    assert await store.get("CA1") is None
    assert list(await store.list()) == []


async def test_putting_a_record_twice_changes_nothing(store: RecordStore) -> None:
    await store.put(FULL)
    await store.put(FULL)
    assert list(await store.list()) == [FULL]


async def test_a_later_record_of_a_call_replaces_all_of_the_earlier_one(
    store: RecordStore,
) -> None:
    later = replace(FULL, seconds=90.0, utterances=FULL.utterances[:1], tools=())
    await store.put(FULL)
    await store.put(later)
    assert await store.get("CA1") == later


async def test_concurrent_puts_of_one_call_store_one_record(store: RecordStore) -> None:
    await asyncio.gather(*(store.put(FULL) for _ in range(8)))
    assert list(await store.list()) == [FULL]


async def test_records_outlive_the_store_that_wrote_them(database: Database) -> None:
    first = await database.records()
    await first.put(FULL)
    await first.close()
    second = await database.records()
    assert await second.get("CA1") == FULL
    await second.close()


async def test_texts_that_a_database_cannot_hold_are_kept_without_the_impossible_part(
    store: RecordStore,
) -> None:
    odd = Utterance(speaker="caller", text="a\0b\ud800c", started_at=0, ended_at=1)
    await store.put(plain(1, utterances=(odd,)))
    found = await store.get("CA001")
    assert found is not None
    assert found.utterances[0].text == "a\ufffdb?c"


async def test_the_newest_call_comes_first(store: RecordStore) -> None:
    for number in (2, 3, 1):
        await store.put(plain(number))
    assert [record.call_sid for record in await store.list()] == ["CA003", "CA002", "CA001"]


async def test_pages_join_without_a_gap_also_where_calls_arrived_at_the_same_moment(
    store: RecordStore,
) -> None:
    for number in range(7):
        await store.put(plain(number, arrived_at=1000.0 + number // 3))
    seen: list[str] = []
    before = None
    while page := await store.list(limit=2, before=before):
        assert len(page) <= 2
        seen += [record.call_sid for record in page]
        before = seen[-1]
    assert seen == [f"CA{number:03}" for number in (6, 5, 4, 3, 2, 1, 0)]
