"""Warm sessions against the stand-in: open for nobody, then a call's as any other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hookflash.core import commands, events
from hookflash.core.commands import Message
from hookflash.core.setup import ModelSetup
from hookflash.models.openai import RealtimeOptions
from hookflash.models.openai.warm_sessions import WarmingConnector, WarmOpenAILink
from hookflash_local.model.scripted import ScriptedModel

SETUP = ModelSetup(
    instructions="You answer for Acme.",
    history=(Message("user", "Hello?"),),
    safety_identifier="caller-7f3a",
)


class Waiting:
    """A warm session and what was heard of it."""

    def __init__(self, connector: WarmingConnector) -> None:
        self.ready = asyncio.Event()
        self.lost = asyncio.Event()
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.link: WarmOpenAILink = connector.warm(on_ready=self.ready.set, on_lost=self.lost.set)

    async def until(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(20):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event


@contextlib.asynccontextmanager
async def connected(model: ScriptedModel, **options: Any) -> AsyncIterator[WarmingConnector]:
    connector = WarmingConnector(model.url, options=RealtimeOptions(), **options)
    try:
        yield connector
    finally:
        await connector.aclose()


async def within(event: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await event.wait()


async def test_a_warm_session_says_nothing_until_it_is_given_and_then_who_it_is() -> None:
    async with ScriptedModel() as model, connected(model) as connector:
        model.on("response.create", [{"say": {"item": "hello", "ms": 200, "text": "Hello."}}])
        waiting = Waiting(connector)
        await within(waiting.ready)
        assert model.received.types() == []
        link = waiting.link.assign(SETUP, waiting.events.put_nowait)
        link.carry_out(commands.RequestResponse())
        ready = await waiting.until(events.ModelReady)
        assert ready.session_id
        assert len(model.server.sessions) == 1
        sound = await waiting.until(events.ModelAudio)
        assert sound.item_id == "hello"
        sent = model.received.types()
        assert sent == ["session.update", "conversation.item.create", "response.create"]
        (update,) = model.received.of("session.update")
        assert update["session"]["instructions"] == "You answer for Acme."
        assert not waiting.lost.is_set()


async def test_a_given_session_that_is_lost_is_the_calls_loss_and_not_the_pools() -> None:
    async with ScriptedModel() as model, connected(model) as connector:
        waiting = Waiting(connector)
        await within(waiting.ready)
        waiting.link.assign(SETUP, waiting.events.put_nowait)
        await waiting.until(events.ModelReady)
        await model.perform([{"close": {"code": 1011, "reason": "restarting"}}])
        lost = await waiting.until(events.ModelLost)
        assert lost.remedy == "rotate"
        assert not waiting.lost.is_set()


async def test_a_session_that_is_lost_while_it_waits_is_told_once() -> None:
    async with ScriptedModel() as model, connected(model) as connector:
        waiting = Waiting(connector)
        await within(waiting.ready)
        await model.perform([{"close": {"code": 1001, "reason": "expired"}}])
        await within(waiting.lost)


async def test_a_model_that_cannot_be_reached_is_a_loss() -> None:
    async with ScriptedModel() as model:
        url = model.url
    connector = WarmingConnector(url)
    waiting = Waiting(connector)
    await within(waiting.lost)
    assert not waiting.ready.is_set()
    await connector.aclose()


async def test_closing_a_warm_session_reports_nothing() -> None:
    async with ScriptedModel() as model, connected(model) as connector:
        waiting = Waiting(connector)
        await within(waiting.ready)
        waiting.link.close()
        await connector.aclose()
        assert not waiting.lost.is_set()
        assert model.received.types() == []


async def test_a_session_opened_for_a_call_is_as_before() -> None:
    async with ScriptedModel() as model, connected(model) as connector:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        connector.open(SETUP, queue.put_nowait)
        assert isinstance(await asyncio.wait_for(queue.get(), 20), events.ModelReady)
