from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash import Agent, Delivery, Directory, Settings
from hookflash.core.commands import Deliver
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.core.events import CallArrived
from hookflash.core.setup import CallSetup
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals
from hookflash.runtime.outbox import Outbox
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.server.outbox_setup import open_outbox
from hookflash.stores.database import open_database
from hookflash.stores.deliveries import DeliveryStore
from hookflash_local.simulation.world import SimulatedWorld

from ..settings_parts import settings_of


def message(number: int, agent: str = "shop") -> Delivery:
    return Delivery(
        id=f"CA{number}-message",
        kind="message",
        call_sid=f"CA{number}",
        agent=agent,
        destination="billing",
        created_at=float(number),
        summary="The invoice is wrong.",
    )


def agent_that_takes(taken: asyncio.Queue[Delivery], name: str = "shop") -> Agent:
    agent = Agent(name, instructions="Help.")
    loop = asyncio.get_running_loop()

    @agent.on_delivery
    def take(delivery: Delivery) -> None:
        # Runs in a thread, as every plain function does.
        loop.call_soon_threadsafe(taken.put_nowait, delivery)

    return agent


def office(
    settings: Settings, directory: Directory, engine: AsyncEngine, world: SimulatedWorld
) -> contextlib.AbstractAsyncContextManager[Outbox]:
    """Deliver on the virtual clock; the owner's functions run at once, as in a thread."""
    threads = ToolThreads(start=world.start_thread)
    clock = SystemClock(world=world)
    return open_outbox(settings, directory, engine, clock, world=world, threads=threads)


async def until(store: DeliveryStore, done: Callable[[Sequence[TrackedDelivery]], bool]) -> None:
    """Look at the store until it is as it should be."""
    async with asyncio.timeout(60):
        while True:
            if done(await store.list()):
                return
            await asyncio.sleep(0.01)


async def test_a_delivery_goes_to_the_hook_of_its_agent(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    ours: asyncio.Queue[Delivery] = asyncio.Queue()
    theirs: asyncio.Queue[Delivery] = asyncio.Queue()
    directory = Directory()
    directory.add(agent_that_takes(ours), lines=["+15550100"])
    directory.add(agent_that_takes(theirs, "other"))
    async with office(Settings(), directory, engine, world) as outbox:
        outbox.deliver(message(1))
        outbox.deliver(message(2, "other"))
        assert await asyncio.wait_for(ours.get(), 60) == message(1)
        assert await asyncio.wait_for(theirs.get(), 60) == message(2, "other")
    assert await DeliveryStore(engine).counts() == {"delivered": 2}
    await engine.dispose()


async def test_an_async_hook_and_one_behind_a_decorator_take_it_as_well(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    taken: asyncio.Queue[Delivery] = asyncio.Queue()
    plain, behind = (Agent(name, instructions="Help.") for name in ("plain", "behind"))

    @plain.on_delivery
    async def take(delivery: Delivery) -> None:
        taken.put_nowait(delivery)

    behind.on_delivery(lambda delivery: take(delivery))
    directory = Directory()
    directory.add(plain, lines=["+15550100"])
    directory.add(behind)
    async with office(Settings(), directory, engine, world) as outbox:
        outbox.deliver(message(1, "plain"))
        assert await asyncio.wait_for(taken.get(), 60) == message(1, "plain")
        outbox.deliver(message(2, "behind"))
        assert await asyncio.wait_for(taken.get(), 60) == message(2, "behind")
    await engine.dispose()


async def test_a_delivery_is_posted_to_the_webhook_and_retried_when_that_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    settings = settings_of(delivery_url="http://127.0.0.1:9/", delivery_secret="0123456789abcdef")
    directory = Directory.of(Agent("shop", instructions="Help."))
    store = DeliveryStore(engine)
    async with office(settings, directory, engine, world) as outbox:
        outbox.deliver(message(1))
        outbox.deliver(message(2, "an agent of yesterday"))
        await until(store, lambda kept: [each.attempts for each in kept] == [1, 1])
    assert "CA1 ! message CA1-message again in" in caplog.text
    assert "webhook: 127.0.0.1: ConnectError" in caplog.text
    assert await store.counts() == {"waiting": 2}
    await engine.dispose()


async def test_what_is_tried_again_is_delivered_at_once(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    taken: asyncio.Queue[Delivery] = asyncio.Queue()
    agent, away = Agent("shop", instructions="Help."), asyncio.Event()
    away.set()

    @agent.on_delivery
    async def take(delivery: Delivery) -> None:
        if away.is_set():
            raise OSError("the mail is away")
        taken.put_nowait(delivery)

    settings, clock = settings_of(delivery_days=0), SystemClock(world=world)
    store = DeliveryStore(engine)
    async with office(settings, Directory.of(agent), engine, world) as outbox:
        outbox.deliver(message(1))
        await until(store, lambda kept: [each.state for each in kept] == ["dead"])
        away.clear()
        assert await store.revive(clock.now(), delivery_id="CA1-message") == 1
        outbox.wake_worker()
        assert await asyncio.wait_for(taken.get(), 60) == message(1)
    assert await store.counts() == {"delivered": 1}
    await engine.dispose()


async def test_without_an_outlet_a_delivery_is_unroutable(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    directory = Directory.of(Agent("shop", instructions="Help."))
    store = DeliveryStore(engine)
    async with office(Settings(), directory, engine, world) as outbox:
        outbox.deliver(message(1))
        await until(store, lambda kept: [each.state for each in kept] == ["unroutable"])
    await engine.dispose()


async def test_what_a_process_before_left_in_a_journal_only_is_delivered(tmp_path: Path) -> None:
    journals = Journals(tmp_path / "journals", world=SimulatedWorld(0))
    journal = journals.begin("CA1", CallSetup())
    journal.write(1.0, CallArrived("CA1", "+15550101", "+15550100"), [Deliver(message(1))])
    journal.close()
    journals.close()
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    taken: asyncio.Queue[Delivery] = asyncio.Queue()
    directory = Directory.of(agent_that_takes(taken))
    for _ in range(2):
        async with office(settings_of(data_dir=tmp_path), directory, engine, world):
            await until(
                DeliveryStore(engine), lambda kept: [each.state for each in kept] == ["delivered"]
            )
    assert taken.get_nowait() == message(1)
    assert taken.empty()
    await engine.dispose()


async def test_a_plain_hook_that_would_end_the_process_is_called_again(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    engine = await open_database(f"sqlite:///{tmp_path}/a.db", connect=world.sqlite)
    shop = Agent("shop", instructions="Help.")
    given: list[Delivery] = []

    @shop.on_delivery
    def take(delivery: Delivery) -> None:
        given.append(delivery)
        if len(given) == 1:
            raise SystemExit(1)

    async with office(Settings(), Directory.of(shop), engine, world) as outbox:
        outbox.deliver(message(1))
        for _ in range(600):
            if len(given) < 2:
                await asyncio.sleep(1)
    assert given == [message(1), message(1)]
    assert await DeliveryStore(engine).counts() == {"delivered": 1}
    await engine.dispose()
