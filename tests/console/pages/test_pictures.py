"""The pictures of the console in the documentation.

HOOKFLASH_SCREENSHOTS names the folder that they are put into (`docs/images`); without it the test
still brings every page into the state that its picture shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hookflash.console import shapes as s

from . import story
from .conftest import PageServer, entry, sid
from .test_deliveries_page import left
from .test_past_pages import past

Shot = Callable[..., Page]


@pytest.fixture
def shot(browser: Browser, server: PageServer) -> Iterator[Callable[..., Any]]:
    """`shot(name, path, ready)`: go to a page, make it ready, keep its picture."""
    folder = os.environ.get("HOOKFLASH_SCREENSHOTS")

    def take(
        name: str,
        path: str,
        ready: Callable[[Page], object],
        *,
        scheme: Any = "light",
        width: int = 1280,
        height: int = 860,
    ) -> None:
        context = browser.new_context(
            base_url=server.address,
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            locale="en-GB",
        )
        page = context.new_page()
        page.goto(path)
        ready(page)
        page.evaluate("document.activeElement.blur()")
        if folder:
            page.screenshot(path=Path(folder) / f"console-{name}.png")
        context.close()

    yield take


def cost(seconds: float) -> s.Cost:
    carrier, model = seconds * 0.0002, seconds * 0.0009
    return s.Cost(carrier=carrier, model=model, total=carrier + model)


def live_calls() -> list[s.CallEntry]:
    """A busy minute: one asks, one is handed off, some talk."""
    now = time.time()
    asks = s.Question(id="q1", text="May I give ten per cent off?", asked_at=50.0, until=now + 41.4)
    states = {
        1: {"phase": "handing off", "handoff": ringing(now)},
        2: {"question": asks},
        3: {"phase": "with a human"},
        4: {"running": ("find_order",)},
        6: {"caller": "anonymous"},
    }
    said = (
        ("", "", ""),
        ("agent", "Of course. I am connecting you with support now. One moment please.", ""),
        ("caller", "Could you make it a bit cheaper if I take three of them?", ""),
        ("human", "I will send a second copy by courier this afternoon.", ""),
        ("caller", "Where is my order? It is number 4 4 1 7.", ""),
        ("agent", "Hello, this is Riverside Books. How can", "agent"),
        ("caller", "Hi, I wanted to know when you are open on", "caller"),
        ("agent", "On Saturday we are open from nine until one.", ""),
    )
    ages = (0, 36, 71, 184, 22, 9, 48, 131)
    return [
        entry(
            number,
            agent="Riverside Books",
            arrived_at=now - ages[number],
            cost=cost(ages[number]),
            last=s.LastLine(speaker=said[number][0], text=said[number][1]),  # type: ignore[arg-type]
            speaking=said[number][2],
            **states.get(number, {}),
        )
        for number in range(1, 8)
    ]


def ringing(now: float) -> s.HandoffNow:
    return s.HandoffNow(
        state="ringing",
        destination="support",
        reason="order 4417 is late",
        summary="It was due on Monday.",
        source="tool",
        asked_at=27.9,
        until=now + 16.4,
    )


def the_list_of_live_calls(shot: Shot, server: PageServer) -> None:
    server.calls = {one.call_sid: one for one in live_calls()}

    def ready(page: Page) -> None:
        expect(page.locator(".call-row")).to_have_count(7)

    shot("calls", "/console#/calls", ready, height=640)


def a_live_call(shot: Shot, server: PageServer) -> None:
    calls = live_calls()
    server.calls = {one.call_sid: one for one in calls}
    server.details = {
        sid(1): s.CallDetail(
            entry=calls[0],
            parts=story.parts(36.0),
            now=time.time(),
            destinations=("support", "billing"),
        )
    }

    def ready(page: Page) -> None:
        expect(page.locator(".turn.line")).to_have_count(7)
        expect(page.locator("rect.ringing")).to_have_count(1)

    path = f"/console#/calls/{sid(1)}"
    shot("call", path, ready, height=1120)
    shot("call-dark", path, ready, scheme="dark", height=1120)
    shot("call-narrow", path, ready, width=400, height=860)


def a_call_that_is_over(shot: Shot, server: PageServer) -> None:
    about = past(1, agent="Riverside Books", seconds=story.SECONDS, disposition="handed_off")
    server.past_calls = {sid(1): story.past_call(about)}
    server.recording = story.recording()

    def ready(page: Page) -> None:
        expect(page.locator("path.wave.human")).to_have_count(2)
        page.get_by_text("Saturday", exact=True).click()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        page.mouse.move(0, 0)

    shot("record", f"/console#/past/{sid(1)}", ready, height=1150)


def past_calls(shot: Shot, server: PageServer) -> None:
    kinds = ("handled_by_agent", "handed_off", "handled_by_agent", "abandoned", "voicemail")
    server.past = [
        past(
            number,
            agent="Riverside Books",
            arrived_at=time.time() - 1700.0 * number,
            seconds=31.0 + number * 37 % 140,
            disposition=kinds[number % 5],
            destination="support" if number % 5 == 1 else "",
            outcome="bridged" if number % 5 == 1 else "",
            seconds_to_human=8.0 + number % 9 if number % 5 == 1 else None,
            answer_seconds=0.7 + number * 13 % 50 / 60,
            cost=0.04 + number * 7 % 20 / 100,
            excerpt="where is my order? It is number 4 4 1 7" if number % 2 else "my order is late",
        )
        for number in range(1, 40)
    ]

    def ready(page: Page) -> None:
        expect(page.locator(".past mark").first).to_be_visible()

    shot("past", "/console#/past?find=order", ready, height=640)


def deliveries(shot: Shot, server: PageServer) -> None:
    now = time.time()
    about = {"agent": "Riverside Books", "destination": "support"}
    server.deliveries = [
        left(
            1,
            **about,
            kind="voicemail",
            state="waiting",
            created_at=now - 95,
            said="Hello, it is about order 4417. It was due on Monday. Please call me back.",
            recording_url="https://api.twilio.com/RE1",
            recording_seconds=11.2,
            attempts=2,
            error="webhook: answered 503",
            due_at=now + 41,
        ),
        left(
            2,
            **about,
            kind="callback",
            created_at=now - 2600,
            delivered_at=now - 2598,
            said="tomorrow after five",
            reason="A page is torn, and the caller wants another copy.",
        ),
        left(
            3,
            **about,
            state="dead",
            created_at=now - 8 * 86_400,
            said="May I give ten per cent off?",
            attempts=34,
            error="webhook: no answer within 10 s",
        ),
    ] + [
        left(number, **about, created_at=now - 40_000 * number, delivered_at=now - 39_990 * number)
        for number in range(4, 7)
    ]

    def ready(page: Page) -> None:
        expect(page.locator(".deliveries tbody tr")).to_have_count(6)

    shot("deliveries", "/console#/deliveries", ready, height=640)


def figures_over_time(shot: Shot, server: PageServer) -> None:
    since = (time.time() // 86_400 - 29) * 86_400
    server.figures = s.Figures(**story.figures(since))

    def ready(page: Page) -> None:
        expect(page.locator(".chart svg")).to_have_count(6)
        expect(page.locator("path.curve")).to_have_count(4)

    shot("figures", "/console#/figures?span=month", ready)


def the_sign_in(shot: Shot, server: PageServer) -> None:
    server.session = None

    def ready(page: Page) -> None:
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    shot("sign-in", "/console/sign-in", ready, height=560)


def test_every_picture_of_the_documentation_can_be_taken(shot: Shot, server: PageServer) -> None:
    for picture in (
        the_list_of_live_calls,
        a_live_call,
        a_call_that_is_over,
        past_calls,
        deliveries,
        figures_over_time,
        the_sign_in,
    ):
        picture(shot, server)
