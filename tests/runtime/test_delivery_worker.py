from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.delivery_worker import DeliveryWorker, NotTaken
from hookflash.runtime.outbox import Outbox
from hookflash.stores.database import open_database
from hookflash.stores.deliveries import DeliveryStore
from hookflash_local.simulation.world import SimulatedWorld


def delivery(number: int = 1, **about: Any) -> Delivery:
    return Delivery(
        id=f"CA{number}-callback",
        kind="callback",
        call_sid=f"CA{number}",
        agent="shop",
        destination="billing",
        created_at=float(number),
        number="+15550102",
        **about,
    )


class Outlet:
    """Takes deliveries, or does with each what `does` says."""

    def __init__(
        self,
        name: str = "hook",
        does: Callable[[TrackedDelivery], Any] = lambda kept: None,
        seconds: float = 5.0,
    ) -> None:
        self.name = name
        self.seconds = seconds
        self.does = does
        self.wanting = True
        self.taken: list[TrackedDelivery] = []
        self.news = asyncio.Event()

    def wants(self, delivery: Delivery) -> bool:
        return self.wanting

    async def send(self, kept: TrackedDelivery) -> None:
        result = self.does(kept)
        if result is not None:
            await result
        self.taken.append(kept)
        self.news.set()

    async def has(self, number: int) -> list[str]:
        """Wait until it has taken so many; return their ids."""
        async with asyncio.timeout(3600):
            while len(self.taken) < number:
                self.news.clear()
                await self.news.wait()
        return [kept.delivery.id for kept in self.taken]


