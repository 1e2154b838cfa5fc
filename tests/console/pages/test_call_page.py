"""The page of one live call: as heard, drawn, and what may be done to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
from playwright.sync_api import Page, expect

from hookflash.console import shapes as s

from .conftest import PageServer, detail, entry, sid
from .test_past_pages import past

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"

LINES = (
    s.Line(id="l1", speaker="agent", text="Hello there.", started_at=0.5, ended_at=2.0),
    s.Line(id="l2", speaker="caller", text="Are you open?", started_at=3.0, ended_at=4.0),
    s.Line(
        id="l3",
        speaker="agent",
        text="We are open from nine",
        started_at=4.8,
        ended_at=6.5,
        cut="until five on all days.",
    ),
    s.Line(id="l4", speaker="caller", text="A person please.", started_at=6.4, ended_at=8.0),
    s.Line(id="l5", speaker="agent", text="One", ahead="moment please.", started_at=9.0),
)
PARTS: dict[str, Any] = {
    "lines": LINES,
    "tools": (
        s.Tool(
            id="t1",
            name="opening_hours",
            arguments='{"day": "Saturday"}',
            status="answered",
            started_at=4.1,
            seconds=0.42,
            output="9 to 17",
        ),
    ),
    "stages": (
        s.Stage(id="s1", name="talking", started_at=0.2, ended_at=9.0),
        s.Stage(id="s2", name="farewell", started_at=9.0),
    ),
    "barge_ins": (s.BargeIn(id="b1", at=6.5),),
    "latencies": (s.Latency(id="w1", started_at=4.0, ended_at=4.8),),
    "actions": (s.Action(id="a1", at=5.0, by="omar", kind="hint", text="Mention parking."),),
}


def a_call_that_is_not_there_yet_offers_nothing(page: Page, server: PageServer) -> None:
    server.calls = {sid(1): entry(1)}
    server.break_link()
    page.goto(f"/console#/calls/{sid(1)}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Looking for this call …")
    expect(page.get_by_role("toolbar")).to_be_hidden()
    server.details = {sid(1): detail(entry(1), lines=LINES[:1])}
    server.mend_link()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".turn.line")).to_have_count(1)
    expect(page.get_by_role("toolbar")).to_be_visible()


def opened(page: Page, server: PageServer, shown: s.CallEntry, **parts: Any) -> Page:
    server.calls = {shown.call_sid: shown}
    server.details = {shown.call_sid: detail(shown, **parts)}
    page.goto(f"/console#/calls/{shown.call_sid}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(r"\+1|<"))
    return page


def eventually(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def changed(server: PageServer, shown: s.CallEntry | None = None, **parts: Any) -> None:
    server.say(s.CallPatched(call_sid=sid(1), parts=s.Parts(**parts), entry=shown))


def what_was_cut_is_struck_out_and_what_is_ahead_is_faint(call: Page, server: PageServer) -> None:
    turns = call.locator(".turn.line")
    expect(turns).to_have_count(5)
    expect(turns.nth(2).locator(".heard")).to_have_text("We are open from nine")
    expect(turns.nth(2).locator("s.cut")).to_have_text("until five on all days.")
    expect(turns.nth(2).locator(".tag")).to_have_text("barge-in")
    expect(turns.nth(2)).to_contain_text("Never heard:")
    expect(turns.nth(4).locator(".ahead")).to_have_text("moment please.")
    expect(turns.nth(4)).to_have_attribute("data-open", "")
    assert turns.nth(2).locator("s.cut").evaluate("(one) => getComputedStyle(one).color") != (
        turns.nth(2).locator(".heard").evaluate("(one) => getComputedStyle(one).color")
    )


def tools_steps_and_other_peoples_actions_stand_where_they_happened(
    call: Page, server: PageServer
) -> None:
    times = call.locator(".turn .turn-time").all_text_contents()
    assert times == sorted(times)
    tool = call.locator(".turn", has_text="opening_hours")
    expect(tool).to_contain_text("day: Saturday")
    expect(tool).to_contain_text("→ 9 to 17")
    expect(tool).to_contain_text("420 ms")
    expect(call.get_by_text("Farewell: The agent speaks its last words")).to_be_visible()
    expect(call.get_by_text("omar gave a hint: Mention parking.")).to_be_visible()


def the_call_is_drawn(call: Page, server: PageServer) -> None:
    drawing = call.locator(".timeline svg[role=img]")
    expect(drawing).to_have_attribute(
        "aria-label",
        re.compile(
            r"^Timeline: \d:\d\d, 2 turns of the caller, 3 turns of the agent, 1 barge-in,"
            " 1 tool call. The transcript says the same in words.$"
        ),
    )
    expect(drawing.locator("rect.bar.caller")).to_have_count(2)
    expect(drawing.locator("rect.bar.agent")).to_have_count(3)
    expect(drawing.locator("rect.unheard")).to_have_count(1)
    expect(drawing.locator("rect.tool")).to_have_count(1)
    expect(drawing.locator("path.barge")).to_have_count(1)
    expect(drawing.locator("text.wait")).to_have_text("800 ms")
    expect(drawing.locator("text.on-stage").first).to_have_text("talking")
    caller, agent = (
        drawing.locator(f"rect.bar.{who}").first.bounding_box() for who in ("caller", "agent")
    )
    assert caller and agent
    assert agent["x"] < caller["x"] and agent["y"] > caller["y"]


def the_sound_is_drawn_as_it_comes(call: Page, server: PageServer) -> None:
    waves = call.locator("path.wave")
    expect(waves).to_have_count(0)
    piece = s.SoundLevels(id="0", started_at=6.4, left="f" * 20, right="0" * 20)
    changed(server, sound=(piece,))
    expect(call.locator("path.wave.caller")).to_have_count(1)
    # What was said before the page was opened stays a bar with its words.
    expect(call.locator("rect.bar.caller.shade")).to_have_count(1)
    expect(call.locator("rect.bar.caller")).to_have_count(2)
    longer = s.SoundLevels(id="0", started_at=6.4, left="f" * 20 + "0" * 20, right="0" * 40)
    drawn = call.locator("path.wave.caller").get_attribute("d")
    changed(server, sound=(longer,))
    expect(call.locator("path.wave.caller")).to_have_attribute("d", re.compile("^M"))
    assert drawn and drawn.count("M") > 3


def a_line_that_comes_again_changes_in_its_place(call: Page, server: PageServer) -> None:
    fifth = call.locator(".turn.line").nth(4)
    fifth.evaluate("(one) => { one.mine = true; }")
    line = s.Line(
        id="l5", speaker="agent", text="One moment please.", started_at=9.0, ended_at=10.2
    )
    changed(server, lines=(line,))
    expect(fifth.locator(".heard")).to_have_text("One moment please.")
    expect(fifth).not_to_have_attribute("data-open", "")
    assert fifth.evaluate("(one) => one.mine")
    expect(call.locator(".unseen[role=status]")).to_have_text("agent: One moment please.")


def the_hand_off_shows_its_step_and_its_time_left(call: Page, server: PageServer) -> None:
    # Longer than any machine takes to get there: what is left is read in minutes.
    now = s.HandoffNow(
        state="ringing",
        destination="front_desk",
        reason="wants a person",
        summary="About opening hours",
        source="tool",
        asked_at=9.0,
        until=time.time() + 600,
    )
    leg = s.Leg(id="g1", status="ringing", started_at=10.0)
    changed(server, entry(1, phase="handing off", handoff=now), legs=(leg,))
    notice = call.get_by_label("Hand-off", exact=True)
    expect(notice).to_contain_text("Hand-off to front desk")
    expect(notice).to_contain_text("wants a person · About opening hours")
    expect(notice.locator("[aria-current=step]")).to_have_text("ringing")
    expect(notice.locator(".left")).to_have_text(re.compile(r"\d:\d\d left"))
    expect(call.locator(".lane-names .human")).to_be_visible()
    expect(call.locator("rect.ringing")).to_have_count(1)
    notice.get_by_role("button", name="Cancel hand-off").click()
    assert server.wait_for("cancel") == {}
    changed(server, entry(1, phase="talking"))
    expect(notice).to_be_hidden()


def hostile_words_are_text(page: Page, server: PageServer) -> None:
    line = s.Line(
        id="l1", speaker="caller", text=HOSTILE, cut=HOSTILE, started_at=1.0, ended_at=2.0
    )
    tool = s.Tool(
        id="t1",
        name=HOSTILE,
        arguments=HOSTILE,
        status="failed",
        started_at=2.0,
        seconds=1.0,
        output=HOSTILE,
    )
    action = s.Action(id="a1", at=3.0, by=HOSTILE, kind=HOSTILE, text=HOSTILE)
    shown = entry(1, caller=HOSTILE, agent=HOSTILE, called=HOSTILE)
    opened(page, server, shown, lines=(line,), tools=(tool,), actions=(action,))
    expect(page.locator(".turn .heard")).to_have_text(HOSTILE)
    expect(page.locator(".call-who h1")).to_have_text(HOSTILE)
    assert page.locator("main script, main img").count() == 0
    assert "taken" not in page.evaluate("document.title").split("·")[1]


# --- actions ------------------------------------------------------------------------------------


def a_hint_and_words_to_say_reach_the_call(call: Page, server: PageServer) -> None:
    call.keyboard.press("h")
    call.keyboard.type("Offer Thursday.")
    call.keyboard.press("Enter")
    assert server.wait_for("hint") == {"text": "Offer Thursday."}
    field = call.get_by_label("Hint: Only the agent reads this")
    expect(field).to_have_value("")
    call.keyboard.press("Escape")
    call.keyboard.press("s")
    call.keyboard.type("We close at five.")
    call.get_by_role("button", name="Send").click()
    assert server.wait_for("say") == {"text": "We close at five."}
    expect(call.get_by_text("The agent will say it.").first).to_be_visible()


def a_supervisor_takes_over(call: Page, server: PageServer) -> None:
    call.keyboard.press("t")
    assert server.wait_for("handoff") == {"destination": "me"}


def a_hand_off_names_a_destination_and_a_reason(call: Page, server: PageServer) -> None:
    call.get_by_role("button", name="Hand off …").click()
    call.locator("select[name=destination]").select_option("billing")
    call.get_by_label("Reason (the human hears it, and what the caller said)").fill(
        "An old invoice"
    )
    call.get_by_role("button", name="Hand off", exact=True).click()
    assert server.wait_for("handoff") == {"destination": "billing", "reason": "An old invoice"}


def the_caller_is_given_back(call: Page, server: PageServer) -> None:
    expect(call.get_by_role("button", name="Give back")).to_be_hidden()
    changed(server, entry(1, phase="with a human"))
    call.get_by_role("button", name="Give back").click()
    assert server.wait_for("giveback") == {}
    expect(call.get_by_role("button", name="Take over")).to_be_hidden()


def nobody_hangs_up_by_one_key(call: Page, server: PageServer) -> None:
    call.keyboard.press("x")
    expect(call.get_by_role("dialog")).to_contain_text("End this call?")
    call.keyboard.press("Escape")
    expect(call.get_by_role("dialog")).to_have_count(0)
    assert not server.asked
    call.get_by_role("button", name="Hang up").click()
    call.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    assert server.wait_for("hangup") == {}


def a_question_of_the_agents_is_answered(call: Page, server: PageServer) -> None:
    asked = s.Question(
        id="q7", text="May I give a discount?", asked_at=9.0, until=time.time() + 600
    )
    changed(server, entry(1, question=asked))
    notice = call.get_by_label("The agent asks", exact=True)
    expect(notice).to_contain_text("May I give a discount?")
    expect(notice.locator(".left")).to_contain_text("left")
    call.get_by_label("Your answer").fill("Ten per cent.")
    call.keyboard.press("Enter")
    assert server.wait_for("answer") == {"id": "q7", "text": "Ten per cent."}


def a_refusal_is_said_and_what_was_written_stays(call: Page, server: PageServer) -> None:
    server.refusal = (404, s.Fault(code="unknown", message="The call is over already."))
    call.keyboard.press("h")
    call.keyboard.type("Too late")
    call.keyboard.press("Enter")
    expect(call.locator(".toast.failed")).to_have_text("The call is over already.")
    expect(call.get_by_label("Hint: Only the agent reads this")).to_have_value("Too late")


def a_call_is_listened_to(call: Page, server: PageServer) -> None:
    call.keyboard.press("l")
    button = call.get_by_role("button", name="Listening")
    expect(button).to_have_attribute("aria-pressed", "true")
    caller, agent = button.locator(".level i").all()
    expect(caller).to_have_attribute("style", re.compile(r"--level: (0\.9|1)"))
    expect(agent).to_have_attribute("style", "--level: 0.00;")
    button.click()
    expect(call.get_by_role("button", name="Listen", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    assert eventually(lambda: server.listeners == 0)


def sound_that_stops_is_said(call: Page, server: PageServer) -> None:
    call.keyboard.press("l")
    expect(call.get_by_role("button", name="Listening")).to_be_visible()
    server.up = False
    expect(call.locator(".toast.failed")).to_have_text("The call can no longer be heard.")
    expect(call.get_by_role("button", name="Listen", exact=True)).to_be_visible()


def leaving_the_page_stops_the_sound(call: Page, server: PageServer) -> None:
    call.keyboard.press("l")
    expect(call.get_by_role("button", name="Listening")).to_be_visible()
    call.keyboard.press("Escape")
    expect(call.get_by_role("heading", name="Calls now")).to_be_visible()
    assert eventually(lambda: server.listeners == 0)


def who_has_signed_in_anew_elsewhere_goes_on_here(call: Page, server: PageServer) -> None:
    assert server.session is not None
    server.session = msgspec.structs.replace(server.session, csrf="another-token")
    call.keyboard.press("h")
    call.keyboard.type("Still here.")
    call.keyboard.press("Enter")
    assert server.wait_for("hint") == {"text": "Still here."}
    expect(call.locator(".toast.failed")).to_have_count(0)


def a_viewer_is_offered_nothing_that_acts(page: Page, server: PageServer) -> None:
    assert server.session is not None
    server.session = msgspec.structs.replace(server.session, role="viewer", can=("listen",))
    opened(page, server, entry(1), **PARTS)
    expect(page.get_by_role("button", name="Listen")).to_be_visible()
    for name in ("Take over", "Hand off …", "Hang up", "Send"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    expect(page.get_by_role("link", name="Audit")).to_be_hidden()


def a_call_that_ends_leads_to_its_record(call: Page, server: PageServer) -> None:
    server.say(s.CallOver(call_sid=sid(1)))
    expect(call.get_by_text("The call is over.")).to_be_visible()
    expect(call.get_by_role("button", name="Take over")).to_be_disabled()
    expect(call.get_by_role("link", name="Open the record")).to_have_attribute(
        "href", f"#/past/{sid(1)}"
    )


def a_call_that_was_never_live_leads_to_its_record(page: Page, server: PageServer) -> None:
    server.past_calls = {sid(9): s.PastCall(entry=past(9), parts=s.Parts())}
    page.goto(f"/console#/calls/{sid(9)}")
    expect(page.get_by_text("The call is over.")).to_be_visible()
    expect(page.locator(".link")).to_have_attribute("data-state", "live")


def another_page_shows_the_newest_call(page: Page, server: PageServer) -> None:
    older, newer = entry(1, arrived_at=time.time() - 90), entry(2)
    server.calls = {sid(1): older, sid(2): newer}
    server.details = {
        sid(1): detail(older, lines=LINES[:1]),
        sid(2): detail(newer, lines=LINES[:2]),
    }
    page.goto("/console/sign-in")
    page.evaluate(
        """async () => {
          const { showCall } = await import("/console/static/embed.js");
          window.shown = [];
          window.view = await showCall(document.querySelector("main"), {
            onCall: (sid) => window.shown.push(sid),
          });
        }"""
    )
    expect(page.locator(".turn.line")).to_have_count(2)
    expect(page.get_by_role("link", name="Calls now")).to_have_count(0)
    assert page.locator(".notices").evaluate("(one) => getComputedStyle(one).display") == "none"
    server.say(s.CallOver(call_sid=sid(2)))
    expect(page.locator(".turn.line")).to_have_count(1)
    assert page.evaluate("window.shown") == [sid(2), sid(1)]
    server.say(s.CallOver(call_sid=sid(1)))
    expect(page.get_by_role("link", name="Open the record")).to_have_attribute(
        "href", f"{server.address}/console/#/past/{sid(1)}"
    )
    page.evaluate("window.view.close()")
    expect(page.locator(".turn.line")).to_have_count(0)


def a_reader_who_looks_back_is_left_where_they_are(page: Page, server: PageServer) -> None:
    many = tuple(
        s.Line(id=f"l{n}", speaker="agent", text=f"Line {n}", started_at=n, ended_at=n + 0.5)
        for n in range(40)
    )
    opened(page, server, entry(1), lines=many)
    turns = page.locator(".said")
    expect(page.locator(".turn.line").last).to_be_in_viewport()
    turns.evaluate("(one) => { one.scrollTop = 0; }")
    expect(page.get_by_role("button", name="Jump to now")).to_be_visible()
    changed(server, lines=(s.Line(id="new", speaker="caller", text="More", started_at=41.0),))
    expect(page.locator(".turn.line")).to_have_count(41)
    assert turns.evaluate("(one) => one.scrollTop") == 0
    page.get_by_role("button", name="Jump to now").click()
    expect(page.locator(".turn.line").last).to_be_in_viewport()


# --- the tests ----------------------------------------------------------------------------------


def test_all_that_there_is_of_a_call_is_shown(page: Page, server: PageServer) -> None:
    for check in (
        what_was_cut_is_struck_out_and_what_is_ahead_is_faint,
        tools_steps_and_other_peoples_actions_stand_where_they_happened,
        the_call_is_drawn,
        the_sound_is_drawn_as_it_comes,
        a_line_that_comes_again_changes_in_its_place,
        the_hand_off_shows_its_step_and_its_time_left,
        a_call_that_ends_leads_to_its_record,
    ):
        server.begin_anew(page)
        check(opened(page, server, entry(1), **PARTS), server)


def test_whatever_may_be_done_to_a_call_reaches_it(page: Page, server: PageServer) -> None:
    for check in (
        a_hint_and_words_to_say_reach_the_call,
        a_supervisor_takes_over,
        a_hand_off_names_a_destination_and_a_reason,
        the_caller_is_given_back,
        nobody_hangs_up_by_one_key,
        a_question_of_the_agents_is_answered,
        a_refusal_is_said_and_what_was_written_stays,
        who_has_signed_in_anew_elsewhere_goes_on_here,
        a_call_is_listened_to,
        sound_that_stops_is_said,
        leaving_the_page_stops_the_sound,
    ):
        server.begin_anew(page)
        check(opened(page, server, entry(1), **PARTS), server)


def test_calls_and_readers_of_every_kind_are_shown_what_they_need(
    page: Page, server: PageServer
) -> None:
    for check in (
        a_call_that_is_not_there_yet_offers_nothing,
        hostile_words_are_text,
        a_viewer_is_offered_nothing_that_acts,
        a_call_that_was_never_live_leads_to_its_record,
        a_reader_who_looks_back_is_left_where_they_are,
        another_page_shows_the_newest_call,
    ):
        server.begin_anew(page)
        check(page, server)
