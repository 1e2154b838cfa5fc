"""Calls that are over: finding them, reading and hearing one, deleting it; figures and audit."""

from __future__ import annotations

import re
import struct
import time
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from hookflash.console import shapes as s

from .conftest import PageServer, sid

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


def past(number: int, **changes: Any) -> s.PastEntry:
    known: dict[str, Any] = {
        "call_sid": sid(number),
        "agent": "Riverside",
        "caller": f"+155501{number:05d}",
        "called": "+15550100001",
        "arrived_at": time.time() - 60 * number,
        "seconds": 12.0 + number,
        "disposition": "handled_by_agent",
        "answer_seconds": 0.84,
        "cost": 0.05,
    }
    return s.PastEntry(**(known | changes))


def recorded(seconds: int, loud: range) -> bytes:
    """A stereo WAV of mu-law at 8 kHz, as recordings are; the caller is loud in these seconds."""
    data = b"".join(
        (b"\x90\xff\x10\xff" if second in loud else b"\xff" * 4) * 4000 for second in range(seconds)
    )
    layout = struct.pack("<HHIIHHH", 7, 2, 8000, 16_000, 2, 8, 0)
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


PAST = s.PastCall(
    entry=past(1, seconds=60.0, disposition="handed_off", barge_ins=1),
    parts=s.Parts(
        lines=(
            s.Line(id="1", speaker="agent", text="Hello there you.", started_at=1, ended_at=3),
            s.Line(id="2", speaker="caller", text="one two three four", started_at=10, ended_at=50),
        ),
        stages=(s.Stage(id="1", name="talking", started_at=0, ended_at=60),),
    ),
    handoffs=(
        s.Attempt(
            id="1", destination="desk", reason="asked", source="tool", started_at=50, outcome="busy"
        ),
        s.Attempt(
            id="2",
            destination="desk",
            reason="asked",
            source="console",
            started_at=51,
            outcome="bridged",
            seconds_to_human=4.2,
        ),
    ),
    summary="They asked for hours.",
    recording=f"/api/past/{sid(1)}/recording",
)


def recorded_call(page: Page, server: PageServer) -> Page:
    """Return the page of a call that was recorded."""
    server.past_calls = {sid(1): PAST}
    server.recording = recorded(60, loud=range(10, 50))
    page.goto(f"/console#/past/{sid(1)}")
    expect(page.locator(".turn.line")).to_have_count(2)
    return page


# --- the list -----------------------------------------------------------------------------------


def past_calls_are_turned_over_by_fifties(page: Page, server: PageServer) -> None:
    server.past = [past(number) for number in range(1, 121)]
    page.goto("/console#/past")
    rows = page.locator(".past tbody tr")
    expect(rows).to_have_count(50)
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("51 to 100", exact=True)).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(20)
    expect(page.get_by_text("101 to 120", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text("51 to 100", exact=True)).to_be_visible()


def words_are_searched_as_words_and_numbers_as_numbers(page: Page, server: PageServer) -> None:
    server.past = [
        past(1, excerpt="an invoice of May"),
        past(2, excerpt=f"{HOSTILE} the invoice", caller=HOSTILE),
        past(3),
    ]
    page.goto("/console#/past")
    expect(page.locator(".past tbody tr")).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("invoice")
    expect(page.locator(".past tbody tr")).to_have_count(2)
    expect(page.locator("mark").first).to_have_text("invoice")
    expect(page.locator(".excerpt").nth(1)).to_have_text(f"{HOSTILE} the invoice")
    assert page.locator("main img").count() == 0
    assert page.url.endswith("#/past?find=invoice")
    assert server.asked[-1][2]["text"] == "invoice"
    page.get_by_label("Search past calls").fill("010 0003")
    expect(page.locator(".past tbody tr")).to_have_count(1)
    assert server.asked[-1][2]["digits"] == "0100003"
    assert "text" not in server.asked[-1][2]


def filters_are_kept_in_the_address(page: Page, server: PageServer) -> None:
    server.past = [past(1), past(2, disposition="abandoned")]
    page.goto("/console#/past")
    page.get_by_label("Outcome", exact=True).select_option("abandoned")
    expect(page.locator(".past tbody tr")).to_have_count(1)
    page.get_by_label("When", exact=True).select_option("7")
    expect(page).to_have_url(re.compile(r"#/past\?disposition=abandoned&days=7$"))
    page.locator(".past tbody a").click()
    expect(page).to_have_url(re.compile(rf"#/past/{sid(2)}$"))
    page.go_back()
    expect(page.get_by_label("Outcome", exact=True)).to_have_value("abandoned")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".past tbody tr")).to_have_count(2)


