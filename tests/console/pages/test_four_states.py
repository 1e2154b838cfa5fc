"""Loading, empty, failed and lost are four states, and each looks like itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from hookflash.console import shapes as s

from .conftest import PageServer, entry, sid
from .test_call_page import LINES, PARTS, changed, opened
from .test_past_pages import PAST, past


class Held:
    """Requests that a test lets go on when it has seen what the page shows meanwhile."""

    def __init__(self, page: Page, address: str) -> None:
        self.held = True
        self.routes: list[Route] = []
        page.route(address, self._hold)

    def _hold(self, route: Route) -> None:
        if self.held:
            self.routes.append(route)
        else:
            route.continue_()

    def release(self) -> None:
        self.held = False
        for route in self.routes:
            route.continue_()


def a_list_is_empty_only_after_an_answer(page: Page, server: PageServer) -> None:
    for path, address, nothing in (
        ("calls", "**/console/feed*", "No calls right now"),
        ("past", "**/api/past?*", "No past calls"),
        ("deliveries", "**/api/deliveries?*", "No deliveries"),
        ("audit", "**/api/audit?*", "No entries"),
    ):
        held = Held(page, address)
        page.goto("about:blank")
        page.goto(f"/console#/{path}")
        expect(page.locator(".skeleton-row").first).to_be_visible()
        expect(page.get_by_text(nothing, exact=True)).to_be_hidden()
        held.release()
        expect(page.get_by_text(nothing, exact=True)).to_be_visible()
        expect(page.locator(".skeleton-row").first).to_be_hidden()


def what_failed_says_why_and_is_tried_again(page: Page, server: PageServer) -> None:
    server.past = [past(1)]
    server.past_calls = {sid(1): PAST}
    whole = s.Bucket(since=0.0, until=86_400.0)
    server.figures = s.Figures(step_seconds=86_400, buckets=(whole,), whole=whole)
    for path, what, then in (
        ("past", "The past calls cannot be loaded", "1 call, the newest first."),
        ("deliveries", "The deliveries cannot be loaded", "No deliveries"),
        ("figures", "The figures cannot be loaded", "No calls in this time"),
        ("audit", "The audit trail cannot be loaded", "No entries"),
        (f"past/{sid(1)}", "The call cannot be loaded", "They asked for hours."),
    ):
        server.broken = True
        page.goto("about:blank")
        page.goto(f"/console#/{path}")
        failed = page.get_by_role("alert").filter(has_text=what)
        expect(failed).to_contain_text("The database does not answer.")
        server.broken = False
        failed.get_by_role("button", name="Retry").click()
        expect(page.get_by_text(then, exact=True)).to_be_visible()
        expect(failed).to_be_hidden()


def a_server_that_cannot_be_reached_is_no_list_without_calls(
    page: Page, server: PageServer
) -> None:
    server.up = False
    server.calls = {sid(1): entry(1)}
    page.goto("/console#/calls")
    failed = page.get_by_role("alert").filter(has_text="The calls cannot be loaded")
    expect(failed).to_contain_text("The server is away.")
    expect(page.get_by_text("No calls right now")).to_be_hidden()
    server.up = True
    failed.get_by_role("button", name="Retry").click()
    expect(page.locator(".call-row")).to_have_count(1)
    expect(failed).to_be_hidden()


def without_the_link_clocks_and_bars_stand_still_in_view_of_the_reason(
    page: Page, server: PageServer
) -> None:
    handoff = s.HandoffNow(
        state="ringing",
        destination="desk",
        reason="",
        summary="",
        source="tool",
        asked_at=9.0,
        until=time.time() + 600,
    )
    opened(page, server, entry(1, phase="handing off", handoff=handoff), **PARTS)
    expect(page.locator(".handoff-notice .left")).to_contain_text("left")
    server.break_link()
    lost = page.get_by_role("alert").filter(has_text="is lost")
    expect(lost).to_contain_text("This page stands still.")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(lost).to_be_in_viewport()
    shown = (".big-time", ".handoff-notice .left", ".timeline svg .bar.agent >> nth=-1")
    before = [page.locator(place).evaluate("(one) => one.outerHTML") for place in shown]
    # Two seconds by the page's own clocks.
    page.evaluate("new Promise((done) => setTimeout(done, 2100))")
    after = [page.locator(place).evaluate("(one) => one.outerHTML") for place in shown]
    assert after == before
    server.mend_link()
    page.get_by_role("button", name="Try now").click()
    expect(lost).to_be_hidden()
    expect(page.locator(".big-time")).not_to_have_text(re.findall(r"\d+:\d\d", before[0])[0])


def a_page_loads_again_what_it_missed(page: Page, server: PageServer) -> None:
    server.past = [past(1)]
    page.goto("/console#/past")
    rows = page.locator(".past tbody tr")
    expect(rows).to_have_count(1)
    server.break_link()
    expect(page.get_by_role("alert").filter(has_text="is lost")).to_be_visible()
    server.past = [past(1), past(2)]
    server.mend_link()
    page.get_by_role("button", name="Try now").click()
    expect(rows).to_have_count(2)


def a_call_that_nobody_knows_is_not_over(page: Page, server: PageServer) -> None:
    page.goto(f"/console#/calls/{sid(9)}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Unknown call")
    expect(page.get_by_text("No such call.")).to_be_visible()
    expect(page.get_by_text("The call is over.")).to_be_hidden()
    server.say(s.CallShown(detail=s.CallDetail(entry=entry(9), parts=s.Parts(), now=time.time())))
    expect(page.get_by_role("heading", level=1)).to_have_text("+1 555 010 0009")


def hanging_up_shows_that_it_is_under_way(page: Page, server: PageServer) -> None:
    opened(page, server, entry(1), **PARTS)
    actions = page.get_by_role("toolbar", name="Actions")
    actions.get_by_role("button", name="Hang up").click()
    page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    waiting = actions.get_by_role("button", name="Hanging up …")
    expect(waiting).to_be_disabled()
    expect(actions.get_by_role("button", name="Take over")).to_be_disabled()
    changed(server, lines=LINES)
    changed(server, entry(1, phase="ending"))
    expect(waiting).to_be_disabled()
    expect(page.locator(".call-state .state")).to_have_text("Ending")
    server.say(s.CallOver(call_sid=sid(1)))
    expect(actions.get_by_role("button", name="Hang up")).to_be_disabled()


def hanging_up_that_is_refused_can_be_tried_again(page: Page, server: PageServer) -> None:
    opened(page, server, entry(1), **PARTS)
    server.refusal = (503, s.Fault(code="unreachable", message="Worker w2 does not answer."))
    page.get_by_role("button", name="Hang up").click()
    page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    expect(page.locator(".toast.failed")).to_have_text("Worker w2 does not answer.")
    expect(page.get_by_role("button", name="Hang up")).to_be_enabled()


def a_missing_sound_device_is_named(page: Page, server: PageServer) -> None:
    opened(page, server, entry(1), **PARTS)
    page.evaluate(
        "() => { AudioContext.prototype.resume = () => Promise.reject(new Error('none')); }"
    )
    page.keyboard.press("l")
    expect(page.locator(".toast.failed")).to_contain_text("There is no sound device")
    expect(page.get_by_role("button", name="Listen", exact=True)).to_be_visible()


def a_browser_that_cannot_play_is_named(page: Page, server: PageServer) -> None:
    opened(page, server, entry(1), **PARTS)
    page.evaluate("() => { delete window.AudioWorkletNode; }")
    page.keyboard.press("l")
    expect(page.locator(".toast.failed")).to_contain_text("This browser cannot play live calls.")


def a_server_without_the_sound_is_named(page: Page, server: PageServer) -> None:
    opened(page, server, entry(1), **PARTS)
    page.evaluate("() => { AudioWorklet.prototype.addModule = () => Promise.reject(new Error()); }")
    page.keyboard.press("l")
    expect(page.locator(".toast.failed")).to_contain_text("The server does not send the sound")


def test_each_list_is_loading_empty_or_failed(page: Page, server: PageServer) -> None:
    run(page, server, a_list_is_empty_only_after_an_answer, what_failed_says_why_and_is_tried_again)
    run(page, server, a_server_that_cannot_be_reached_is_no_list_without_calls)


def test_a_lost_link_freezes_the_page(page: Page, server: PageServer) -> None:
    run(
        page,
        server,
        without_the_link_clocks_and_bars_stand_still_in_view_of_the_reason,
        a_page_loads_again_what_it_missed,
    )


def test_a_call_says_what_is_under_way_and_what_is_missing(page: Page, server: PageServer) -> None:
    run(
        page,
        server,
        a_call_that_nobody_knows_is_not_over,
        hanging_up_shows_that_it_is_under_way,
        hanging_up_that_is_refused_can_be_tried_again,
        a_missing_sound_device_is_named,
        a_browser_that_cannot_play_is_named,
        a_server_without_the_sound_is_named,
    )


def run(page: Page, server: PageServer, *checks: Callable[[Page, PageServer], None]) -> None:
    for check in checks:
        server.begin_anew(page)
        check(page, server)
