"""Create the outbox of a line and its outlets.

resource          acquired      released
webhook client    open_outbox   when its block ends, last
outbox, worker    open_outbox   when its block ends
the same of events  open_event_outbox   when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.agents.directory import Directory
from hookflash.agents.hooks import DeliveryHook
from hookflash.core.delivery_retries import DAY_SECONDS
from hookflash.runtime.delivery_hooks import HookOutlet
from hookflash.runtime.delivery_worker import DeliveryWorker, Outlet
from hookflash.runtime.journal_deliveries import deliveries_since
from hookflash.runtime.outbox import Outbox
from hookflash.runtime.ports import Clock
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.server.delivery_webhook import WebhookOutlet, event_body
from hookflash.settings import Settings
from hookflash.stores.deliveries import DeliveryStore, EventStore
from hookflash.world import SYSTEM, World

_AT_ONCE = 200


@contextlib.asynccontextmanager
async def open_outbox(
    settings: Settings,
    directory: Directory,
    engine: AsyncEngine,
    clock: Clock,
    *,
    world: World = SYSTEM,
    threads: ToolThreads | None = None,
) -> AsyncIterator[Outbox]:
    """Yield an outbox that delivers to the agents' hooks and to the owner's webhook."""

    def hook_of(name: str) -> DeliveryHook | None:
        agent = directory.get(name)
        return agent.delivery_hook if agent is not None else None

    async with contextlib.AsyncExitStack() as stack:
        outlets: list[Outlet] = [HookOutlet(hook_of, threads=threads)]
        if settings.deliveries.url:
            secret = settings.deliveries.secret or ""
            # Signed with wall-clock time, which the receiver can check.
            webhook = WebhookOutlet(settings.deliveries.url, secret, now=world.wall)
            stack.push_async_callback(webhook.aclose)
            outlets.append(webhook)
        store = DeliveryStore(engine)
        dead_seconds = settings.deliveries.days * DAY_SECONDS
        worker = DeliveryWorker(
            store,
            outlets,
            clock=clock,
            dead_seconds=dead_seconds,
            chance=world.entropy("delivery-retry").random,
            entropy=world.entropy("delivery-lease"),
        )
        outbox = Outbox(store, worker, clock=clock)
        outbox.start()
        stack.push_async_callback(outbox.close)
        searching = asyncio.create_task(
            _search(settings.storage.data_dir / "journals", outbox, world.wall())
        )
        stack.callback(searching.cancel)
        yield outbox


@contextlib.asynccontextmanager
async def open_event_outbox(
    settings: Settings, engine: AsyncEngine, clock: Clock, *, world: World = SYSTEM
) -> AsyncIterator[Outbox | None]:
    """Yield an outbox that posts the events of calls to the owner's webhook; None without one.

    It is apart from the outbox of deliveries, so that a webhook for events that is down does not
    delay a voicemail.
    """
    if not settings.events.url:
        yield None
        return
    async with contextlib.AsyncExitStack() as stack:
        secret = settings.events.secret or ""
        webhook = WebhookOutlet(settings.events.url, secret, now=world.wall, body=event_body)
        stack.push_async_callback(webhook.aclose)
        worker = DeliveryWorker(
            EventStore(engine),
            [webhook],
            clock=clock,
            dead_seconds=settings.events.days * DAY_SECONDS,
            chance=world.entropy("event-retry").random,
            entropy=world.entropy("event-lease"),
        )
        outbox = Outbox(EventStore(engine), worker, clock=clock)
        outbox.start()
        stack.push_async_callback(outbox.close)
        yield outbox


async def _search(journals: Path, outbox: Outbox, now: float) -> None:
    """Deliver messages that an earlier process may have left in its journals."""
    # `now` is from the clock of the files; the clock of the calls may be compressed in tests.
    since = now - DAY_SECONDS
    found = await asyncio.to_thread(list, deliveries_since(journals, since))
    for number, delivery in enumerate(found, start=1):
        outbox.deliver(delivery)
        if number % _AT_ONCE == 0:
            # Leave room in the outbox for new deliveries of live calls.
            await outbox.flush()
