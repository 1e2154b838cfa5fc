from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from hookflash.core.delivery import Delivery
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.erasing import calls_before, erase_record, set_summary
from hookflash.stores.figures import figures
from hookflash.stores.records import RecordStore
from hookflash.stores.search import CallQuery, CallSearch
from hookflash.stores.tables import TOMBSTONE_PREFIX

from .parts import Database
from .test_records import FULL


async def made_store(database: Database) -> AsyncIterator[RecordStore]:
    store = await database.records()
    await store.put(FULL)
    yield store
    await store.close()


store = pytest.fixture(made_store)


async def everything(store: RecordStore) -> str:
    """Return all that is in the database, as one text."""
    tables = "calls", "utterances", "handoffs", "tool_uses", "deliveries", "call_words"
    async with store.engine.connect() as connection:
        rows = [(await connection.execute(text(f"SELECT * FROM {name}"))).all() for name in tables]
    return str(rows)


async def test_an_erased_call_leaves_a_tombstone_without_a_number(store: RecordStore) -> None:
    delivery = Delivery(
        id="CA1:1",
        kind="message",
        call_sid="CA1",
        agent="reception",
        destination="billing",
        created_at=1.0,
        caller=FULL.caller,
    )
    await DeliveryStore(store.engine).put(delivery, 1.0)
    assert await erase_record(store.engine, "CA1")
    assert await store.get("CA1") is None
    (tombstone,) = await store.list()
    assert tombstone.call_sid.startswith(TOMBSTONE_PREFIX)
    kept = replace(
        FULL,
        call_sid=tombstone.call_sid,
        caller="",
        called="",
        utterances=(),
        handoffs=tuple(replace(each, reason="", note="") for each in FULL.handoffs),
        tools=(),
        recorded_from=None,
        summary="",
    )
    assert tombstone == kept
    assert await CallSearch(store.engine).find(CallQuery()) == []
    (whole,) = await figures(store.engine, since=0.0, until=2e9, step=2e9)
    assert (whole.calls, whole.outcomes) == (1, {"declined": 1, "bridged": 1})
    left = await everything(store)
    for secret in ("CA1", FULL.caller, FULL.called, "invoice", "lunch", "Müller", "101015551"):
        assert secret not in left, secret


async def test_a_call_is_erased_once_and_a_stone_not_at_all(store: RecordStore) -> None:
    assert not await erase_record(store.engine, "CA2")
    assert await erase_record(store.engine, "CA1")
    assert not await erase_record(store.engine, "CA1")
    (tombstone,) = await store.list()
    assert not await erase_record(store.engine, tombstone.call_sid)
    assert await store.list() == [tombstone]


async def test_calls_that_are_old_are_found_and_stones_are_not(store: RecordStore) -> None:
    await store.put(replace(FULL, call_sid="CA2", arrived_at=FULL.arrived_at - 5))
    moment = FULL.arrived_at + 1
    assert await calls_before(store.engine, moment, limit=9) == ["CA2", "CA1"]
    assert await calls_before(store.engine, FULL.arrived_at, limit=9) == ["CA2"]
    assert await calls_before(store.engine, moment, limit=1) == ["CA2"]
    await erase_record(store.engine, "CA2")
    assert await calls_before(store.engine, moment, limit=9) == ["CA1"]


async def test_a_summary_is_kept_with_a_call_that_is_still_there(store: RecordStore) -> None:
    assert await set_summary(store.engine, "CA1", "A refund\0.")
    record = await store.get("CA1")
    assert record is not None and record.summary == "A refund\ufffd."
    await erase_record(store.engine, "CA1")
    assert not await set_summary(store.engine, "CA1", "A refund.")
    assert "refund" not in await everything(store)
