"""With 200 live calls, a long one or 10,000 past ones, a page asks for and draws what it needs."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from hookflash.console import shapes as s

from .conftest import PageServer, detail, entry, sid
from .test_past_pages import past

WATCH = """([list, row]) => {
  window.touched = new Set();
  new MutationObserver((all) => {
    for (const one of all) {
      const element = one.target.nodeType === 1 ? one.target : one.target.parentElement;
      if (!element.closest(".time")) window.touched.add(element.closest(row)?.href ?? "list");
    }
  }).observe(document.querySelector(list),
    {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def a_change_among_two_hundred_live_calls_touches_one_row(page: Page, server: PageServer) -> None:
    server.calls = {sid(number): entry(number) for number in range(200)}
    page.goto("/console#/calls")
    rows = page.locator(".call-row")
    expect(rows).to_have_count(200)
    page.evaluate(WATCH, [".calls", ".calls a"])
    server.say(s.CallsChanged(calls=(entry(150, phase="with a human"),)))
    place = page.locator(f'.calls a[href$="{sid(150)}"]')
    expect(place.locator(".state")).to_have_text("With human")
    (touched,) = page.evaluate("[...window.touched]")
    assert touched.endswith(sid(150))
    everybody = tuple(entry(number, phase="with a human") for number in range(200))
    server.say(s.CallsChanged(calls=everybody))
    expect(rows.locator(".state", has_text="With human")).to_have_count(200)
    assert len(server.feeds) == 1, "all of it came over one link"


def a_line_of_a_long_call_is_drawn_beside_the_others(page: Page, server: PageServer) -> None:
    server.calls = {sid(number): entry(number) for number in range(200)}
    lines = tuple(
        s.Line(
            id=f"l{n}",
            speaker="agent" if n % 2 else "caller",
            text="Some words that were said " * 3,
            started_at=n * 4.0,
            ended_at=n * 4.0 + 3,
        )
        for n in range(440)
    )
    long = entry(7, arrived_at=time.time() - 1800)
    server.details = {sid(7): detail(long, lines=lines)}
    page.goto(f"/console#/calls/{sid(7)}")
    turns = page.locator(".turn.line")
    expect(turns).to_have_count(440)
    page.evaluate("document.querySelectorAll('.turn.line').forEach((one) => { one.mine = true; })")
    for number in range(5):
        line = s.Line(id="new", speaker="caller", text=f"So {number}", started_at=1790)
        server.say(s.CallPatched(call_sid=sid(7), parts=s.Parts(lines=(line,))))
        expect(turns.last.locator(".heard")).to_have_text(line.text)
    expect(turns).to_have_count(441)
    kept = "[...document.querySelectorAll('.turn.line')].filter((one) => one.mine).length"
    assert page.evaluate(kept) == 440, "none was drawn again"


def of_ten_thousand_past_calls_one_page_is_asked_for(page: Page, server: PageServer) -> None:
    server.past = [past(number) for number in range(10_000)]
    page.goto("/console#/past")
    expect(page.locator(".past tbody tr")).to_have_count(50)
    assert [path for _, path, _ in server.asked] == ["/api/past"]


def test_pages_ask_for_and_draw_only_what_they_need(page: Page, server: PageServer) -> None:
    for check in (
        a_change_among_two_hundred_live_calls_touches_one_row,
        a_line_of_a_long_call_is_drawn_beside_the_others,
        of_ten_thousand_past_calls_one_page_is_asked_for,
    ):
        server.begin_anew(page)
        check(page, server)
