"""The browser demo over its sockets: the real server, its open console and a scripted model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookflash.errors import ConfigError
from hookflash_local.demo.bookshop_agent import SENTENCES, agent
from hookflash_local.demo.browser_demo import LINE, serve_demo
from hookflash_local.model.scripted import ScriptedModel

from ...settings_parts import settings_of
from ..carrier.phone_parts import Page, page

HUMAN = agent.destinations[0].plan.targets[0].address
HIGH, LOW = b"\x10" * 160, b"\x90" * 160


@dataclass
class Demo:
    """A demo that runs, and its console, used as its page uses it."""

    url: str
    client: httpx.AsyncClient

    async def act(self, caller: Page, action: str, **body: Any) -> None:
        """Do something to a caller's call, as in the console."""
        calls = (await self.client.get("/api/calls")).json()["calls"]
        (call,) = (each for each in calls if each["caller"] == caller.shown["number"])
        csrf = (await self.client.get("/console/session")).json()["csrf"]
        answer = await self.client.post(
            f"/api/calls/{call['call_sid']}/{action}", json=body, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status_code == 202, answer.text


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with ScriptedModel() as model:
        # Whoever speaks here, the agent or the carrier, says half a second of one sound.
        model.on("response.create", [{"say": {"item": "words", "ms": 500, "byte": 0x21}}])
        settings = settings_of(data_dir=tmp_path, model_url=model.url, openai_api_key="any")
        running = asyncio.create_task(
            serve_demo(agent, settings, port=0, on_ready=ready.set_result, stop=stop)
        )
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), running.result()
        origin = ready.result().removesuffix("/demo/")
        async with httpx.AsyncClient(base_url=origin) as client:
            yield Demo(ready.result(), client)
        stop.set()
        await running


async def connected(*pages: Page) -> None:
    for each in pages:
        await each.until(lambda page: page.shown["connected"])


async def takes(human: Page) -> None:
    """Answer, hear the whisper, press 1."""
    await human.state("ringing")
    await human.ask("answer")
    await human.until(lambda page: page.shown["wants_key"])
    await human.until(lambda page: page.shown["said"] and b"\x21" * 160 in bytes(page.heard))
    await human.ask("press", key="1")


async def talk(speaker: Page, frame: bytes, hearer: Page) -> None:
    while frame * 3 not in bytes(hearer.heard):
        await speaker.socket.send(frame)
        await asyncio.sleep(0.02)


async def test_the_page_offers_the_line_its_agent_and_the_console(demo: Demo) -> None:
    offer = (await demo.client.get("/demo/offer.json")).json()
    assert offer == {
        "lines": [LINE],
        "agent": "Riverside Books",
        "humans": [{"number": HUMAN, "name": "support"}],
        "console": "/console/static/embed.js",
        "say": list(SENTENCES),
    }
    for path in ("/", "/demo"):
        assert (await demo.client.get(path)).headers["location"] == "/demo/"
    for path in ("/demo/", offer["console"], "/console/"):
        assert (await demo.client.get(path)).status_code == 200, path


@pytest.mark.timeout(240)
async def test_two_callers_and_two_humans_at_once(demo: Demo) -> None:
    async with contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(page(demo, "caller")) for _ in range(2)]
        humans = [
            await stack.enter_async_context(page(demo, "human", number=HUMAN)) for _ in range(2)
        ]
        for caller in callers:
            await caller.ask("dial", to=LINE)
        await connected(*callers)
        for caller in callers:
            await caller.until(lambda page: b"\x21" * 160 in bytes(page.heard))
        # The first call rings at both; the second, as its own console action, at who is free.
        await demo.act(callers[0], "handoff", destination="support", reason="a refund")
        await humans[1].state("ringing")
        await takes(humans[0])
        await connected(callers[0], humans[0])
        await demo.act(callers[1], "handoff", destination="me", reason="I know them")
        await takes(humans[1])
        await connected(callers[1], humans[1])
        for caller, human in zip(callers, humans, strict=True):
            await talk(caller, HIGH, human)
            await talk(human, LOW, caller)
        assert "a refund" in humans[0].shown["said"][0]
        for caller in callers:
            await caller.ask("hang-up")
        for each in (*callers, *humans):
            assert (await each.state("idle"))["ended"] == "over"


async def test_a_taken_port_is_told_at_once(demo: Demo, tmp_path: Path) -> None:
    port = int(demo.url.split(":")[2].split("/")[0])
    with pytest.raises(ConfigError, match=f"port {port}"):
        await serve_demo(agent, settings_of(data_dir=tmp_path / "other"), port=port)