def nothing_found_says_what_to_do(page: Page, server: PageServer) -> None:
    page.goto("/console#/past")
    expect(page.get_by_text("No past calls")).to_be_visible()
    page.goto("/console#/past?find=zebra")
    page.reload()
    expect(page.locator("main").get_by_text("No call matches")).to_be_visible()
    expect(page.get_by_label("Search past calls")).to_have_value("zebra")


# --- one call -----------------------------------------------------------------------------------


def what_became_of_the_call_is_told(record: Page, server: PageServer) -> None:
    expect(record.get_by_text("They asked for hours.")).to_be_visible()
    outcomes = record.locator(".attempts li")
    expect(outcomes.nth(0)).to_contain_text("Desk: busy")
    expect(outcomes.nth(1)).to_contain_text("a human after 4.2 s")
    expect(outcomes.nth(1)).to_contain_text("asked for by a supervisor")
    expect(record.locator(".call-state")).to_contain_text("Handed off")


def a_word_is_played_from_its_second(record: Page, server: PageServer) -> None:
    record.get_by_text("three", exact=True).click()
    expect(record.get_by_role("button", name="Pause")).to_be_visible()
    expect(record.locator(".word.now")).to_have_text("three")
    at = float(record.get_by_label("Position").input_value())
    assert 27.5 <= at <= 41.5
    head = record.locator(".playhead")
    expect(head).to_have_attribute("visibility", "visible")
    place = head.get_attribute("transform")
    expect(head).not_to_have_attribute("transform", place or "")
    record.keyboard.press("Escape")
    expect(record).to_have_url(re.compile("#/past$"))


def the_keyboard_plays_and_skips(record: Page, server: PageServer) -> None:
    record.keyboard.press("Space")
    expect(record.get_by_role("button", name="Pause")).to_be_visible()
    record.keyboard.press("ArrowRight")
    record.keyboard.press("ArrowRight")
    record.keyboard.press("Space")
    expect(record.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(record.locator(".turn.now")).to_contain_text("one two")
    at = float(record.get_by_label("Position").input_value())
    record.keyboard.press("ArrowLeft")
    expect(record.get_by_label("Position")).not_to_have_value(str(at))
    assert at - float(record.get_by_label("Position").input_value()) == pytest.approx(5, abs=0.2)
    for _ in range(12):
        record.keyboard.press("ArrowLeft")
    expect(record.locator(".turn.now")).to_have_count(0)


def the_drawing_is_clicked_to_hear_that_second(record: Page, server: PageServer) -> None:
    record.locator("rect.bar.caller").scroll_into_view_if_needed()
    box = record.locator("rect.bar.caller").bounding_box()
    assert box
    record.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + 5)
    expect(record.locator(".word.now")).to_have_text("four")


def what_was_heard_is_drawn_where_it_was_heard(record: Page, server: PageServer) -> None:
    caller = record.locator("path.wave.caller")
    expect(caller).to_have_count(1)
    drawn, said = caller.bounding_box(), record.locator("rect.bar.caller").bounding_box()
    assert drawn and said
    assert abs(drawn["x"] - said["x"]) < 6
    assert abs(drawn["width"] - said["width"]) < 12
    expect(record.locator("path.wave.agent")).to_have_count(0)


def a_recording_that_began_later_stays_in_step(page: Page, server: PageServer) -> None:
    server.past_calls = {sid(1): msgspec.structs.replace(PAST, recorded_from=4.0)}
    server.recording = recorded(56, loud=range(6, 46))
    page.goto(f"/console#/past/{sid(1)}")
    expect(page.locator("path.wave.caller")).to_have_count(1)
    page.get_by_text("three", exact=True).click()
    expect(page.locator(".word.now")).to_have_text("three")
    page.keyboard.press("Space")
    assert 27.5 <= float(page.get_by_label("Position").input_value()) <= 41.5


