from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery, take
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.outbox import Outbox
from hookflash_local.simulation.world import SimulatedWorld


def delivery(number: int = 1, **about: str) -> Delivery:
    made = Delivery(
        id=f"CA{number}-message",
        kind="message",
        call_sid=f"CA{number}",
        agent="shop",
        destination="billing",
        created_at=1.0,
    )
    return replace(made, **about)


class RefusingStore:
    """Keeps what it is given; refuses ids in `broken`, all while `full`, and opens when told."""

    def __init__(self) -> None:
        self.stored: list[Delivery] = []
        self.broken: set[str] = set()
        self.full = False
        self.refused = 0
        self.asked = asyncio.Event()
        self.tried = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for as many attempts as it takes."""
        while not done():
            self.tried.clear()
            await self.tried.wait()

    async def put(self, delivery: Delivery, now: float) -> TrackedDelivery:
        self.asked.set()
        self.tried.set()
        await self.open.wait()
        if self.full or delivery.id in self.broken:
            self.refused += 1
            raise OSError("the disk is full")
        self.stored.append(delivery)
        return take(delivery, now)


class Round:
    """Counts how often it is poked."""

    def __init__(self) -> None:
        self.pokes = 0
        self.outcomes = {"delivered": 3}
        self.closed: float | None = None

    def start(self) -> None:
        self.pokes = 0

    def wake_worker(self) -> None:
        self.pokes += 1

    async def close(self, seconds: float) -> None:
        self.closed = seconds


def clock() -> SystemClock:
    return SystemClock(world=SimulatedWorld(0))


def outbox(store: RefusingStore, postman: Round | None = None, size: int = 1000) -> Outbox:
    box = Outbox(store, postman or Round(), clock=clock(), size=size, write_seconds=(0.001, 0.002))
    box.start()
    return box


async def test_a_delivery_is_taken_at_once_and_written_soon() -> None:
    store, postman = RefusingStore(), Round()
    box = outbox(store, postman)
    box.deliver(delivery(1))
    box.deliver(delivery(2))
    assert store.stored == []
    await box.flush()
    assert store.stored == [delivery(1), delivery(2)]
    assert postman.pokes == 2
    assert box.outcomes == {"delivered": 3}
    await box.close()
    assert postman.closed is not None
    await box.flush()


async def test_a_disk_that_fails_is_tried_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RefusingStore()
    store.full = True
    box = outbox(store)
    box.deliver(delivery(1))
    await store.until(lambda: store.refused >= 6)
    store.full = False
    await box.flush()
    assert store.stored == [delivery(1)]
    await box.close()
    assert "CA1 ! delivery CA1-message was not written (OSError): it is retried" in caplog.text


async def test_one_that_cannot_be_written_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RefusingStore()
    store.broken = {"CA1-message"}
    box = outbox(store)
    for number in (1, 2, 3):
        box.deliver(delivery(number))
    await store.until(lambda: len(store.stored) >= 2)
    box.deliver(delivery(4))
    await store.until(lambda: len(store.stored) >= 3)
    await box.close(0.05)
    assert store.stored == [delivery(2), delivery(3), delivery(4)]
    assert "the last deliveries were not written to the database within 0.05 s" in caplog.text
    assert "CA1 ! delivery CA1-message is in the call's journal only" in caplog.text


async def test_parts_that_come_before_it_is_written_are_joined() -> None:
    store = RefusingStore()
    store.full = True
    box = outbox(store)
    box.deliver(delivery(1, reason="a refund"))
    await store.asked.wait()
    box.deliver(delivery(1, summary="Invoice 7."))
    store.full = False
    await box.close()
    assert store.stored == [delivery(1, reason="a refund", summary="Invoice 7.")]


async def test_a_part_that_comes_while_it_is_written_is_written_as_well() -> None:
    store = RefusingStore()
    store.open.clear()
    box = outbox(store)
    box.deliver(delivery(1))
    await store.asked.wait()
    box.deliver(delivery(1, summary="Invoice 7."))
    store.open.set()
    await box.flush()
    assert store.stored == [delivery(1), delivery(1, summary="Invoice 7.")]
    await box.close()


async def test_a_delivery_without_room_in_the_outbox_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RefusingStore()
    store.open.clear()
    box = outbox(store, size=1)
    box.deliver(delivery(1))
    box.deliver(delivery(2))
    assert "delivery CA2-message is in the call's journal only: 1 others wait" in caplog.text
    store.open.set()
    await box.close()
    assert store.stored == [delivery(1)]


async def test_nothing_is_taken_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    box = outbox(RefusingStore())
    await box.close()
    box.deliver(delivery(1))
    assert "CA1 ! delivery CA1-message came after the outbox was closed" in caplog.text
    await box.close()


async def test_closing_wakes_an_outbox_that_waits_for_the_disk() -> None:
    store = RefusingStore()
    store.full = True
    box = Outbox(store, Round(), clock=clock(), write_seconds=(60.0,))
    box.start()
    box.deliver(delivery(1))
    await store.asked.wait()
    await asyncio.sleep(0)
    store.full = False
    await asyncio.wait_for(box.close(), 2.0)
    assert store.stored == [delivery(1)]


async def test_a_box_that_was_never_started_is_closed_without_ado() -> None:
    await Outbox(RefusingStore(), Round(), clock=clock()).close()
