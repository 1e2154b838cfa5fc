"""The demo page: two phones, one microphone, light and dark, and what a screen reader says."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from hookflash_local.audio import load

from .conftest import Line, Opened
from .phone_parts import PhonePage

DIAL = "<Response><Dial>+15550100002</Dial></Response>"
WIDE = {"width": 1440, "height": 720}
COLOURS = """[document.body, document.querySelector('.phone-title')].map((element) => {
  const style = getComputedStyle(element);
  const [r, g, b] = (element === document.body ? style.backgroundColor : style.color)
    .match(/[\\d.]+/g).map(Number);
  return (r + g + b) / 765;
})"""


async def one_microphone_is_in_the_hand_that_has_the_phone(line: Line, caller: PhonePage) -> None:
    line.twiml["/voice"] = DIAL
    human = caller.other("human")
    await expect(caller.phone).to_have_class("in-hand")
    await expect(human.phone.get_by_role("button", name="Take it")).to_be_visible()
    await caller.does("Call")
    await human.state("ringing")
    await caller.picture("demo-ringing")
    await human.does("Answer")
    await human.connected()
    await expect(human.phone).to_have_class("in-hand")
    await expect(caller.phone).not_to_have_class("in-hand")
    # What is said goes into the human's phone, so the caller's hears it.
    they = caller.phone.get_by_role("meter", name="How loud they are")
    await human.begins_to_say(load("jfk").audio)
    await expect(they).to_have_attribute("aria-valuenow", re.compile(r"[3-9]\d"))
    await caller.does("Take it")
    await expect(caller.phone).to_have_class("in-hand")
    await caller.begins_to_say(load("jfk").audio)
    they = human.phone.get_by_role("meter", name="How loud they are")
    await expect(they).to_have_attribute("aria-valuenow", re.compile(r"[3-9]\d"))
    await caller.does("Hang up")
    await human.state("idle")


async def it_can_be_read_in_light_and_dark_at_any_width_and_by_a_screen_reader(
    page: PhonePage,
) -> None:
    for scheme in ("light", "dark"):
        await page.page.emulate_media(color_scheme=scheme)
        await page.picture(f"demo-{scheme}")
        paper, ink = await page.page.evaluate(COLOURS)
        if scheme == "light":
            assert paper > 0.9 and ink < 0.2
        else:
            assert paper < 0.1 and ink > 0.8
    # What a reader says: names, states and steps.
    for role, name in (("group", "Caller’s phone"), ("group", "Human’s phone")):
        await expect(page.page.get_by_role(role, name=name)).to_be_visible()
    await expect(page.page.get_by_role("heading", name="Hold a call with yourself")).to_be_visible()
    await expect(page.page.get_by_role("region", name="The live call")).to_be_visible()
    nameless = await page.page.evaluate(
        "[...document.querySelectorAll('button, a')]"
        ".filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim()))"
        ".length"
    )
    assert nameless == 0
    await expect(page.phone.get_by_role("button", name="Call")).to_have_attribute(
        "aria-keyshortcuts", "c"
    )
    # Nothing sticks out.
    for width in (360, 800, 1100, 1920):
        await page.page.set_viewport_size({"width": width, "height": 700})
        await expect(page.page.locator(".demo-guide")).to_be_visible()
        await page.page.wait_for_function(
            "width => document.documentElement.scrollWidth <= width", arg=width
        )
    await page.page.set_viewport_size(WIDE)


@pytest.mark.realtime
async def test_it_can_be_read_and_its_one_microphone_is_in_the_hand_that_has_the_phone(
    line: Line, opened: Opened
) -> None:
    page = await opened(line.server.url, "caller", viewport=WIDE)
    await it_can_be_read_in_light_and_dark_at_any_width_and_by_a_screen_reader(page)
    await one_microphone_is_in_the_hand_that_has_the_phone(line, page)