def a_call_without_a_recording_says_so(page: Page, server: PageServer) -> None:
    server.past_calls = {sid(1): msgspec.structs.replace(PAST, recording=None)}
    page.goto(f"/console#/past/{sid(1)}")
    expect(page.get_by_text("This call was not recorded.")).to_be_visible()
    expect(page.locator(".turn.line").first).to_have_text(re.compile("Hello there you."))


def a_recording_that_is_gone_says_so(page: Page, server: PageServer) -> None:
    server.past_calls = {sid(1): PAST}
    page.goto(f"/console#/past/{sid(1)}")
    expect(page.get_by_text("The recording cannot be played")).to_be_visible()


def a_call_that_is_not_written_yet_is_waited_for(page: Page, server: PageServer) -> None:
    page.goto(f"/console#/past/{sid(1)}")
    expect(page.get_by_text("Looking for this call …")).to_be_visible()
    server.past_calls = {sid(1): PAST}
    expect(page.get_by_text("They asked for hours.")).to_be_visible()


def deleting_is_asked_about_first(record: Page, server: PageServer) -> None:
    record.get_by_role("button", name="Delete this call").click()
    record.get_by_role("button", name="Cancel").click()
    assert ("DELETE", f"/api/past/{sid(1)}", None) not in server.asked
    record.get_by_role("button", name="Delete this call").click()
    record.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(record).to_have_url(re.compile("#/past$"))
    assert ("DELETE", f"/api/past/{sid(1)}", None) in server.asked


# --- all calls ----------------------------------------------------------------------------------


def bucket(day: int, calls: int) -> s.Bucket:
    return s.Bucket(
        since=day * 86_400.0,
        until=(day + 1) * 86_400.0,
        calls=calls,
        seconds=calls * 90.0,
        cost=calls * 0.1,
        barge_ins=calls // 6,
        dispositions={"handled_by_agent": calls - 2, "handed_off": 2} if calls else {},
        outcomes={"bridged": 2, "busy": 1} if calls else {},
        to_human=s.Quantiles(count=2, mean=9.0, p50=8.0, p90=14.0) if calls else s.Quantiles(),
        answer=s.Quantiles(count=9, mean=0.9, p50=0.8, p90=1.4) if calls else s.Quantiles(),
    )


def figures_are_drawn_and_written(page: Page, server: PageServer) -> None:
    server.figures = s.Figures(
        step_seconds=86_400,
        buckets=(bucket(20_000, 10), bucket(20_001, 0), bucket(20_002, 8)),
        whole=bucket(20_000, 18),
    )
    page.goto("/console#/figures")
    expect(page.locator(".numbers")).to_contain_text("Time to human")
    ended = page.locator(".chart", has_text="How calls ended")
    expect(ended.locator("rect.fill")).to_have_count(4)
    expect(ended.locator("svg[role=img]")).to_have_attribute(
        "aria-label", re.compile("^How calls ended: 18 calls")
    )
    delay = page.locator(".chart", has_text="Answer delay")
    expect(delay.locator(".figure")).to_have_text("800 ms")
    line = delay.locator("path.curve").first.get_attribute("d")
    assert line and line.count("M") == 2, "a day without calls is a gap, not a zero"
    ended.get_by_text("As a table").click()
    expect(ended.locator("tbody tr").nth(2)).to_contain_text("6")
    ended.locator(".plot").hover(position={"x": 80, "y": 60})
    expect(ended.locator(".readout")).to_contain_text("Handled by agent 8")
    page.get_by_role("button", name="24 hours").click()
    expect(page).to_have_url(re.compile("span=day$"))
    asked = server.asked[-1][2]
    assert asked["step"] == "3600"
    assert float(asked["until"]) - float(asked["since"]) == 86_400