class Times:
    """Fails the first times that it is called."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self, kept: TrackedDelivery) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    engine = await open_database(
        f"sqlite:///{tmp_path}/deliveries.db", connect=SimulatedWorld(0).sqlite
    )
    yield DeliveryStore(engine)
    await engine.dispose()


class Office:
    """An outbox and its postman on a store."""

    def __init__(self, store: Any, outlets: Sequence[Outlet], **about: Any) -> None:
        self.clock = SystemClock(world=SimulatedWorld(0))
        self.postman = DeliveryWorker(
            store, outlets, clock=self.clock, chance=lambda: 0.5, **{"poll_seconds": 20.0, **about}
        )
        self.box = Outbox(store, self.postman, clock=self.clock)

    async def __aenter__(self) -> Outbox:
        self.box.start()
        return self.box

    async def __aexit__(self, *_: object) -> None:
        await self.box.close(5.0)


async def state(store: DeliveryStore, wanted: str, number: int = 1) -> TrackedDelivery:
    """Wait until a delivery is in this state."""
    async with asyncio.timeout(3600):
        while True:
            kept = await store.get(f"CA{number}-callback")
            if kept is not None and kept.state == wanted:
                return kept
            await asyncio.sleep(1)


async def test_a_delivery_is_sent_once_and_stays_stored(
    store: DeliveryStore,
) -> None:
    hook = Outlet()
    office = Office(store, [hook])
    async with office as box:
        for number in range(20):
            box.deliver(delivery(number))
        assert sorted(await hook.has(20)) == sorted(delivery(n).id for n in range(20))
        kept = await state(store, "delivered", 7)
    assert kept.accepted == ("hook",)
    assert len(hook.taken) == 20
    assert office.postman.outcomes == {"delivered": 20}
    assert await store.counts() == {"delivered": 20}


async def test_a_failure_is_tried_again_and_only_where_it_failed(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    hook, webhook = Outlet(), Outlet("webhook")
    webhook.does = Times(2, NotTaken("answered 503"))
    with caplog.at_level(logging.INFO):
        office = Office(store, [hook, webhook])
        async with office as box:
            box.deliver(delivery())
            kept = await state(store, "delivered")
    assert office.postman.outcomes == {"failed": 2, "delivered": 1}
    assert (len(hook.taken), len(webhook.taken), kept.attempts) == (1, 1, 3)
    assert "CA1 ! callback CA1-callback again in 5 s: webhook: answered 503" in caplog.text
    assert "CA1 = callback CA1-callback delivered to hook, webhook" in caplog.text
    assert "0102" not in caplog.text


async def test_an_outlet_that_breaks_or_hangs_is_one_that_failed(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Outlet("broken", Times(1, ValueError("no such number +15550102")))
    hanging = Outlet("hanging", seconds=2)
    hung: list[int] = []

    def hang(kept: TrackedDelivery) -> Any:
        hung.append(1)
        return asyncio.sleep(60) if len(hung) == 1 else None

    hanging.does = hang
    async with Office(store, [broken, hanging]) as box:
        box.deliver(delivery())
        await state(store, "delivered")
    assert "broken: ValueError: no such number …02; hanging: no answer within 2 s" in caplog.text
    assert "outlet broken failed" in caplog.text


async def test_who_asks_us_to_wait_is_not_asked_earlier(store: DeliveryStore) -> None:
    hook = Outlet(does=Times(1, NotTaken("busy", retry_seconds=400.0)))
    office = Office(store, [hook])
    async with office as box:
        begun = office.clock.now()
        box.deliver(delivery())
        await hook.has(1)
        assert office.clock.now() - begun == pytest.approx(400.0, abs=0.1)


async def test_after_days_of_failures_a_delivery_is_dead_and_stays_stored(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Outlet(does=Times(10_000, NotTaken("answered 500")))
    async with Office(store, [hook], dead_seconds=60.0) as box:
        box.deliver(delivery())
        kept = await state(store, "dead")
    assert kept.delivery == delivery()
    assert "CA1 ! callback CA1-callback is given up: hook: answered 500" in caplog.text


async def test_a_delivery_without_an_outlet_is_unroutable_until_there_is_one(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = Outlet()
    nobody.wanting = False
    async with Office(store, [nobody]) as box:
        box.deliver(delivery())
        await state(store, "unroutable")
    assert "CA1 ! callback CA1-callback is unroutable: no outlet wants it" in caplog.text
    hook = Outlet()
    async with Office(store, [hook]):
        assert await hook.has(1) == ["CA1-callback"]


async def test_what_is_not_complete_waits_for_the_rest_and_goes_out_once(
    store: DeliveryStore,
) -> None:
    hook = Outlet()
    async with Office(store, [hook]) as box:
        box.deliver(delivery(complete=False))
        await box.flush()
        await asyncio.sleep(120)
        assert hook.taken == []
        box.deliver(delivery(transcript="Please call."))
        await hook.has(1)
    (kept,) = hook.taken
    assert (kept.delivery.transcript, kept.revision) == ("Please call.", 2)


async def test_a_rest_that_does_not_come_is_waited_for_a_bounded_time(
    store: DeliveryStore,
) -> None:
    hook = Outlet()
    office = Office(store, [hook])
    async with office as box:
        begun = office.clock.now()
        box.deliver(delivery(complete=False))
        await hook.has(1)
        assert office.clock.now() - begun == pytest.approx(180, abs=0.1)
        await state(store, "delivered")
        box.deliver(delivery(transcript="Please call."))
        await hook.has(2)
    assert [kept.revision for kept in hook.taken] == [1, 2]


async def test_a_process_that_died_leaves_its_work_to_the_next(store: DeliveryStore) -> None:
    clock = SystemClock(world=SimulatedWorld(0))
    await store.put(delivery(), clock.now())
    assert await store.claim(clock.now(), lease="dead", seconds=20.0, limit=1)
    hook = Outlet()
    async with Office(store, [hook]):
        assert await hook.has(1) == ["CA1-callback"]


async def test_two_workers_share_the_work_and_none_is_done_twice(store: DeliveryStore) -> None:
    one, two = Outlet(), Outlet()
    offices = Office(store, [one]), Office(store, [two])
    async with offices[0] as box, offices[1] as other:
        for number in range(30):
            (box if number % 2 else other).deliver(delivery(number))
        for number in range(30):
            await state(store, "delivered", number)
    taken = [kept.delivery.id for kept in (*one.taken, *two.taken)]
    assert len(taken) == len(set(taken)) == 30


async def test_closing_breaks_off_what_hangs_and_frees_it_for_others(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    def hang(kept: TrackedDelivery) -> Any:
        begun.set()
        return asyncio.sleep(60)

    office = Office(store, [Outlet(does=hang, seconds=60.0)])
    async with office as box:
        box.deliver(delivery())
        await begun.wait()
        await office.postman.close(0.01)
    assert "deliveries are cancelled; they are retried later" in caplog.text
    assert len(await store.claim(office.clock.now(), lease="b", seconds=9.0, limit=1)) == 1


class Troubled:
    """A store of which some methods fail the first times."""

    def __init__(self, store: DeliveryStore, **failures: int) -> None:
        self.store = store
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1

            async def fail(*_: object, **__: object) -> None:
                raise OSError("disk I/O error")

            return fail
        return getattr(self.store, name)


async def test_a_shelf_that_fails_is_asked_again(
    store: DeliveryStore, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Outlet()
    async with Office(Troubled(store, revive=1, claim=2, next_due=1, finish=1), [hook]) as box:
        box.deliver(delivery())
        await state(store, "delivered")
    assert len(hook.taken) == 1
    assert "! deliveries cannot be read (OSError)" in caplog.text
    assert "the outcome of delivery CA1-callback was not written (OSError)" in caplog.text


async def test_an_outcome_that_cannot_be_written_means_that_it_is_delivered_again(
    store: DeliveryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookflash.runtime.delivery_worker._SAVE_RETRY_SECONDS", (1.0,))
    hook = Outlet(seconds=5.0)
    async with Office(Troubled(store, finish=2), [hook]) as box:
        box.deliver(delivery())
        await hook.has(2)
        await state(store, "delivered")
    assert [kept.revision for kept in hook.taken] == [1, 1]
