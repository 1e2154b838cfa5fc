"""The demo as a newcomer lives it: two browsers, the real line, the real local speech.

A caller asks, is answered, interrupts, asks for a human; the human's phone rings, they take the
call, both hear each other, the caller hangs up. What was heard is asked of speech-to-text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
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


async def asks(caller: PhonePage, said: bytes, word: str, data: Path) -> None:
    """Say something until the answer has a word in it: as anybody would who is not understood.

    On a machine that is busy sound may come in pieces, and telephone speech is hard enough.
    """
    for _ in range(3):
        before = len(spoken(data))
        await caller.says(said)
        await until(
            lambda before=before: any(len(each) > 20 for each in spoken(data)[before:]),
            "the agent answers",
        )
        if any(word in each for each in spoken(data)[before:]):
            return
        await caller.hears_out()
    raise AssertionError(f"asked three times, and never answered with {word!r}: {spoken(data)}")


def spoken(data: Path) -> list[str]:
    """Return what the agent has said so far."""
    return [each.text for each in timeline(data).spoken if each.speaker == "agent"]


async def words(parts: LocalParts, page: PhonePage, since: int = 0) -> str:
    heard = bytes(page.heard[since:])
    return (await asyncio.to_thread(parts.transcriber.transcribe, heard)).lower()


@pytest.mark.realtime
@pytest.mark.timeout(600)
async def test_the_desk_shows_the_live_call_between_its_phones(
    desk: str, opened: Opened, tmp_path: Path
) -> None:
    caller = await opened(
        desk, "hookflash-phone[as=caller]", viewport={"width": 1440, "height": 900}
    )
    human = caller.other("hookflash-phone[as=human]")
    live = caller.page.get_by_role("region", name="The live call")
    await expect(live).to_contain_text("Hold a call with yourself")
    await caller.does("Call")
    await caller.connected()
    await expect(live).to_contain_text("With the agent")
    await expect(live).to_contain_text("this is Riverside Books")
    await caller.hears_out()
    data = tmp_path / "data"
    await asks(caller, load("speak-to-customer-support").audio, "connecting you", data)
    await human.state("ringing")
    await expect(live).to_contain_text("customer support")
    await caller.picture("desk-call")
    await human.does("Answer")
    await human.hears_whisper()
    await human.phone.get_by_role("button", name="1", exact=True).click()
    await expect(live).to_contain_text("With a human")
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    await human.does("Hang up")
    await caller.state("idle")
    await expect(live).to_contain_text("The call is over")


@pytest.mark.realtime
@pytest.mark.timeout(600)
async def test_the_story(desk: str, opened: Opened, parts: LocalParts, tmp_path: Path) -> None:
    size = {"viewport": {"width": 430, "height": 880}}
    caller = await opened(f"{desk}phone?as=caller", **size)
    human = await opened(f"{desk}phone?as=human", **size)
    await caller.picture("phone-idle")

    await caller.does("Call")
    await caller.connected()
    await caller.hears(1.0)
    await caller.hears_out()
    assert "riverside" in await words(parts, caller)

    data = tmp_path / "data"
    asked = len(caller.heard)
    await asks(caller, sound("caller-hours"), "Saturday", data)
    await caller.hears(2.0)
    await caller.picture("phone-talking")
    await caller.says(sound("caller-interrupts"))
    await until(lambda: timeline(data).barge_ins, "the agent is interrupted")
    await caller.hears_out()
    assert "saturday" in await words(parts, caller, asked)

    await asks(caller, load("speak-to-customer-support").audio, "connecting you", data)
    await human.state("ringing")
    await human.picture("phone-ringing")
    await human.phone.press("a")
    assert "customer support" in await human.hears_whisper()
    await human.hears(3.0, since=0)
    await human.picture("phone-whisper")
    assert "call for support" in await words(parts, human)
    # Meanwhile the agent keeps the caller company: the line is open to it.
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    await human.phone.press("1")
    await human.connected()
    first = len(caller.heard)
    await human.says(sound("human-hello"))
    assert "from customer support" in await words(parts, caller, first)
    first = len(human.heard)
    await caller.says(sound("caller-neighbor"))
    assert re.search("neighbou?r", await words(parts, human, first))

    await caller.phone.press("x")
    await human.state("idle")
    await caller.picture("phone-over")