def the_figures_of_a_first_short_call_are_whole_words_and_numbers(
    page: Page, server: PageServer
) -> None:
    one = msgspec.structs.replace(
        bucket(20_000, 1), dispositions={"handed_off": 1}, outcomes={}, seconds=45.0
    )
    server.figures = s.Figures(step_seconds=86_400, buckets=(one,), whole=one)
    page.goto("/console#/figures")
    ended = page.locator(".chart", has_text="How calls ended")
    expect(ended.locator(".figure")).to_have_text("1 call")
    minutes = page.locator(".chart", has_text="Minutes on the line")
    expect(minutes.locator("text", has_text=re.compile(r"^[01]$"))).to_have_text(["0", "1"])
    none = page.locator(".chart", has_text="Attempts to reach a human")
    expect(none.locator("text", has_text=re.compile(r"^[01]$"))).to_have_text(["0", "1"])


def without_prices_barge_ins_stand_where_the_cost_would(page: Page, server: PageServer) -> None:
    whole = bucket(20_000, 18)
    server.figures = s.Figures(step_seconds=86_400, buckets=(whole,), whole=whole)
    page.goto("/console#/figures")
    cost = page.locator(".chart", has_text="Cost")
    expect(cost.locator("figcaption")).to_contain_text("an estimate")
    expect(page.locator(".chart")).to_have_count(6)
    free = msgspec.structs.replace(whole, cost=0.0)
    server.figures = s.Figures(step_seconds=86_400, buckets=(free,), whole=free)
    page.get_by_role("button", name="24 hours").click()
    expect(page.locator(".chart", has_text="Barge-ins").locator(".figure")).to_have_text("3")
    expect(page.locator(".chart")).to_have_count(6)


def a_time_without_calls_says_so(page: Page, server: PageServer) -> None:
    empty = bucket(20_000, 0)
    server.figures = s.Figures(step_seconds=86_400, buckets=(empty,), whole=empty)
    page.goto("/console#/figures")
    expect(page.get_by_text("No calls in this time")).to_be_visible()


def the_audit_trail_says_who_did_what(page: Page, server: PageServer) -> None:
    server.audit = [
        s.AuditEntry(
            id=2,
            at=time.time(),
            who="anna",
            via="token",
            action="hint",
            call_sid=sid(1),
            text=HOSTILE,
        ),
        s.AuditEntry(id=1, at=time.time(), who="", via="session", action="sign-in-refused"),
    ]
    page.goto("/console#/audit?who=anna")
    rows = page.locator(".audit tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("anna by token")
    expect(rows.nth(0).locator(".text")).to_have_text(HOSTILE)
    expect(rows.nth(1)).to_contain_text("Sign in refused")
    assert server.asked[-1][2]["who"] == "anna"
    page.get_by_label("What").fill("hint")
    expect(page).to_have_url(re.compile("who=anna&action=hint$"))


# --- the tests ----------------------------------------------------------------------------------


def test_past_calls_are_found(page: Page, server: PageServer) -> None:
    for check in (
        past_calls_are_turned_over_by_fifties,
        words_are_searched_as_words_and_numbers_as_numbers,
        filters_are_kept_in_the_address,
        nothing_found_says_what_to_do,
    ):
        server.begin_anew(page)
        check(page, server)


def test_a_past_call_is_read_heard_and_deleted(page: Page, server: PageServer) -> None:
    for check in (
        what_became_of_the_call_is_told,
        a_word_is_played_from_its_second,
        the_keyboard_plays_and_skips,
        the_drawing_is_clicked_to_hear_that_second,
        what_was_heard_is_drawn_where_it_was_heard,
        deleting_is_asked_about_first,
    ):
        server.begin_anew(page)
        check(recorded_call(page, server), server)
    for check in (
        a_recording_that_began_later_stays_in_step,
        a_call_without_a_recording_says_so,
        a_recording_that_is_gone_says_so,
        a_call_that_is_not_written_yet_is_waited_for,
    ):
        server.begin_anew(page)
        check(page, server)


def test_figures_and_the_audit_trail_are_shown(page: Page, server: PageServer) -> None:
    for check in (
        figures_are_drawn_and_written,
        the_figures_of_a_first_short_call_are_whole_words_and_numbers,
        without_prices_barge_ins_stand_where_the_cost_would,
        a_time_without_calls_says_so,
        the_audit_trail_says_who_did_what,
    ):
        server.begin_anew(page)
        check(page, server)
