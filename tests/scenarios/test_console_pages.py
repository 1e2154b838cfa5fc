"""The console in a real browser, with the real server, on a call between the stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from hookflash.console.passwords import hash_password
from hookflash_local.carrier import Human, Leg, Line

from .conftest import DESK, PUBLIC, shop
from .test_handoff import FAREWELL, GREETING, HUMAN, asked_to, greeted, say
from .test_recording import CONSENT, recorded_shop

pytestmark = pytest.mark.realtime

CALLER_SOUND = bytes([0x05, 0x85]) * 4000
LOUD = re.compile(r"--level: (0\.[1-9]|1)")
WAIT_MS = 30_000
PASSWORD = "correct horse battery"
KEPT = hash_password(PASSWORD)


@pytest.fixture
def users(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "users.toml"
    file.write_text(
        f'[users.anna]\npassword = "{KEPT}"\nrole = "supervisor"\nrings = "{DESK}"\n'
        f'[users.vera]\npassword = "{KEPT}"\nrole = "viewer"\n'
    )
    return {"console_users": file}


@contextlib.asynccontextmanager
async def browsing(s: Any) -> AsyncIterator[Page]:
    """A page at the line's own address. Any error in it is a failure."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: run scripts/system-packages chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        context = await browser.new_context(base_url=s.carrier.tunnel[PUBLIC])
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            await browser.close()
        assert not errors


async def sign_in(page: Page, name: str = "anna") -> None:
    await page.goto("/console")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Calls now")).to_be_visible()


async def a_viewer_only_looks(page: Page) -> None:
    await sign_in(page, "vera")
    await expect(page.get_by_role("link", name="Audit")).to_be_hidden()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    await page.goto("/console#/past")
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_supervisor_sees_a_call_acts_on_it_and_finds_it_afterwards(stage, users):
    async with stage(shop(), settings=users) as s:
        s.model.on(
            "response.create",
            [say("hi", 800, GREETING, "Hello, this is the shop.")],
            where=asked_to("just begun"),
        )
        s.model.on("response.create", [say("said", 600, FAREWELL)], where=asked_to("Ring twice"))
        done = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform(
                [{"hears": {"text": "<b>my</b> brake", "ms": 600, "respond": False}}]
            )
            await done.wait()
            await line.hang_up()

        async with browsing(s) as page:
            await a_viewer_only_looks(page)
            await sign_in(page)
            await expect(page.get_by_text("No calls right now")).to_be_visible()
            call = await s.call(script)
            row = page.locator(".call-row")
            await expect(row).to_have_count(1)
            await row.click()
            heard = page.locator(".turn.line .heard")
            await expect(heard.nth(0)).to_have_text("Hello, this is the shop.")
            await expect(heard.nth(1)).to_have_text("<b>my</b> brake")
            await expect(page.locator("rect.bar.agent")).to_have_count(1)

            await page.keyboard.press("h")
            await page.keyboard.type("They are a regular.")
            await page.keyboard.press("Enter")
            await expect(page.locator(".turn.aside")).to_have_text(
                re.compile("anna gave a hint: They are a regular.")
            )
            await s.model.until("conversation.item.create")
            await page.keyboard.press("Escape")
            await page.keyboard.press("s")
            await page.keyboard.type("Ring twice")
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("anna had the agent say: Ring twice")).to_be_visible()

            done.set()
            await call.ended()
            await expect(page.get_by_text("The call is over.")).to_be_visible()
            await s.record(call)
            await page.get_by_role("link", name="Open the record").click()
            await expect(page.locator(".turn.line .heard").nth(1)).to_have_text("<b>my</b> brake")
            await expect(page.get_by_text("This call was not recorded.")).to_be_visible()
            await page.keyboard.press("2")
            await expect(page.get_by_text("1 call, the newest first.")).to_be_visible()
            await page.keyboard.press("/")
            await expect(page.get_by_label("Search past calls")).to_be_focused()
            await page.keyboard.type("brake")
            await expect(page.locator(".excerpt mark")).to_have_text("brake")
            await page.goto("/console#/figures")
            await expect(page.locator(".numbers")).to_contain_text("Calls1")
            await page.keyboard.press("5")
            await expect(page.locator(".audit tbody tr")).to_have_count(5)


