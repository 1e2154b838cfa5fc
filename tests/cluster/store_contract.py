"""What every cluster store does. `test_memory_store` and `test_redis_store` run these tests.

Each of them has a fixture `stores`. The tests on a real Redis server need another event loop, which
a mark on a parameter would choose too late: so they are two modules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hookflash.cluster.port import (
    AGAIN,
    JOURNAL_BYTES,
    KEPT,
    Append,
    ClusterStore,
    Lease,
    Node,
    StoreDown,
)

LEASE = 0.3
"""Seconds: short, because tests of the real server wait for leases to lapse."""


@dataclass
class Stores:
    """Two nodes of one line, and how to stop and start what they share."""

    a: ClusterStore
    b: ClusterStore
    other_line: ClusterStore | None
    stop: Callable[[], None]
    start: Callable[[], None]


async def test_a_call_has_one_owner(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    assert (lease.call_sid, lease.node) == ("CA1", "a")
    assert await stores.b.acquire("CA1", seconds=60) == lease
    assert await stores.a.acquire("CA1", seconds=60) == lease
    assert await stores.b.owner("CA1") == lease
    assert await stores.b.owner("CA2") is None


async def test_of_many_who_acquire_at_once_one_is_the_owner(stores: Stores) -> None:
    found = await asyncio.gather(
        *(store.acquire("CA1", seconds=60) for store in (stores.a, stores.b) * 10)
    )
    assert len(set(found)) == 1


async def test_a_lease_lapses_and_the_next_one_has_a_higher_number(stores: Stores) -> None:
    first = await stores.a.acquire("CA1", seconds=LEASE)
    await asyncio.sleep(LEASE + 0.1)
    assert await stores.a.owner("CA1") is None
    second = await stores.b.acquire("CA1", seconds=LEASE)
    assert second.node == "b" and second.number > first.number
    assert await stores.a.renew([first], seconds=LEASE) == [False]


async def test_a_renewed_lease_does_not_lapse(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=LEASE)
    for _ in range(3):
        await asyncio.sleep(LEASE / 2)
        assert await stores.a.renew([lease], seconds=LEASE) == [True]
    assert await stores.b.acquire("CA1", seconds=LEASE) == lease


async def test_a_lapsed_lease_that_nobody_took_can_be_renewed(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=LEASE)
    other = await stores.b.acquire("CA2", seconds=60)
    await asyncio.sleep(LEASE + 0.1)
    stranger = Lease("CA2", "a", other.number - 1)
    assert list(await stores.a.renew([lease, stranger], seconds=LEASE)) == [True, False]
    assert await stores.b.acquire("CA1", seconds=LEASE) == lease


async def test_a_lease_that_was_taken_and_given_up_cannot_be_renewed(stores: Stores) -> None:
    first = await stores.a.acquire("CA1", seconds=LEASE)
    await asyncio.sleep(LEASE + 0.1)
    await stores.b.release(await stores.b.acquire("CA1", seconds=LEASE))
    assert list(await stores.a.renew([first], seconds=LEASE)) == [False]


async def test_many_leases_are_renewed_in_one_request(stores: Stores) -> None:
    leases = [await stores.a.acquire(f"CA{n}", seconds=60) for n in range(120)]
    assert all(await stores.a.renew(leases, seconds=60))
    assert list(await stores.a.renew([], seconds=60)) == []


async def test_only_the_owner_gives_a_call_up(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    await stores.b.release(Lease("CA1", "b", lease.number))
    assert await stores.b.owner("CA1") == lease
    await stores.a.release(lease)
    assert (await stores.b.acquire("CA1", seconds=60)).node == "b"


async def test_a_call_is_passed_on_once(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    passed = await stores.a.pass_on(lease, "b", seconds=60)
    assert passed is not None and passed.node == "b" and passed.number > lease.number
    assert await stores.b.acquire("CA1", seconds=60) == passed
    assert await stores.a.pass_on(lease, "c", seconds=60) is None
    assert list(await stores.a.renew([lease], seconds=60)) == [False]


async def test_a_journal_is_what_was_appended(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    other = await stores.a.acquire("CA2", seconds=60)
    first, second = await stores.a.append(
        [Append(lease, 0, b"one\n"), Append(other, 0, b"\0\xff\n")], seconds=60
    )
    assert (first.outcome, first.size, second.size) == ("done", 4, 3)
    (third,) = await stores.a.append([Append(lease, 4, b"two\n")], seconds=60)
    assert (third.outcome, third.size) == ("done", 8)
    assert await stores.b.journal("CA1") == b"one\ntwo\n"
    assert await stores.b.journal("CA2") == b"\0\xff\n"
    assert await stores.b.journal("CA3") == b""


async def test_a_long_journal_is_read_whole(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    size, data = 0, b""
    while len(data) < 1200 * 7:
        batch = [Append(lease, size + 7 * n, b"%06d\n" % (len(data) // 7 + n)) for n in range(100)]
        answers = await stores.a.append(batch, seconds=60)
        assert {each.outcome for each in answers} == {"done"}
        data += b"".join(each.data for each in batch)
        size = answers[-1].size
    assert await stores.b.journal("CA1") == data


async def test_an_old_owner_appends_nothing(stores: Stores) -> None:
    old = await stores.a.acquire("CA1", seconds=60)
    await stores.a.append([Append(old, 0, b"one\n")], seconds=60)
    new = await stores.a.pass_on(old, "b", seconds=60)
    assert new is not None
    (refused,) = await stores.a.append([Append(old, 4, b"two\n")], seconds=60)
    assert refused.outcome == "fenced"
    assert (await stores.a.replace(old, b"all\n", seconds=60)).outcome == "fenced"
    (taken,) = await stores.b.append([Append(new, 4, b"six\n")], seconds=60)
    assert taken.outcome == "done"
    assert await stores.b.journal("CA1") == b"one\nsix\n"


async def test_an_append_renews_the_lease(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=LEASE)
    for n in range(3):
        await asyncio.sleep(LEASE / 2)
        await stores.a.append([Append(lease, n, b"x")], seconds=LEASE)
    assert await stores.b.acquire("CA1", seconds=LEASE) == lease


async def test_a_gap_is_noticed_and_a_journal_is_replaced(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    await stores.a.append([Append(lease, 0, b"one\n")], seconds=60)
    (gap,) = await stores.a.append([Append(lease, 8, b"three\n")], seconds=60)
    assert (gap.outcome, gap.size) == ("gap", 4)
    replaced = await stores.a.replace(lease, b"one\ntwo\nthree\n", seconds=60)
    assert (replaced.outcome, replaced.size) == ("done", 14)
    assert await stores.b.journal("CA1") == b"one\ntwo\nthree\n"


async def test_a_journal_is_bounded(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("memory", "redis_store"):
        monkeypatch.setattr(f"hookflash.cluster.{module}.JOURNAL_BYTES", 10)
    assert JOURNAL_BYTES > 1_000_000
    lease = await stores.a.acquire("CA1", seconds=60)
    first, second = await stores.a.append(
        [Append(lease, 0, b"0123456"), Append(lease, 7, b"0123456")], seconds=60
    )
    assert (first.outcome, second.outcome, second.size) == ("done", "full", 7)
    assert await stores.b.journal("CA1") == b"0123456"


async def test_a_retired_journal_stays_for_a_while(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=LEASE)
    await stores.a.append([Append(lease, 0, b"one\n")], seconds=LEASE)
    await stores.b.retire(Lease("CA1", "b", lease.number), seconds=LEASE)
    assert await stores.b.owner("CA1") == lease
    await stores.a.retire(lease, seconds=LEASE)
    assert await stores.b.owner("CA1") is None
    assert await stores.b.journal("CA1") == b"one\n"
    await asyncio.sleep(LEASE + 0.1)
    assert await stores.b.journal("CA1") == b""


async def test_a_call_is_forgotten(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    await stores.a.append([Append(lease, 0, b"one\n")], seconds=60)
    await stores.b.forget("CA1")
    assert await stores.b.journal("CA1") == b""
    assert await stores.b.owner("CA1") is None


async def test_nodes_are_up_as_long_as_they_announce_themselves(stores: Stores) -> None:
    a = Node(name="a", address="http://10.0.0.1:7000", host="one", live=3)
    b = Node(name="b", address="http://10.0.0.2:7000", draining=True)
    await stores.b.announce(b, seconds=60)
    await stores.a.announce(a, seconds=LEASE)
    assert list(await stores.b.nodes()) == [a, b]
    await asyncio.sleep(LEASE + 0.1)
    assert list(await stores.b.nodes()) == [b]
    await stores.b.announce(b, seconds=60)
    await stores.b.leave()
    assert list(await stores.a.nodes()) == []
    if stores.other_line is not None:
        await stores.a.announce(a, seconds=60)
        assert list(await stores.other_line.nodes()) == []


async def test_a_token_is_used_once(stores: Stores) -> None:
    assert await stores.a.use_once("token", seconds=LEASE)
    assert not await stores.b.use_once("token", seconds=LEASE)
    assert await stores.b.use_once("another", seconds=LEASE)
    await asyncio.sleep(LEASE + 0.1)
    assert await stores.b.use_once("token", seconds=LEASE)


async def test_a_store_that_stops_is_down_and_returns_empty(stores: Stores) -> None:
    lease = await stores.a.acquire("CA1", seconds=60)
    await stores.a.append([Append(lease, 0, b"one\n")], seconds=60)
    stores.stop()
    for request in (
        stores.a.acquire("CA2", seconds=60),
        stores.a.renew([lease], seconds=60),
        stores.a.append([Append(lease, 4, b"two\n")], seconds=60),
        stores.b.journal("CA1"),
        stores.b.nodes(),
    ):
        with pytest.raises(StoreDown):
            await request
    stores.start()
    assert list(await stores.a.renew([lease], seconds=60)) == [AGAIN]
    assert list(await stores.a.renew([lease], seconds=60)) == [KEPT]
    (gap,) = await stores.a.append([Append(lease, 4, b"two\n")], seconds=60)
    assert (gap.outcome, gap.size) == ("gap", 0)
    assert await stores.b.acquire("CA1", seconds=60) == lease
    later = await stores.a.pass_on(lease, "b", seconds=60)
    assert later is not None and later.number > lease.number
