"""Journals are in the store soon after they are written, whatever happens to the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hookflash.cluster import journal_shipping
from hookflash.cluster.journal_shipping import JournalShipper
from hookflash.cluster.leases import Leases
from hookflash.cluster.memory import MemoryEngine, MemoryStore


async def _never() -> bool:
    return False


@dataclass
class Node:
    """A node's shipper; `disk` is what its journals have."""

    engine: MemoryEngine
    name: str = "a"
    disk: dict[str, bytes] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = MemoryStore(self.engine, self.name)
        now = asyncio.get_running_loop().time
        self.leases = Leases(store, self.name, now=now, cut_off=_never, on_lost=self.lost.append)
        self.shipper = JournalShipper(store, self.leases, read=self.read)

    async def read(self, call_sid: str) -> bytes:
        return self.disk[call_sid]

    def write(self, call_sid: str, data: bytes) -> None:
        self.disk[call_sid] = self.disk.get(call_sid, b"") + data
        self.shipper.add(call_sid, data)

    def stored(self, call_sid: str) -> bytes:
        return b"".join(self.engine.call(call_sid).journal)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node(MemoryEngine(asyncio.get_running_loop().time))
    async with node.leases.renewing(), node.shipper.shipping():
        await node.leases.take("CA1")
        yield node


async def test_lines_are_in_the_store_after_a_moment_in_one_request(node: Node) -> None:
    await node.leases.take("CA2")
    before = node.engine.operations
    for number in range(10):
        node.write("CA1", b"%d\n" % number)
        node.write("CA2", b"other %d\n" % number)
    await asyncio.sleep(0.15)
    assert node.stored("CA1") == node.disk["CA1"]
    assert node.stored("CA2") == node.disk["CA2"]
    assert node.engine.operations - before == 1
    assert node.shipper.bytes == len(node.disk["CA1"]) + len(node.disk["CA2"])


async def test_lines_wait_for_the_store(node: Node) -> None:
    node.write("CA1", b"one\n")
    node.engine.link("a").down = True
    await asyncio.sleep(5.0)
    node.write("CA1", b"two\n")
    assert not await node.shipper.flush("CA1", seconds=0.2)
    node.engine.link("a").down = False
    await asyncio.sleep(2.0)
    assert node.stored("CA1") == b"one\ntwo\n"


async def test_an_answer_that_is_lost_writes_nothing_twice(node: Node) -> None:
    node.engine.link("a").deaf = True
    node.write("CA1", b"one\n")
    await asyncio.sleep(0.3)
    node.engine.link("a").deaf = False
    node.write("CA1", b"two\n")
    await asyncio.sleep(3.0)
    assert node.stored("CA1") == b"one\ntwo\n"


async def test_a_store_that_has_lost_everything_gets_the_whole_journal(node: Node) -> None:
    node.write("CA1", b"one\n")
    await asyncio.sleep(0.5)
    node.engine.clear()
    await asyncio.sleep(1.0)
    node.write("CA1", b"two\n")
    await asyncio.sleep(1.0)
    assert node.stored("CA1") == b"one\ntwo\n"
    node.write("CA1", b"three\n")
    await asyncio.sleep(1.0)
    assert node.stored("CA1") == b"one\ntwo\nthree\n"


async def test_a_store_that_has_lost_everything_gets_it_though_nothing_is_written(
    node: Node,
) -> None:
    node.leases.on_forgotten = node.shipper.send_again
    node.write("CA1", b"one\n")
    await asyncio.sleep(0.5)
    node.engine.clear()
    await asyncio.sleep(2.0)
    assert node.stored("CA1") == b"one\n"


async def test_what_waits_is_bounded(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_shipping, "WAITING_BYTES", 100)
    node.engine.link("a").down = True
    for _ in range(50):
        node.write("CA1", b"0123456789\n")
    assert node.shipper._calls["CA1"].waiting_bytes == 0
    node.engine.link("a").down = False
    await asyncio.sleep(3.0)
    assert node.stored("CA1") == node.disk["CA1"]


async def test_a_call_that_was_restored_continues_its_journal(node: Node) -> None:
    node.write("CA1", b"one\n")
    await asyncio.sleep(0.5)
    other = Node(node.engine, "b")
    lease = await node.leases.pass_on("CA1", "b")
    assert lease is not None
    node.shipper.drop("CA1")
    other.leases.adopt(lease, asyncio.get_running_loop().time())
    other.disk["CA1"] = node.stored("CA1")
    other.shipper.begin("CA1", 4, stored=True)
    other.write("CA1", b"two\n")
    assert await other.shipper.flush("CA1", seconds=1.0)
    assert node.stored("CA1") == b"one\ntwo\n"


async def test_a_node_that_has_lost_a_call_writes_nothing_more(node: Node) -> None:
    node.write("CA1", b"one\n")
    await asyncio.sleep(0.5)
    call = node.engine.call("CA1")
    call.owner = None
    await MemoryStore(node.engine, "b").acquire("CA1", seconds=60)
    node.write("CA1", b"two\n")
    await asyncio.sleep(1.0)
    assert node.stored("CA1") == b"one\n"
    assert node.lost == ["CA1"]


async def test_a_journal_that_is_too_long_is_reported_once(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hookflash.cluster.memory.JOURNAL_BYTES", 10)
    for _ in range(3):
        node.write("CA1", b"0123456\n")
        await asyncio.sleep(0.5)
    assert node.stored("CA1") == b"0123456\n"
    assert caplog.text.count("too long") == 1
    assert not await node.shipper.flush("CA1", seconds=1.0)


async def test_a_journal_without_a_lease_waits_for_one(node: Node) -> None:
    node.write("CA9", b"one\n")
    await asyncio.sleep(1.0)
    assert node.stored("CA9") == b""
    await node.leases.take("CA9")
    node.write("CA9", b"two\n")
    await asyncio.sleep(1.0)
    assert node.stored("CA9") == b"one\ntwo\n"