async def hands_the_caller_to_a_human_and_watches_it_happen(s: Any, page: Page) -> None:
    ringing_seen, done = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await greeted(line)
        await done.wait()
        await line.hang_up()

    async def answers_when_it_was_seen_to_ring(leg: Leg) -> None:
        await ringing_seen.wait()

    async def talks(line: Line) -> None:
        await line.play(bytes([HUMAN]) * 8000)
        await done.wait()
        await line.hang_up()

    human = Human(answer_after=0.0, script=talks)
    s.carrier.humans[DESK] = human.when(answers_when_it_was_seen_to_ring)
    call = await s.call(script)
    await page.locator(".call-row").click()
    await page.get_by_role("button", name="Hand off …").click()
    await page.get_by_label("Reason (the human hears it, and what the caller said)").fill(
        "I know them"
    )
    await page.get_by_role("button", name="Hand off", exact=True).click()
    notice = page.get_by_label("Hand-off", exact=True)
    await expect(notice).to_contain_text("Asked for by a supervisor · I know them")
    await expect(notice.locator("[aria-current=step]")).to_have_text("ringing")
    await expect(page.locator("rect.bar.ringing")).to_have_count(1)
    ringing_seen.set()
    await expect(page.locator(".call-state .state")).to_have_text("With human")
    await expect(page.get_by_role("button", name="Give back")).to_be_enabled()
    await expect(page.get_by_role("button", name="Take over")).to_be_hidden()
    done.set()
    await s.record(call)
    await page.get_by_role("link", name="Open the record").click()
    await expect(page.locator(".attempts li")).to_contain_text("Desk: bridged")
    await expect(page.locator(".call-state")).to_contain_text("Handed off")


async def takes_a_call_over_and_gives_it_back(s: Any, page: Page) -> None:
    done = asyncio.Event()

    async def script(line: Line) -> None:
        await greeted(line)
        await done.wait()
        await line.hang_up()

    async def stays(line: Line) -> None:
        await line.wait_for_sound()
        await line.press("1")
        await line.pause(60)

    s.carrier.humans[DESK] = Human(answer_after=0.5, script=stays)
    await page.goto("/console#/calls")
    await expect(page.get_by_text("No calls right now")).to_be_visible()
    call = await s.call(script)
    await page.locator(".call-row").click()
    state = page.locator(".call-state .state")
    await expect(state).to_have_text("Talking")
    await page.keyboard.press("t")
    await expect(page.get_by_text("Your telephone is about to ring").first).to_be_visible()
    await expect(state).to_have_text("With human")
    await expect(page.get_by_label("Hint", exact=False).last).to_be_disabled()
    await page.keyboard.press("b")
    await expect(state).to_have_text("Talking")
    await expect(page.get_by_text("The human gave the caller back")).to_be_visible()
    await expect(page.get_by_text("anna gave the caller back")).to_be_visible()
    done.set()
    await s.record(call)


async def test_a_supervisor_hands_a_caller_to_a_human_and_takes_the_next_one_over(stage, users):
    # The page's clock is nobody's to compress.
    async with stage(shop(), settings=users, speed=1) as s:
        s.model.on("response.create", [say("hi", 400, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("bye", 1500, FAREWELL)])
        async with browsing(s) as page:
            await sign_in(page)
            await hands_the_caller_to_a_human_and_watches_it_happen(s, page)
            await takes_a_call_over_and_gives_it_back(s, page)


async def test_a_call_is_listened_to_and_played_afterwards(stage, users):
    async with stage(recorded_shop(), settings=users, speed=1) as s:
        s.model.on("response.create", [say("rec", 500, CONSENT)], where=asked_to("must hear this"))
        s.model.on(
            "response.create",
            [say("hi", 6000, GREETING, "Good morning, this is the shop.")],
            where=asked_to("just begun"),
        )
        listening, loud, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await listening.wait()
            while not loud.is_set():
                await line.play(CALLER_SOUND)
            await done.wait()
            await line.hang_up()

        async with browsing(s) as page:
            await sign_in(page)
            call = await s.call(script)
            await page.locator(".call-row").click()
            await expect(page.get_by_role("toolbar")).to_be_visible()
            await page.keyboard.press("l")
            button = page.get_by_role("button", name="Listening")
            await expect(button).to_have_attribute("aria-pressed", "true")
            listening.set()
            caller, agent = await button.locator(".level i").all()
            await expect(caller).to_have_attribute("style", LOUD)
            await expect(agent).to_have_attribute("style", LOUD)
            loud.set()
            await expect(page.locator(".turn.line .heard").last).to_have_text(
                "Good morning, this is the shop."
            )
            done.set()
            await s.record(call)
            await expect(page.get_by_role("button", name="Listen", exact=True)).to_be_disabled()
            await page.get_by_role("link", name="Open the record").click()
            await expect(page.locator("path.wave.agent")).to_have_count(1)
            await page.get_by_text("shop.", exact=True).click()
            await expect(page.get_by_role("button", name="Pause")).to_be_visible()
            await expect(page.locator(".word.now")).to_have_text("shop.")
            await page.keyboard.press("Space")
            await page.get_by_role("button", name="Delete this call").click()
            await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            await expect(page.get_by_text("No past calls")).to_be_visible()
