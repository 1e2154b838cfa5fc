"""What calls have left: seen in every state, and tried again."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec
from playwright.sync_api import Page, expect

from hookflash.console.shapes import DeliveryEntry

from .conftest import PageServer, sid

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


def left(number: int, **about: Any) -> DeliveryEntry:
    known: dict[str, Any] = {
        "id": f"{sid(number)}-message",
        "kind": "message",
        "state": "delivered",
        "call_sid": sid(number),
        "agent": "Riverside",
        "destination": "front_desk",
        "created_at": time.time() - 60 * number,
        "caller": f"+155501{number:05d}",
        "said": "The invoice is wrong.",
        "delivered_at": time.time() - 50 * number,
        "accepted": ("webhook",),
    }
    return DeliveryEntry(**(known | about))


def every_state() -> list[DeliveryEntry]:
    return [
        left(1, state="waiting", attempts=2, error="webhook: 503", due_at=time.time() + 599),
        left(2, state="dead", attempts=9, error="webhook: no answer", kind="callback"),
        left(
            3,
            state="unroutable",
            kind="voicemail",
            said="",
            recording_url="https://api.example.test/RE1",
        ),
        left(4),
    ]


def each_state_is_shown_with_what_it_waits_for(page: Page, server: PageServer) -> None:
    server.deliveries = every_state()
    page.goto("/console#/deliveries")
    rows = page.locator(".deliveries tbody tr")
    expect(rows).to_have_count(4)
    expect(page.locator(".page header p")).to_have_text(
        "1 waiting · 1 dead · 1 unroutable · 1 delivered"
    )
    expect(rows.nth(0)).to_contain_text(
        re.compile("2 attempts failed: webhook: 503; next attempt in 9:[0-5]")
    )
    expect(rows.nth(1)).to_contain_text("Call back")
    expect(rows.nth(1)).to_contain_text("9 attempts failed: webhook: no answer")
    expect(rows.nth(2)).to_contain_text("No words were understood in this voicemail.")
    player = rows.nth(2).get_by_label("Voicemail, 0:00")
    expect(player).to_have_attribute("src", re.compile("/api/deliveries/.+/recording$"))
    expect(rows.nth(3)).to_contain_text("to webhook")
    expect(page.get_by_role("button", name="Retry")).to_have_count(2)
    rows.nth(3).get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"#/past/{sid(4)}$"))


def what_was_given_up_is_tried_again(page: Page, server: PageServer) -> None:
    server.deliveries = every_state()
    page.goto("/console#/deliveries?state=dead")
    rows = page.locator(".deliveries tbody tr")
    expect(rows).to_have_count(1)
    dead = server.deliveries[1]
    server.deliveries[1] = msgspec.structs.replace(
        dead, state="waiting", attempts=0, due_at=time.time() - 1
    )
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("The delivery is retried.").first).to_be_visible()
    assert server.wait_for("retry") == {}
    expect(page.get_by_text("No deliveries in this state")).to_be_visible()
    page.get_by_label("State").select_option("waiting")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("being delivered")
    expect(page).to_have_url(re.compile("state=waiting$"))


def a_page_that_is_looked_at_keeps_up(page: Page, server: PageServer) -> None:
    server.deliveries = every_state()[:1]
    page.clock.install()
    page.goto("/console#/deliveries")
    row = page.locator(".deliveries tbody tr")
    expect(row).to_contain_text("Waiting")
    server.deliveries = [left(1)]
    page.clock.fast_forward(15_000)
    expect(row).to_contain_text("Delivered")


def a_viewer_tries_nothing_and_hostile_words_are_text(page: Page, server: PageServer) -> None:
    assert server.session is not None
    server.session = msgspec.structs.replace(server.session, role="viewer", can=())
    server.deliveries = [left(1, state="dead", said=HOSTILE, recording_url="javascript:alert(1)")]
    page.goto("/console#/deliveries")
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    assert page.locator("main a[href^='javascript']").count() == 0
    expect(page).to_have_title("Deliveries · Hookflash")


def older_ones_are_shown_below(page: Page, server: PageServer) -> None:
    server.deliveries = [left(number) for number in range(1, 71)]
    page.goto("/console#/deliveries")
    rows = page.locator(".deliveries tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show older").click()
    expect(rows).to_have_count(70)
    expect(page.get_by_role("button", name="Show older")).to_be_hidden()


def where_nothing_was_left_it_says_so(page: Page, server: PageServer) -> None:
    page.goto("/console#/deliveries")
    expect(page.get_by_text("No deliveries", exact=True)).to_be_visible()


def test_deliveries_are_listed_and_retried(page: Page, server: PageServer) -> None:
    for check in (
        each_state_is_shown_with_what_it_waits_for,
        what_was_given_up_is_tried_again,
        a_viewer_tries_nothing_and_hostile_words_are_text,
        older_ones_are_shown_below,
        where_nothing_was_left_it_says_so,
        a_page_that_is_looked_at_keeps_up,
    ):
        server.begin_anew(page)
        check(page, server)
