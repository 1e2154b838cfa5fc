from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import COMPLETION_SECONDS, Attempt, TrackedDelivery, attempted
from hookflash.stores.deliveries import DeliveryStore

from .parts import Database

NOW = 1_764_000_000.0


def delivery(number: int = 1, **about: Any) -> Delivery:
    made = Delivery(
        id=f"CA{number}-callback",
        kind="callback",
        call_sid=f"CA{number}",
        agent="shop",
        destination="billing",
        created_at=NOW + number,
        caller="+15550101",
        number="+15550102",
        wish="after five o'clock",
    )
    return replace(made, **about)


async def made_store(database: Database) -> AsyncIterator[DeliveryStore]:
    engine = await database.engine()
    yield DeliveryStore(engine)
    await engine.dispose()


store = pytest.fixture(made_store)


def attempt(kept: TrackedDelivery, *, taken: bool = True, at: float = NOW) -> TrackedDelivery:
    made = Attempt(wanted=("hook",), accepted=("hook",) if taken else (), error="no")
    return attempted(kept, made, at, chance=0.5, dead_seconds=10.0)


async def claim(store: DeliveryStore, lease: str = "a", now: float = NOW, limit: int = 8) -> Any:
    return await store.claim(now, lease=lease, seconds=60.0, limit=limit)


async def test_a_delivery_is_kept_as_it_is_and_claimed_once(store: DeliveryStore) -> None:
    kept = await store.put(delivery(), NOW)
    assert kept == TrackedDelivery(delivery=delivery(), due_at=NOW)
    assert await store.get("CA1-callback") == kept
    assert await store.next_due() == NOW
    assert await claim(store) == [kept]
    assert await claim(store, "b") == []
    assert await store.next_due() == NOW + 60


async def test_old_deliveries_that_are_not_waiting_are_deleted(store: DeliveryStore) -> None:
    for number in range(1, 4):
        await store.put(delivery(number), NOW)
    first, second, _ = sorted(await claim(store), key=lambda kept: kept.delivery.id)
    assert await store.finish(attempt(first), "a")
    assert await store.finish(attempt(second), "a")
    assert await store.forget_before(first.delivery.created_at) == 0
    # The third waits, however old it is.
    assert await store.forget_before(NOW + 100) == 2
    assert [kept.delivery.id for kept in await store.list()] == ["CA3-callback"]


async def test_putting_the_same_twice_changes_nothing(store: DeliveryStore) -> None:
    first = await store.put(delivery(), NOW)
    assert await store.put(delivery(), NOW + 9) == first
    assert await store.list() == [first]


async def test_late_parts_are_joined_even_when_they_come_at_once(store: DeliveryStore) -> None:
    fields = ("reason", "summary", "transcript", "recording_url")
    parts = [delivery(complete=False, **{name: name}) for name in fields]
    await asyncio.gather(*(store.put(part, NOW) for part in parts))
    kept = await store.get("CA1-callback")
    assert kept is not None
    assert [getattr(kept.delivery, name) for name in fields] == list(fields)
    assert kept.due_at == NOW + COMPLETION_SECONDS
    assert await claim(store) == []
    await store.put(delivery(), NOW + 1)
    assert len(await claim(store, now=NOW + 1)) == 1


async def test_what_was_delivered_is_claimed_no_more(store: DeliveryStore) -> None:
    await store.put(delivery(), NOW)
    (kept,) = await claim(store)
    assert await store.finish(attempt(kept), "a")
    assert await claim(store, now=NOW + 10_000) == []
    assert await store.next_due() is None
    assert await store.counts() == {"delivered": 1}


async def test_what_failed_is_due_again_later(store: DeliveryStore) -> None:
    await store.put(delivery(), NOW)
    (kept,) = await claim(store)
    failed = attempt(kept, taken=False)
    assert await store.finish(failed, "a")
    assert await claim(store, now=failed.due_at - 1) == []
    assert await claim(store, now=failed.due_at) == [failed]


async def test_a_lease_ends_with_its_time_so_that_another_takes_over(store: DeliveryStore) -> None:
    await store.put(delivery(), NOW)
    (kept,) = await claim(store, "dead worker")
    assert await claim(store, "b", NOW + 59) == []
    assert await claim(store, "b", NOW + 60) == [kept]
    assert not await store.finish(attempt(kept), "dead worker")
    assert (await store.get("CA1-callback")) == kept
    assert await store.finish(attempt(kept), "b")


async def test_a_lease_that_is_let_go_is_free_at_once(store: DeliveryStore) -> None:
    await store.put(delivery(), NOW)
    await claim(store)
    await store.release("a")
    assert len(await claim(store, "b")) == 1


