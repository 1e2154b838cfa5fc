"""axe-core finds nothing on any page of the console, in any state, light and dark, at any width."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from hookflash.console import shapes as s

from . import story
from .conftest import PageServer, entry, sid
from .test_calls_page import waiting
from .test_deliveries_page import every_state
from .test_past_pages import PAST, past
from .test_pictures import live_calls

WIDTHS = (1440, 1280, 390)
Ready = Callable[[Page], object]
State = Callable[[PageServer], tuple[str, Ready]]


def calls_now(server: PageServer) -> tuple[str, Ready]:
    last = s.LastLine(speaker="caller", text="It was meant to come on Monday.")
    calls = live_calls()
    calls[3] = entry(4, running=("find_order",), last=last, speaking="caller")
    server.calls = {one.call_sid: one for one in calls}
    return "calls", lambda page: expect(page.locator(".call-row")).to_have_count(7)


def no_calls(server: PageServer) -> tuple[str, Ready]:
    return "calls", lambda page: page.get_by_text("No calls right now").wait_for()


def calls_that_cannot_be_loaded(server: PageServer) -> tuple[str, Ready]:
    server.up = False
    return "calls", lambda page: page.get_by_text("The calls cannot be loaded").wait_for()


def a_lost_link(server: PageServer) -> tuple[str, Ready]:
    server.calls = {one.call_sid: one for one in live_calls()}

    def ready(page: Page) -> None:
        expect(page.locator(".call-row")).to_have_count(7)
        server.break_link()
        page.get_by_text("This page stands still.").wait_for()

    return "calls", ready


def a_live_call(server: PageServer) -> tuple[str, Ready]:
    calls = live_calls()
    shown = s.CallDetail(
        entry=calls[0], parts=story.parts(36.0), now=time.time(), destinations=("support",)
    )
    server.details = {sid(1): shown}
    return f"calls/{sid(1)}", lambda page: expect(page.locator(".turn.line")).to_have_count(7)


def a_question_of_the_agent(server: PageServer) -> tuple[str, Ready]:
    shown = s.CallDetail(entry=live_calls()[1], parts=story.parts(30.0), now=time.time())
    server.details = {sid(2): shown}
    return f"calls/{sid(2)}", lambda page: page.get_by_label("Your answer").wait_for()


def a_call_that_is_over(server: PageServer) -> tuple[str, Ready]:
    server.details = {
        sid(1): s.CallDetail(entry=entry(1, phase="ended"), parts=story.parts(), now=time.time())
    }
    server.past_calls = {sid(1): story.past_call(past(1, seconds=55.0))}
    return f"calls/{sid(1)}", lambda page: page.get_by_role("link", name="Transcript").wait_for()


def an_unknown_call(server: PageServer) -> tuple[str, Ready]:
    return f"calls/{sid(9)}", lambda page: page.get_by_text("No such call.").wait_for()


def past_calls(server: PageServer) -> tuple[str, Ready]:
    server.past = [past(number, excerpt="my order is late") for number in range(1, 60)]
    return "past?find=order&outcome=busy", lambda page: page.locator("mark").first.wait_for()


def a_list_that_cannot_be_loaded(server: PageServer) -> tuple[str, Ready]:
    server.broken = True
    return "past", lambda page: page.get_by_role("button", name="Retry").wait_for()


def a_record(server: PageServer) -> tuple[str, Ready]:
    about = past(1, seconds=story.SECONDS, disposition="handed_off")
    turn = s.Turn(id="1", stopped_at=8.1, generated_at=8.4, heard_at=8.9, tokens_read=900)
    voicemail = s.Voicemail(id="v1", seconds=9.0, recording_url="https://api.example/RE1")
    told = story.past_call(about)
    server.past_calls = {
        sid(1): s.PastCall(
            entry=told.entry,
            parts=told.parts,
            handoffs=told.handoffs,
            summary=told.summary,
            recording=told.recording,
            has_journal=True,
            turns=(turn,),
            voicemails=(voicemail,),
        )
    }
    server.recording = story.recording()
    server.journal = '{"at":1.0,"event":{"type":"CallArrived"}}\n' * 30

    def ready(page: Page) -> None:
        page.locator("path.wave.human").first.wait_for()
        page.get_by_text("Answers: 1 turn").click()
        page.get_by_text("Event log").click()
        page.get_by_text("30 lines").wait_for()

    return f"past/{sid(1)}", ready


def a_record_that_is_gone(server: PageServer) -> tuple[str, Ready]:
    server.past_calls = {sid(1): PAST}
    return f"past/{sid(1)}", lambda page: page.get_by_text("The recording cannot").wait_for()


def deliveries(server: PageServer) -> tuple[str, Ready]:
    server.deliveries = every_state()
    return "deliveries", lambda page: expect(page.locator("tbody tr")).to_have_count(4)


def figures(server: PageServer) -> tuple[str, Ready]:
    server.figures = s.Figures(**story.figures((time.time() // 86_400 - 29) * 86_400))

    def ready(page: Page) -> None:
        expect(page.locator(".chart svg")).to_have_count(6)
        page.get_by_text("As a table").first.click()

    return "figures?span=month", ready


def the_audit_trail(server: PageServer) -> tuple[str, Ready]:
    server.audit = [
        s.AuditEntry(id=1, at=time.time(), who="anna", via="token", action="hint", text="Park")
    ]
    return "audit", lambda page: expect(page.locator(".audit tbody tr")).to_have_count(1)


def a_dialog(server: PageServer) -> tuple[str, Ready]:
    a_live_call(server)

    def ready(page: Page) -> None:
        page.get_by_role("button", name="Hang up").wait_for()
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()

    return f"calls/{sid(1)}", ready


def an_alert_and_its_rules(server: PageServer) -> tuple[str, Ready]:
    server.calls = {sid(1): waiting(1, 90)}

    def ready(page: Page) -> None:
        page.get_by_role("button", name="Alerts").click()
        page.get_by_label("A caller waits for a human").check()
        page.get_by_role("button", name="Save").click()
        page.get_by_role("button", name="Dismiss").wait_for()
        page.get_by_role("button", name="Alerts").click()
        page.get_by_role("dialog").wait_for()

    return "calls", ready


STATES: tuple[State, ...] = (
    calls_now,
    no_calls,
    calls_that_cannot_be_loaded,
    a_lost_link,
    a_live_call,
    a_question_of_the_agent,
    a_call_that_is_over,
    an_unknown_call,
    past_calls,
    a_list_that_cannot_be_loaded,
    a_record,
    a_record_that_is_gone,
    deliveries,
    figures,
    the_audit_trail,
    a_dialog,
    an_alert_and_its_rules,
)


@pytest.fixture
def reader(browser: Browser, server: PageServer) -> Iterator[Page]:
    context = browser.new_context(base_url=server.address, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_page_has_no_finding_and_nothing_sticks_out(
    state: State, reader: Page, server: PageServer
) -> None:
    path, ready = state(server)
    reader.goto(f"/console#/{path}")
    ready(reader)
    for width in WIDTHS:
        reader.set_viewport_size({"width": width, "height": 860})
        # A chart is drawn again after its page has another width.
        reader.wait_for_function(
            "width => document.documentElement.scrollWidth <= width", arg=width
        )
        for scheme in ("light", "dark"):
            # In the dark only the colours are others.
            has_no_finding(reader, scheme, ["color-contrast"] if scheme == "dark" else None)
    server.mend_link()


def test_the_sign_in_has_no_finding(reader: Page, server: PageServer) -> None:
    server.session = None
    reader.goto("/console/sign-in")
    for scheme in ("light", "dark"):
        has_no_finding(reader, scheme)


def has_no_finding(page: Page, scheme: Any, rules: list[str] | None = None) -> None:
    page.emulate_media(color_scheme=scheme)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = rules
    found = Axe().run(page, options=options)
    assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"
