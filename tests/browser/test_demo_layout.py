"""The demo page in each state: both phones and the call's words fit into a low window.

The phones are real ones of the stand-in carrier. The console's view between them is told what a
test wants (`tests/console/pages/conftest.py`), so no model has to speak.
"""

from __future__ import annotations

import time

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from hookflash.console import shapes as s

from ..console.pages import story
from ..console.pages.conftest import entry
from .conftest import SAY, DemoStage, Opened
from .phone_parts import PhonePage

SCREEN = """<Response><Dial><Number url="/whisper">+15550100002</Number></Dial></Response>"""
WHISPER = """<Response><Gather numDigits="1" action="/pressed" timeout="60"><Say>Call for support.
 A caller whose number ends in 0 2 0 0 is on the line: order 4417 is late. They said: "It was meant
 to come on Monday". Press 1 to take the call, or 2 to decline it.</Say></Gather></Response>"""
LOW = {"width": 1280, "height": 720}
VISIBLE_LINES = """() => {
  const box = document.querySelector('.said').getBoundingClientRect();
  const bottom = Math.min(box.bottom, innerHeight);
  let lines = 0;
  for (const text of document.querySelectorAll('.turn p, .turn.step .turn-body > span')) {
    const range = document.createRange();
    range.selectNodeContents(text);
    const tops = new Set([...range.getClientRects()].filter((one) => one.top >= box.top - 1 &&
      one.bottom <= bottom + 1).map((one) => Math.round(one.top)));
    lines += tops.size;
  }
  return lines;
}"""


async def all_fits(page: PhonePage, lines: int = 6) -> None:
    """Both keypads, the ends of both calls and the transcript are visible without scrolling."""
    at = page.page
    assert await at.evaluate("document.documentElement.scrollWidth") <= LOW["width"]
    for phone in ("caller", "human"):
        element = at.locator(f"hookflash-phone[as={phone}]")
        for key in await element.locator(".phone-key").all():
            await expect(key).to_be_in_viewport(ratio=1)
        for action in await element.locator(".phone-action:not([hidden])").all():
            await expect(action).to_be_in_viewport(ratio=1)
    await expect(at.locator(".composer")).to_be_in_viewport(ratio=0.9)
    rows = {
        round((await each.bounding_box() or {"y": 0})["y"])
        for each in await at.locator(".actions .button:visible").all()
    }
    assert len(rows) == 1, "the actions are one row"
    await expect(at.locator(".timeline.strip")).to_be_in_viewport(ratio=1)
    assert await at.evaluate(VISIBLE_LINES) >= lines


async def nothing_hinders_anybody(page: PhonePage) -> None:
    found = await Axe().run(page.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.realtime
async def test_the_demo_fits_into_a_low_window_in_each_state(
    stage: DemoStage, opened: Opened
) -> None:
    console, line, url = stage.console, stage.line, f"{stage.origin}/demo/"
    line.twiml["/voice"] = SCREEN
    line.twiml["/whisper"] = WHISPER
    line.twiml["/pressed"] = "<Response/>"
    caller = await opened(url, "caller", viewport=LOW)
    at, human = caller.page, caller.other("human")
    await expect(at.locator(".demo-what")).to_contain_text("An AI agent answers the phone")
    await expect(at.locator(".demo-say li")).to_have_text([f"“{text}”" for text in SAY])
    await expect(human.phone.locator(".phone-number")).to_have_text("support · +1 555 010 0002")
    await caller.picture("demo-start")
    await nothing_hinders_anybody(caller)

    now = time.time()
    ringing = s.HandoffNow(
        state="ringing",
        destination="support",
        reason="order 4417 is late",
        summary="It was due on Monday.",
        source="tool",
        asked_at=27.9,
        until=now + 600,
    )
    shown = entry(1, arrived_at=now - 36, phase="talking", handoff=ringing)
    console.show(shown, story.parts(36.0))
    await caller.does("Call")
    await human.state("ringing")
    await expect(at.locator(".turn.line").last).to_be_visible()
    await all_fits(caller)
    await caller.picture("demo-ringing")
    # At 390 px the phone that rings is at the top.
    await at.set_viewport_size({"width": 390, "height": 844})
    await expect(human.phone.get_by_role("button", name="Answer")).to_be_in_viewport(ratio=1)
    box = await human.phone.bounding_box()
    assert box is not None and box["y"] < 200
    await at.wait_for_function("document.documentElement.scrollWidth <= 390")
    await caller.picture("demo-ringing-narrow")
    await at.set_viewport_size(LOW)
    # A answers what rings, although the caller's phone has the focus.
    await caller.phone.focus()
    one = human.phone.get_by_role("button", name="1", exact=True)
    before = await one.bounding_box()
    await at.keyboard.press("a")
    await human.hears_whisper()
    take = human.phone.get_by_role("button", name="1 take")
    await expect(take).to_have_class("phone-key named")
    await expect(human.phone.get_by_role("button", name="2 decline")).to_have_class(
        "phone-key named"
    )
    assert await take.bounding_box() == before, "a key slid under the pointer"
    await all_fits(caller)
    await caller.picture("demo-whisper")
    await nothing_hinders_anybody(caller)
    for scheme in ("dark", "light"):
        await at.emulate_media(color_scheme=scheme)
        await nothing_hinders_anybody(caller)

    await human.phone.press("1")
    await human.connected()
    await all_fits(caller)
    # After a reload the page shows this phone's call, not the newest one.
    console.calls = {"CAother": entry(9, arrived_at=now)}
    await at.reload()
    await caller.connected()
    await expect(at.locator(".turn.line").last).to_be_visible()
    await expect(at.locator(".call-who h1")).to_have_text("+1 555 010 0001")
    await caller.phone.press("x")
    await caller.state("idle")
    sid = await at.evaluate("sessionStorage.getItem('hookflash.demo.call')")
    stage.say(s.CallOver(call_sid=sid))
    card = at.locator(".notice.over")
    await expect(card).to_contain_text("a human after 11 s")
    await expect(card).to_contain_text("words of the agent were heard")
    for name in ("Open the record", "Recording", "Transcript"):
        await expect(card.get_by_role("link", name=name)).to_be_visible()
    await caller.picture("demo-over")
    await nothing_hinders_anybody(caller)
