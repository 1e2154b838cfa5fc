"""The console's and the demo's main flows in Firefox, the other browser that people have."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator

import pytest

from hookflash.console import shapes as s

from ..console.pages import story
from ..console.pages.conftest import entry, sid
from .conftest import DemoStage
from .firefox import PROGRAM, Firefox

DIAL = "<Response><Dial>+15550100002</Dial></Response>"


@pytest.fixture
async def firefox() -> AsyncIterator[Firefox]:
    if shutil.which(PROGRAM) is None:
        pytest.skip("there is no Firefox: run scripts/system-packages firefox")
    async with Firefox() as firefox:
        yield firefox


def has(text: str) -> str:
    return f"document.body.innerText.includes({text!r})"


async def the_list_and_a_call_follow_the_feed(firefox: Firefox, stage: DemoStage) -> None:
    console = stage.console
    last = s.LastLine(speaker="caller", text="It was meant to come on Monday.")
    console.calls = {sid(1): entry(1, last=last, speaking="caller")}
    await firefox.goto(f"{stage.origin}/console#/calls")
    await firefox.until("document.querySelectorAll('.call-row').length === 1")
    assert await firefox.evaluate(has("Caller: It was meant to come on Monday."))
    await firefox.press("j")
    await firefox.press("\ue007")
    await firefox.until("document.querySelectorAll('.turn.line').length > 3")
    await firefox.until("document.querySelectorAll('.timeline rect.bar').length > 5")
    await firefox.press("h")
    await firefox.until("document.activeElement.matches('.composer input')")
    stage.say(s.CallPatched(call_sid=sid(1), parts=s.Parts(), entry=entry(1, phase="ending")))
    await firefox.until("document.querySelector('.call-state .state').textContent === 'Ending'")
    await firefox.picture("firefox-call")


async def a_record_is_played(firefox: Firefox, stage: DemoStage) -> None:
    await firefox.goto("about:blank")
    await firefox.goto(f"{stage.origin}/console#/past/{sid(1)}")
    await firefox.until("document.querySelectorAll('path.wave.human').length === 2")
    await firefox.evaluate("document.querySelectorAll('.word')[9].click()")
    await firefox.until(
        "document.querySelector('.playhead').getAttribute('visibility') === 'visible'"
    )
    await firefox.until("document.querySelectorAll('.word.now').length === 1")
    await firefox.picture("firefox-record")


async def a_call_is_made_in_the_demo(firefox: Firefox, stage: DemoStage) -> None:
    stage.line.twiml["/voice"] = DIAL
    await firefox.resize(1280, 720)
    await firefox.goto(f"{stage.origin}/demo/")
    await firefox.click("hookflash-phone[as=caller] [data-does=dial]")
    await firefox.until("document.querySelector('hookflash-phone[as=human][data-state=ringing]')")
    await firefox.press("a")
    await firefox.until("document.querySelector('hookflash-phone[as=human][data-connected=true]')")
    await firefox.until("document.querySelectorAll('.turn.line').length > 3")
    assert await firefox.evaluate("document.documentElement.scrollWidth") <= 1280
    await firefox.picture("firefox-demo")
    await firefox.click("hookflash-phone[as=caller] [data-does=hang-up]")
    await firefox.until("document.querySelector('hookflash-phone[as=caller][data-state=idle]')")


@pytest.mark.realtime
async def test_the_main_flows_work_in_firefox(firefox: Firefox, stage: DemoStage) -> None:
    stage.console.show(entry(1, arrived_at=time.time() - 36), story.parts(36.0))
    stage.console.recording = story.recording()
    await the_list_and_a_call_follow_the_feed(firefox, stage)
    await a_record_is_played(firefox, stage)
    await a_call_is_made_in_the_demo(firefox, stage)
    # Before the server goes: a page that is still open says that it lost its connection.
    assert firefox.errors == []
    await firefox.goto("about:blank")
