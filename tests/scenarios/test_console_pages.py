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
from hookflash.standins.carrier import Human, Line

from .conftest import DESK, PUBLIC, shop
from .test_handoff import FAREWELL, GREETING, asked_to, desk, greeted, say

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
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = await browser.new_context(base_url=s.carrier.tunnel[PUBLIC])
        page = await context.new_page()
        page.set_default_timeout(10_000)
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
            await page.keyboard.press("/")
            await page.keyboard.type("brake")
            await expect(page.locator(".excerpt mark")).to_have_text("brake")
            await page.goto("/console#/figures")
            await expect(page.locator(".numbers")).to_contain_text("Calls1")
            await page.keyboard.press("4")
            await expect(page.locator(".audit tbody tr")).to_have_count(3)


async def test_a_supervisor_hands_the_caller_to_a_human_and_watches_it_happen(stage, users):
    # The page's clock is nobody's to compress.
    async with stage(shop(), settings=users, speed=1) as s:
        s.model.on("response.create", [say("hi", 400, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("bye", 1500, FAREWELL)])
        done = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await done.wait()
            await line.hang_up()

        s.carrier.humans[DESK] = Human(answer_after=3.0, script=desk)
        async with browsing(s) as page:
            await sign_in(page)
            call = await s.call(script)
            await page.locator(".call-row").click()
            await page.get_by_role("button", name="Hand off …").click()
            await page.get_by_label("Reason (the human hears it)").fill("I know them")
            await page.get_by_role("button", name="Hand off", exact=True).click()
            notice = page.get_by_label("Hand-off", exact=True)
            await expect(notice).to_contain_text("Asked for by console · I know them")
            await expect(notice.locator("[aria-current=step]")).to_have_text("ringing")
            await expect(page.locator("rect.bar.ringing")).to_have_count(1)
            await expect(page.locator(".call-state .state")).to_have_text("With a human")
            await expect(page.get_by_role("button", name="Give back")).to_be_enabled()
            await expect(page.get_by_role("button", name="Take over")).to_be_hidden()
            done.set()
            await s.record(call)
            await page.get_by_role("link", name="Open the record").click()
            await expect(page.locator(".attempts li")).to_contain_text("Desk: bridged")
            await expect(page.locator(".call-state")).to_contain_text("Handed off")


async def test_a_viewer_only_looks(stage, users):
    async with stage(shop(), settings=users) as s, browsing(s) as page:
        await sign_in(page, "vera")
        await expect(page.get_by_role("link", name="Audit")).to_be_hidden()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        await page.goto("/console#/past")
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
