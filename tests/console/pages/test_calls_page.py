"""The list of live calls: what it shows, how it changes, what a lost link does to it."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from hookflash.console import shapes as s

from .conftest import PageServer, entry, sid
from .test_past_pages import past

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><b>bold</b>"


def handoff(state: str = "ringing", seconds: float = 18) -> s.HandoffNow:
    return s.HandoffNow(
        state=state,
        destination="front_desk",
        reason="asked",
        summary="",
        source="tool",
        asked_at=17.0,
        until=time.time() + seconds,
    )


def question(text: str) -> s.Question:
    return s.Question(id="q1", text=text, asked_at=19.0, until=time.time() + 30)


def row(page: Page, number: int) -> object:
    return page.locator(f'.calls a[href$="{sid(number)}"]')


def a_call_is_shown_with_its_state_caller_and_time(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1, running=("find_order",))}
    page.goto("/console#/calls")
    shown = page.locator(".call-row")
    expect(shown.locator(".state")).to_have_text("Talking")
    expect(shown.locator("strong")).to_have_text("+1 555 010 0001")
    expect(shown.locator(".doing")).to_have_text("find_order …")
    expect(shown.locator(".time")).to_have_text(re.compile(r"\d:\d\d"))
    expect(page.locator(".tally").first).to_have_text("1")


def the_time_left_of_a_hand_off_counts_down(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1, phase="handing off", handoff=handoff(seconds=600))}
    page.clock.install()
    page.goto("/console#/calls")
    left = page.locator(".call-row .left")
    expect(left).to_have_text(re.compile(r"[5-9]:\d\d left"))
    expect(left).not_to_have_attribute("data-short", "")
    minutes, seconds = left.inner_text().removesuffix(" left").split(":")
    page.clock.fast_forward((int(minutes) * 60 + int(seconds) - 4) * 1000)
    expect(left).to_have_text(re.compile("0:0[0-4] left"))
    expect(left).to_have_attribute("data-short", "")
    expect(page.locator(".call-row .state")).to_have_text("Ringing")


def no_call_is_a_page_that_says_so(page: Page, server: PageServer) -> None:
    page.goto("/console#/calls")
    expect(page.get_by_text("No calls right now")).to_be_visible()
    expect(page.locator(".calls-head")).to_be_hidden()


def a_worker_that_does_not_answer_is_named_until_it_does(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(1)
    part = page.get_by_text("does not answer. Its calls are missing")
    expect(part).to_be_hidden()
    server.say(s.PartMissing(missing=("w2",)))
    expect(part).to_be_visible()
    expect(part).to_contain_text("Worker w2 does not answer")
    # What is known stays, and every page says it.
    expect(page.locator(".call-row")).to_have_count(1)
    page.goto("/console#/past")
    expect(part).to_be_visible()
    server.say(s.PartMissing())
    expect(part).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text="All workers answer again")).to_be_attached()


def a_change_touches_its_own_row_and_no_other(page: Page, server: PageServer) -> None:
    server.calls = {sid(number): entry(number) for number in range(1, 6)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(5)
    page.evaluate(
        """() => {
          window.changes = [];
          new MutationObserver((all) => {
            for (const one of all) {
              const row = (one.target.parentElement ?? one.target).closest("a");
              window.changes.push([one.type, row?.href.slice(-1) ?? "list",
                one.target.closest?.(".time") ? "time" : "rest"]);
            }
          }).observe(document.querySelector(".calls"),
            {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    server.say(s.CallsChanged(calls=(entry(3, phase="with a human"),)))
    expect(row(page, 3).locator(".state")).to_have_text("With human")
    changed = page.evaluate("window.changes.filter((one) => one[2] !== 'time')")
    assert {one[1] for one in changed} == {"3"}


def calls_come_and_go(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(1)
    server.say(s.CallsChanged(calls=(entry(2),)))
    expect(page.locator(".call-row")).to_have_count(2)
    server.say(s.CallsChanged(gone=(sid(1),)))
    expect(page.locator(".call-row")).to_have_count(1)
    expect(row(page, 2)).to_be_visible()


def who_waits_for_a_person_stands_first(page: Page, server: PageServer) -> None:
    server.calls = {sid(number): entry(number) for number in range(1, 4)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(3)
    server.say(s.CallsChanged(calls=(entry(3, question=question("May I?")),)))
    first = page.locator(".call-row").first
    expect(first.locator(".state")).to_have_text("Asking")
    expect(first.locator(".place")).to_have_text("May I?")
    expect(page.locator("header p").first).to_have_text("3 calls · 1 asking a human")
    expect(page).to_have_title("(1) Calls now · Hookflash")
    expect(page.locator(".tally.asks")).to_have_text("1")


def the_filter_finds_a_caller_however_the_number_is_written(page: Page, server: PageServer) -> None:
    server.calls = {sid(number): entry(number) for number in range(1, 8)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(7)
    page.keyboard.press("/")
    page.keyboard.type("010 0004")
    expect(page.locator(".call-row")).to_have_count(1)
    page.keyboard.type("9")
    expect(page.locator("main").get_by_text("No call matches")).to_be_visible()


def hostile_names_are_text(page: Page, server: PageServer) -> None:
    server.calls = {
        sid(1): entry(
            1, caller=HOSTILE, agent=HOSTILE, running=(HOSTILE,), question=question(HOSTILE)
        )
    }
    page.goto("/console#/calls")
    expect(page.locator(".call-row strong")).to_have_text(HOSTILE)
    expect(page.locator(".call-row .place")).to_have_text(HOSTILE)
    assert page.locator("main img, main b").count() == 0
    expect(page).to_have_title("(1) Calls now · Hookflash")


def waiting(number: int, asked: float) -> s.CallEntry:
    """A caller who has waited for a human for so many seconds."""
    arrived = time.time() - 300
    now = s.HandoffNow(
        state="ringing",
        destination="desk",
        reason="",
        summary="",
        source="tool",
        asked_at=300 - asked,
    )
    return entry(number, arrived_at=arrived, phase="handing off", handoff=now)


def alerts_are_stored_raised_once_and_stay_until_they_are_dismissed(
    page: Page, server: PageServer
) -> None:
    first = waiting(1, 20)
    server.calls = {sid(1): first, sid(2): entry(2), sid(3): entry(3)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(3)
    page.get_by_role("button", name="Alerts").click()
    dialog = page.get_by_role("dialog", name="Alerts")
    dialog.get_by_label("A caller waits for a human").check()
    dialog.get_by_label("Seconds without a human").fill("10")
    dialog.get_by_label("A call failed").check()
    dialog.get_by_role("button", name="Save").click()
    region = page.get_by_role("region", name="Alerts")
    expect(region).to_contain_text(
        re.compile(r"\+1 555 010 0001 has waited for a human for \d+ s\.")
    )
    # It is raised once, however long the wait, and stays until it is dismissed.
    region.get_by_role("button", name="Dismiss").click()
    expect(region).to_be_hidden()
    longer = entry(1, arrived_at=time.time() - 400, phase="handing off", handoff=first.handoff)
    server.say(s.CallsChanged(calls=(longer,)))
    expect(row(page, 1).locator(".time")).to_have_text(re.compile(r"6:[4-9]|[7-9]:"))
    expect(region).to_be_hidden()
    # How a call ended is asked of its record, which may not be there at once.
    server.say(s.CallsChanged(gone=(sid(2), sid(3))))
    server.past_calls = {
        sid(2): s.PastCall(entry=past(2, disposition="failed"), parts=s.Parts()),
        sid(3): s.PastCall(entry=past(3), parts=s.Parts()),
    }
    expect(region).to_contain_text("The call of +1 555 010 0002 failed.")
    expect(region.locator(".alert")).to_have_count(1)
    region.get_by_role("link", name="Open").click()
    expect(page).to_have_url(re.compile(rf"#/past/{sid(2)}$"))
    page.reload()
    page.get_by_role("button", name="Alerts").click()
    expect(dialog.get_by_label("Seconds without a human")).to_have_value("10")


# --- the link -----------------------------------------------------------------------------------


def a_lost_link_is_said_and_what_was_missed_comes_after(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(1)
    server.say(s.CallsChanged(calls=(entry(2),)))
    expect(page.locator(".call-row")).to_have_count(2)
    server.break_link()
    lost = page.get_by_role("alert")
    expect(lost).to_contain_text("The connection to the server is lost")
    expect(page.locator(".link")).to_have_attribute("data-state", "lost")
    server.say(s.CallsChanged(calls=(entry(3),), gone=(sid(1),)))
    server.mend_link()
    page.get_by_role("button", name="Try now").click()
    expect(lost).to_be_hidden()
    expect(row(page, 3)).to_be_visible()
    expect(row(page, 1)).to_have_count(0)
    assert server.feeds[-1] == ("", "1")


def a_page_that_was_away_too_long_starts_afresh(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1), sid(2): entry(2)}
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(2)
    server.break_link()
    expect(page.get_by_role("alert")).to_be_visible()
    server.calls = {sid(2): entry(2), sid(4): entry(4)}
    server.remembers = False
    server.mend_link()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(row(page, 4)).to_be_visible()
    expect(page.locator(".call-row")).to_have_count(2)


def the_link_mends_by_itself(page: Page, server: PageServer) -> None:
    page.goto("/console#/calls")
    expect(page.locator(".link")).to_have_attribute("data-state", "live")
    server.break_link()
    expect(page.get_by_role("alert")).to_be_visible()
    server.mend_link()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(".unseen[role=status]")).to_have_text(
        "Connected again. Nothing was missed."
    )


def a_session_that_is_over_leads_to_the_sign_in(page: Page, server: PageServer) -> None:
    page.goto("/console#/past")
    expect(page.get_by_role("heading", name="Past calls")).to_be_visible()
    server.session = None
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    page.get_by_label("Password").fill("right")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Past calls")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


# --- the tests ----------------------------------------------------------------------------------


def test_the_list_shows_the_live_calls_and_follows_them(page: Page, server: PageServer) -> None:
    for check in (
        a_call_is_shown_with_its_state_caller_and_time,
        no_call_is_a_page_that_says_so,
        a_change_touches_its_own_row_and_no_other,
        calls_come_and_go,
        who_waits_for_a_person_stands_first,
        the_filter_finds_a_caller_however_the_number_is_written,
        hostile_names_are_text,
        alerts_are_stored_raised_once_and_stay_until_they_are_dismissed,
        the_time_left_of_a_hand_off_counts_down,
    ):
        server.begin_anew(page)
        check(page, server)


def test_the_link_and_the_session_may_be_lost(page: Page, server: PageServer) -> None:
    for check in (
        a_worker_that_does_not_answer_is_named_until_it_does,
        a_lost_link_is_said_and_what_was_missed_comes_after,
        a_page_that_was_away_too_long_starts_afresh,
        the_link_mends_by_itself,
        a_session_that_is_over_leads_to_the_sign_in,
    ):
        server.begin_anew(page)
        check(page, server)
