"""What a line spends in a day: added up from the database and the live calls, and refused above."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from hookflash.console.prices import Prices
from hookflash.core.call import Call
from hookflash.core.events import CallArrived
from hookflash.core.record import CallRecord
from hookflash.core.setup import CallSetup
from hookflash.server import daily_spend
from hookflash.server.daily_spend import REFRESH_SECONDS, DailySpend
from hookflash.stores.records import RecordStore, open_store
from hookflash_local.simulation.world import SimulatedWorld

MIDNIGHT = 1_790_000_000.0 - 1_790_000_000.0 % 86_400
PRICES = Prices(line=0.6, currency="EUR")
"""A minute of the line costs 0.6."""


class Clock:
    now = MIDNIGHT + 3600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RecordStore]:
    world = SimulatedWorld(0)
    store = await open_store(f"sqlite:///{tmp_path}/calls.db", connect=world.sqlite)
    yield store
    await store.close()
    world.close()


def ended(call_sid: str, arrived_at: float, seconds: float) -> CallRecord:
    return CallRecord(
        call_sid=call_sid,
        agent="shop",
        caller="",
        called="",
        disposition="handled_by_agent",
        arrived_at=arrived_at,
        seconds=seconds,
    )


def live(arrived_at: float) -> Call:
    call = Call(CallSetup())
    call.receive(CallArrived("CA9", "+15550100", "+15550101"), arrived_at)
    return call


async def test_ended_calls_of_today_and_live_calls_are_added_up(store: RecordStore) -> None:
    await store.put(ended("CA1", MIDNIGHT - 60.0, 600.0))
    await store.put(ended("CA2", MIDNIGHT + 60.0, 600.0))
    clock = Clock()
    calls = [live(clock.now - 120.0)]
    spend = DailySpend(10.0, PRICES, store.engine, lambda: calls, clock)
    await spend.refresh()
    assert spend.spent == pytest.approx(6.0 + 1.2)
    assert not spend.over


async def test_a_limit_that_is_reached_is_said_once_and_holds_until_midnight(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put(ended("CA1", MIDNIGHT + 60.0, 600.0))
    clock = Clock()
    spend = DailySpend(6.0, PRICES, store.engine, list, clock)
    assert not spend.over
    for _ in range(2):
        await spend.refresh()
    assert spend.over
    assert caplog.text.count("the line has spent 6.00 EUR since midnight UTC") == 1
    clock.now = MIDNIGHT + 86_399.0
    assert spend.over
    clock.now = MIDNIGHT + 86_400.0
    assert not spend.over, "the new day has its whole limit, before anything is added up"
    await spend.refresh()
    assert spend.spent == 0.0


async def test_it_is_added_up_at_the_start_and_regularly(store: RecordStore) -> None:
    spend = DailySpend(6.0, PRICES, store.engine, list, Clock())
    await store.put(ended("CA1", MIDNIGHT + 60.0, 300.0))
    async with spend.refreshing(lambda seconds: seconds):
        assert spend.spent == 3.0
        await store.put(ended("CA2", MIDNIGHT + 90.0, 300.0))
        await asyncio.sleep(REFRESH_SECONDS + 1.0)
        assert spend.over


async def test_a_database_that_does_not_answer_leaves_the_last_sum(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put(ended("CA1", MIDNIGHT + 60.0, 600.0))
    spend = DailySpend(6.0, PRICES, store.engine, list, Clock())

    async def fails(*_: Any, **__: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    async with spend.refreshing(lambda seconds: seconds):
        assert spend.over
        monkeypatch.setattr(daily_spend, "figures", fails)
        with caplog.at_level(logging.ERROR):
            await asyncio.sleep(REFRESH_SECONDS + 1.0)
        assert "cannot be read: the last sum stays" in caplog.text
        assert spend.over
