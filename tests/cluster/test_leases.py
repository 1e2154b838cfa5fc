"""Which calls a node may act for, while the store answers, hangs, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hookflash.cluster.leases import LEASE_SECONDS, Leases
from hookflash.cluster.memory import MemoryEngine, MemoryStore


@dataclass
class Node:
    """The leases of a node, and what it was told."""

    engine: MemoryEngine
    name: str
    is_cut_off: bool = False
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.engine, self.name)
        self.leases = Leases(
            self.store,
            self.name,
            now=asyncio.get_running_loop().time,
            cut_off=self.cut_off,
            on_lost=self.lost.append,
        )

    async def cut_off(self) -> bool:
        return self.is_cut_off


@pytest.fixture
async def engine() -> MemoryEngine:
    return MemoryEngine(asyncio.get_running_loop().time)


@pytest.fixture
async def a(engine: MemoryEngine) -> AsyncIterator[Node]:
    node = Node(engine, "a")
    async with node.leases.renewing():
        yield node


@pytest.fixture
async def b(engine: MemoryEngine) -> Node:
    return Node(engine, "b")


async def test_a_lease_is_renewed_as_long_as_the_node_lives(a: Node, b: Node) -> None:
    await a.leases.take("CA1")
    await asyncio.sleep(60.0)
    assert a.leases.is_valid("CA1") and a.lost == []
    lease = await b.leases.take("CA1")
    assert lease is not None and lease.node == "a"
    assert not b.leases.has("CA1")


async def test_many_leases_cost_one_request_for_a_hundred(a: Node, engine: MemoryEngine) -> None:
    for number in range(150):
        await a.leases.take(f"CA{number}")
    before = engine.operations
    await asyncio.sleep(10.0)
    assert engine.operations - before <= 2 * 10
    assert all(a.leases.is_valid(f"CA{number}") for number in range(150))


async def test_a_node_that_stood_still_may_not_act_until_the_store_says_so(
    engine: MemoryEngine, b: Node
) -> None:
    still = Node(engine, "a")
    await still.leases.take("CA1")
    await still.leases.take("CA2")
    await asyncio.sleep(LEASE_SECONDS + 0.1)
    await b.leases.take("CA1")
    assert not still.leases.is_valid("CA1")
    assert not await still.leases.confirm("CA1")
    assert still.lost == ["CA1"]
    # Nobody has taken the other call meanwhile.
    assert await still.leases.confirm("CA2")


async def test_calls_go_on_while_the_store_is_down_for_everybody(
    a: Node, engine: MemoryEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await a.leases.take("CA1")
    engine.link("a").down = True
    for _ in range(200):
        await asyncio.sleep(0.1)
        assert a.leases.is_valid("CA1")
    assert await a.leases.take("CA2") is None
    a.leases.take_without_lease("CA2")
    assert a.leases.down and a.leases.is_valid("CA2") and a.leases.lease("CA2") is None
    engine.link("a").down = False
    await asyncio.sleep(1.0)
    assert not a.leases.down and a.leases.recovering
    assert a.leases.lease("CA2") is not None and a.lost == []
    assert [each.levelname for each in caplog.records] == ["ERROR", "INFO"]
    assert "no other node can take them over" in caplog.text


async def test_a_node_that_is_cut_off_stops_when_its_leases_have_lapsed(
    a: Node, b: Node, engine: MemoryEngine
) -> None:
    await a.leases.take("CA1")
    engine.link("a").down = a.is_cut_off = True
    await asyncio.sleep(1.0)
    assert a.leases.is_valid("CA1")
    lease = await b.leases.take("CA1")
    assert lease is not None and lease.node == "a"
    while not b.leases.has("CA1"):
        # Never both.
        await asyncio.sleep(0.05)
        await b.leases.take("CA1")
    assert not a.leases.is_valid("CA1")
    await asyncio.sleep(2.0)
    assert a.lost == ["CA1"]


async def test_a_call_that_another_node_has_taken_is_lost_when_the_store_returns(
    a: Node, b: Node, engine: MemoryEngine
) -> None:
    engine.link("a").down = True
    assert await a.leases.take("CA1") is None
    a.leases.take_without_lease("CA1")
    await b.leases.take("CA1")
    engine.link("a").down = False
    await asyncio.sleep(2.0)
    assert a.lost == ["CA1"] and not a.leases.has("CA1")


async def test_a_call_is_passed_on_released_and_retired(
    a: Node, b: Node, engine: MemoryEngine
) -> None:
    for sid in ("CA1", "CA2", "CA3"):
        await a.leases.take(sid)
    passed = await a.leases.pass_on("CA1", "b")
    assert passed is not None and passed.node == "b"
    await a.leases.release("CA2")
    await a.leases.retire("CA3", seconds=10)
    assert [sid for sid in ("CA1", "CA2", "CA3") if a.leases.has(sid)] == []
    for sid in ("CA1", "CA2", "CA3"):
        lease = await b.leases.take(sid)
        assert lease is not None and lease.node == "b"
    assert a.lost == []
    engine.link("a").down = True
    await a.leases.take("CA4")
    a.leases.take_without_lease("CA4")
    assert await a.leases.pass_on("CA4", "b") is None
    assert await a.leases.pass_on("unknown", "b") is None
