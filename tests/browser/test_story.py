"""The demo as a newcomer lives it: two browsers, the real line, the real local speech.

A caller asks, is answered, interrupts, asks for a human; the human's phone rings, they take the
call, both hear each other, the caller hangs up. What was heard is asked of speech-to-text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from hookflash import Settings
from hookflash.demo.desk import open_desk
from hookflash.demo.shop import agent
from hookflash.demo.story import sound
from hookflash.demo.timeline import JournalReader, Timeline
from hookflash.standins.audio import load
from hookflash.standins.model.speech import LocalParts, build_parts

from .conftest import Opened
from .phone_parts import PhonePage, until


@pytest.fixture(scope="module")
def parts() -> LocalParts:
    return build_parts(lambda what, done: None)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[str]:
    """The demo, running; yields its page's address."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(data_dir=tmp_path / "data")
    running = asyncio.create_task(
        open_desk(agent, settings, port=0, on_ready=ready.set_result, stop=stop)
    )
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result() if ready.done() else running.result() or ""
    finally:
        stop.set()
        await running


def timeline(data: Path) -> Timeline:
    """Read the newest call's journal."""
    (journal,) = (data / "journals").glob("*.jsonl")
    reader = JournalReader()
    for line in journal.read_text().splitlines():
        with contextlib.suppress(ValueError):
            told: dict[str, Any] = json.loads(line)
            reader.feed(told)
    return reader.timeline


async def words(parts: LocalParts, page: PhonePage, since: int = 0) -> str:
    heard = bytes(page.heard[since:])
    return (await asyncio.to_thread(parts.transcriber.transcribe, heard)).lower()


@pytest.mark.timeout(300)
async def test_the_desk_shows_the_live_call_between_its_phones(desk: str, opened: Opened) -> None:
    caller = await opened(
        desk, "hookflash-phone[as=caller]", viewport={"width": 1440, "height": 900}
    )
    human = caller.other("hookflash-phone[as=human]")
    live = caller.page.get_by_role("region", name="The live call")
    await expect(live).to_contain_text("Hold a call with yourself")
    await caller.does("Call")
    await caller.connected()
    await expect(live).to_contain_text("With the agent", timeout=60_000)
    await expect(live).to_contain_text("this is Riverside Books", timeout=60_000)
    await caller.hears_out()
    await caller.says(load("speak-to-customer-support").audio)
    await human.state("ringing")
    await expect(live).to_contain_text("customer support", timeout=60_000)
    await caller.picture("desk-call")
    await human.takes_the_call()
    await expect(live).to_contain_text("With a human", timeout=60_000)
    await human.does("Hang up")
    await caller.state("idle")
    await expect(live).to_contain_text("The call is over", timeout=60_000)


@pytest.mark.timeout(400)
async def test_the_story(desk: str, opened: Opened, parts: LocalParts, tmp_path: Path) -> None:
    size = {"viewport": {"width": 430, "height": 780}}
    caller = await opened(f"{desk}phone?as=caller", **size)
    human = await opened(f"{desk}phone?as=human", **size)
    await caller.picture("phone-idle")

    await caller.does("Call")
    await caller.connected()
    await caller.hears(1.0)
    await caller.hears_out()
    assert "riverside" in await words(parts, caller)

    asked = len(caller.heard)
    await caller.says(sound("caller-hours"))
    await caller.hears(2.0, since=asked)
    await caller.picture("phone-talking")
    await caller.says(sound("caller-interrupts"))
    await until(lambda: timeline(tmp_path / "data").barge_ins, "the agent is interrupted")
    await caller.hears_out()
    assert "saturday" in await words(parts, caller, asked)

    await caller.says(load("speak-to-customer-support").audio)
    await human.state("ringing")
    await human.picture("phone-ringing")
    await human.takes_the_call()
    await caller.connected()
    first = len(caller.heard)
    await human.says(sound("human-hello"))
    assert "anna from customer support" in await words(parts, caller, first)
    first = len(human.heard)
    await caller.says(sound("caller-neighbor"))
    assert "neighbor" in await words(parts, human, first)

    await caller.phone.press("x")
    await human.state("idle")
    await caller.picture("phone-over")
