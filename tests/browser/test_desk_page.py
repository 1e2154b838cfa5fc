"""The demo's desk: two phones on one page, one hand, light and dark, and what a reader says."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from hookflash.standins.audio import load

from .conftest import Line, Opened

DIAL = "<Response><Dial>+15550100002</Dial></Response>"
WIDE = {"width": 1440, "height": 720}
CALLER, HUMAN = "hookflash-phone[as=caller]", "hookflash-phone[as=human]"


async def test_one_microphone_is_in_the_hand_that_has_the_phone(line: Line, opened: Opened) -> None:
    line.twiml["/voice"] = DIAL
    caller = await opened(line.server.url, CALLER, viewport=WIDE)
    human = caller.other(HUMAN)
    await expect(caller.phone).to_have_class("in-hand")
    await expect(human.phone.get_by_role("button", name="Take it")).to_be_visible()
    await caller.does("Call")
    await human.state("ringing")
    await caller.picture("desk-ringing")
    await human.does("Answer")
    await human.connected()
    await expect(human.phone).to_have_class("in-hand")
    await expect(caller.phone).not_to_have_class("in-hand")
    # What is said goes into the human's phone, so the caller's hears it.
    they = caller.phone.get_by_role("meter", name="How loud they are")
    await human.begins_to_say(load("jfk").audio)
    await expect(they).to_have_attribute("aria-valuenow", re.compile(r"[3-9]\d"), timeout=60_000)
    await caller.does("Take it")
    await expect(caller.phone).to_have_class("in-hand")
    await caller.begins_to_say(load("jfk").audio)
    they = human.phone.get_by_role("meter", name="How loud they are")
    await expect(they).to_have_attribute("aria-valuenow", re.compile(r"[3-9]\d"), timeout=60_000)
    await caller.does("Hang up")
    await human.state("idle")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_light_or_dark_as_the_owner_likes(
    line: Line, opened: Opened, scheme: str
) -> None:
    page = await opened(line.server.url, CALLER, viewport=WIDE, color_scheme=scheme)
    await page.picture(f"desk-{scheme}")
    colours = await page.page.evaluate(
        "[document.body, document.querySelector('.phone-title')].map((element) => {"
        " const style = getComputedStyle(element);"
        " const [r, g, b] = (element === document.body ? style.backgroundColor : style.color)"
        " .match(/[\\d.]+/g).map(Number);"
        " return (r + g + b) / 765; })"
    )
    paper, ink = colours
    assert (paper > 0.9 and ink < 0.2) if scheme == "light" else (paper < 0.1 and ink > 0.8)


async def test_a_reader_finds_names_states_and_steps(line: Line, opened: Opened) -> None:
    page = await opened(line.server.url, CALLER, viewport=WIDE)
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


@pytest.mark.parametrize("width", [360, 800, 1100, 1920])
async def test_nothing_sticks_out_of_a_window_of_any_width(
    line: Line, opened: Opened, width: int
) -> None:
    page = await opened(line.server.url, CALLER, viewport={"width": width, "height": 700})
    await expect(page.page.locator(".desk-guide")).to_be_visible()
    assert await page.page.evaluate("document.documentElement.scrollWidth") <= width
