"""The cluster store in memory, on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from hookflash.cluster.memory import MemoryEngine, MemoryStore
from hookflash.cluster.port import StoreDown

from .store_contract import *  # noqa: F403  # the tests, which pytest finds here
from .store_contract import LEASE, Stores


@pytest.fixture
async def engine() -> MemoryEngine:
    return MemoryEngine(asyncio.get_running_loop().time)


@pytest.fixture
async def stores(engine: MemoryEngine) -> Stores:
    def stop() -> None:
        engine.link("a").down = engine.link("b").down = True

    def start() -> None:
        engine.clear()
        engine.link("a").down = engine.link("b").down = False

    return Stores(MemoryStore(engine, "a"), MemoryStore(engine, "b"), None, stop, start)


async def test_a_link_delays_requests_and_answers(engine: MemoryEngine) -> None:
    engine.link("a").delay = 0.05
    loop = asyncio.get_running_loop()
    began = loop.time()
    await MemoryStore(engine, "a").acquire("CA1", seconds=LEASE)
    assert loop.time() - began == pytest.approx(0.1)


async def test_a_request_whose_answer_is_lost_has_its_effect(engine: MemoryEngine) -> None:
    a, b = MemoryStore(engine, "a"), MemoryStore(engine, "b")
    engine.link("a").deaf = True
    with pytest.raises(StoreDown):
        await a.acquire("CA1", seconds=60)
    engine.link("a").deaf = False
    assert (await b.acquire("CA1", seconds=60)).node == "a"


async def test_one_node_can_be_cut_off(engine: MemoryEngine) -> None:
    a, b = MemoryStore(engine, "a"), MemoryStore(engine, "b")
    engine.link("a").down = True
    with pytest.raises(StoreDown):
        await a.acquire("CA1", seconds=60)
    assert (await b.acquire("CA1", seconds=60)).node == "b"