async def test_an_attempt_of_an_older_revision_counts_for_nothing(store: DeliveryStore) -> None:
    await store.put(delivery(complete=False), NOW)
    (kept,) = await claim(store, now=NOW + COMPLETION_SECONDS)
    await store.put(delivery(transcript="Hello."), NOW + COMPLETION_SECONDS + 1)
    assert not await store.finish(attempt(kept), "a")
    (again,) = await claim(store, "b", NOW + COMPLETION_SECONDS + 1)
    assert (again.delivery.transcript, again.revision) == ("Hello.", 2)


async def test_many_workers_that_claim_at_once_get_each_delivery_once(
    store: DeliveryStore,
) -> None:
    for number in range(20):
        await store.put(delivery(number), NOW)
    claims = [claim(store, f"worker {name}", limit=3) for name in range(8)]
    claimed = [kept.delivery.id for found in await asyncio.gather(*claims) for kept in found]
    assert len(claimed) == len(set(claimed))
    while found := await claim(store, "last", limit=3):
        claimed += [kept.delivery.id for kept in found]
    assert sorted(claimed) == sorted(delivery(number).id for number in range(20))


async def test_what_is_due_first_is_claimed_first(store: DeliveryStore) -> None:
    for number, at in ((1, 30.0), (2, 10.0), (3, 20.0)):
        await store.put(delivery(number), NOW + at)
    found = await claim(store, now=NOW + 60, limit=2)
    assert [kept.delivery.call_sid for kept in found] == ["CA2", "CA3"]


async def test_what_is_dead_stays_and_can_be_tried_again(store: DeliveryStore) -> None:
    for number in (1, 2):
        await store.put(delivery(number), NOW)
    for kept in await claim(store):
        await store.finish(attempt(attempt(kept, taken=False), taken=False, at=NOW + 10), "a")
    assert await store.counts() == {"dead": 2}
    assert await claim(store, now=NOW + 10_000) == []
    assert await store.revive(NOW + 20, delivery_id="CA1-callback") == 1
    assert await store.revive(NOW + 20, delivery_id="CA9-callback") == 0
    assert [kept.delivery.call_sid for kept in await store.list(state="dead")] == ["CA2"]
    assert await store.revive(NOW + 20, state="unroutable") == 0
    assert await store.revive(NOW + 20) == 1
    assert len(await claim(store, now=NOW + 20)) == 2


async def test_pages_are_read_newest_first(store: DeliveryStore) -> None:
    for number in range(5):
        await store.put(delivery(number), NOW)
    page = await store.list(limit=2)
    rest = await store.list(limit=9, before=page[-1].delivery.id)
    sids = [kept.delivery.call_sid for kept in (*page, *rest)]
    assert sids == ["CA4", "CA3", "CA2", "CA1", "CA0"]
    assert [kept.delivery.id for kept in await store.list(call_sid="CA3")] == ["CA3-callback"]
    assert await store.get("CA9-callback") is None


async def test_any_text_can_be_kept(store: DeliveryStore) -> None:
    said = "caf\u00e9 \0 \ud83d, 'quoted' \\ and \U0001f600"
    await store.put(delivery(summary=said), NOW)
    kept = await store.get("CA1-callback")
    assert kept is not None
    assert kept.delivery.summary == "caf\u00e9 \0 ?, 'quoted' \\ and \U0001f600"


async def test_a_call_that_is_deleted_leaves_nothing_behind(database: Database) -> None:
    records = await database.records()
    store = DeliveryStore(records.engine)
    await store.put(delivery(1), NOW)
    await store.put(delivery(2), NOW)
    await records.delete("CA1")
    assert [kept.delivery.call_sid for kept in await store.list()] == ["CA2"]
    await records.close()


async def test_a_delivery_that_an_older_process_stored_as_kept_is_unroutable(
    store: DeliveryStore,
) -> None:
    await store.put(delivery(), NOW)
    (claimed,) = await claim(store)
    unroutable = attempted(claimed, Attempt(wanted=()), NOW, chance=0.5, dead_seconds=10.0)
    assert await store.finish(unroutable, "a")
    async with store._engine.begin() as connection:
        await connection.execute(
            text("UPDATE deliveries SET state = 'kept', kept = replace(kept, 'unroutable', 'kept')")
        )
    assert list(await store.list(state="unroutable")) == [unroutable]
    assert await store.counts() == {"unroutable": 1}
    assert await store.revive(NOW + 9, state="unroutable") == 1
    assert await store.counts() == {"waiting": 1}
