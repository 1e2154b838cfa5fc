"""Run the whole browser demo: a browser, the real server and the real local speech.

A caller asks, is answered, interrupts, asks for a human; the human's phone rings, they take the
call, both hear each other, the caller hangs up. What was heard is asked of speech-to-text, and
between the phones the live call is shown.
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

from hookflash.replay.timeline import JournalReader, Timeline
from hookflash_local.audio import load
from hookflash_local.carrier.phones import jitter_buffer
from hookflash_local.demo.bookshop_agent import agent
from hookflash_local.demo.browser_demo import serve_demo
from hookflash_local.demo.scripted_parties import sound
from hookflash_local.model.speech import LocalComponents, load_components

from ..settings_parts import settings_of
from .conftest import Opened
from .phone_parts import PhonePage, loud_seconds, until

# Of recordings that are longer, the sentence that matters.
SUPPORT = load("speak-to-customer-support").audio[12_000:38_400]
HELLO = sound("human-hello")[:23_200]
NEIGHBOR = sound("caller-neighbor")[:19_200]
SLACK_MS = 500


@pytest.fixture(scope="module")
def components() -> LocalComponents:
    return load_components(lambda what, done: None)


@pytest.fixture
async def demo_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The demo, running; yields its page's address."""
    # A browser that has to wait for the processor sends late, which shall tear no holes into words.
    monkeypatch.setattr(jitter_buffer, "BUFFER_MS", SLACK_MS)
    monkeypatch.setattr(jitter_buffer, "LATE_MS", 2 * SLACK_MS)
    monkeypatch.setattr(jitter_buffer, "TOO_LATE_MS", 4 * SLACK_MS)
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = settings_of(data_dir=tmp_path / "data")
    running = asyncio.create_task(
        serve_demo(agent, settings, port=0, on_ready=ready.set_result, stop=stop)
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
    """Say something, and wait until the agent answers with a word."""
    before = len(spoken(data))
    await caller.says(said)
    await until(
        lambda: any(word in each for each in spoken(data)[before:]), f"the agent says {word!r}"
    )


async def is_heard(said: bytes, speaker: PhonePage, hearer: PhonePage) -> None:
    """Say something to the other phone, and wait until it was heard to its end."""
    first = len(hearer.heard)
    await speaker.says(said)
    await hearer.hears(loud_seconds(said) * 0.7, since=first)
    await hearer.hears_out(0.8)


def spoken(data: Path) -> list[str]:
    """Return what the agent has said so far."""
    return [each.text for each in timeline(data).spoken if each.speaker == "agent"]


async def words(components: LocalComponents, page: PhonePage, since: int = 0) -> str:
    heard = bytes(page.heard[since:])
    return (await asyncio.to_thread(components.transcriber.transcribe, heard)).lower()


@pytest.mark.realtime
@pytest.mark.timeout(600)
async def test_a_caller_and_a_human_talk_in_the_browser(
    demo_url: str, opened: Opened, components: LocalComponents, tmp_path: Path
) -> None:
    caller = await opened(demo_url, "caller", viewport={"width": 1440, "height": 900})
    human = caller.other("human")
    live = caller.page.get_by_role("region", name="The live call")
    await expect(live).to_contain_text("Hold a call with yourself")

    await caller.does("Call")
    await caller.connected()
    await expect(live).to_contain_text("Talking")
    await expect(live).to_contain_text("this is Riverside Books")
    await caller.hears(1.0, since=0)
    await caller.hears_out()
    assert "riverside" in await words(components, caller)

    data = tmp_path / "data"
    asked = len(caller.heard)
    await asks(caller, sound("caller-hours"), "Saturday", data)
    await caller.hears(2.0, since=asked)
    await caller.says(sound("caller-interrupts"))
    await until(lambda: timeline(data).barge_ins, "the agent is interrupted")
    await caller.hears_out()
    assert "saturday" in await words(components, caller, asked)

    await asks(caller, SUPPORT, "connecting you", data)
    await human.state("ringing")
    await expect(live).to_contain_text("customer support")
    await caller.picture("demo-call")
    await human.phone.press("a")
    assert "customer support" in await human.hears_whisper()
    await human.hears(3.0, since=0)
    assert "call for support" in await words(components, human)
    # Meanwhile the agent keeps the caller company: the line is open to it.
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    await human.phone.press("1")
    await human.connected()
    await expect(live).to_contain_text("With human")
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    first = len(caller.heard)
    await is_heard(HELLO, human, caller)
    assert "from customer support" in await words(components, caller, first)
    await caller.does("Take it")
    first = len(human.heard)
    await is_heard(NEIGHBOR, caller, human)
    assert re.search("neighbou?r", await words(components, human, first))

    await caller.phone.press("x")
    await human.state("idle")
    await expect(live).to_contain_text("The call is over")
