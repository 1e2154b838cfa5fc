"""For everybody: keys alone, dark and light, a telephone's screen, the parts that compute."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from hookflash.console import shapes as s

from .conftest import STATIC, PageServer, detail, entry, sid

LINE = s.Line(id="l1", speaker="agent", text="Hello there.", started_at=1.0, ended_at=2.0)


def with_calls(server: PageServer) -> PageServer:
    """Give the server a few calls, each of which can be opened."""
    server.calls = {sid(number): entry(number) for number in range(1, 8)}
    server.details = {call: detail(one, lines=(LINE,)) for call, one in server.calls.items()}
    return server


def the_keyboard_reaches_every_page_and_call(page: Page, full: PageServer) -> None:
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(7)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator(".call-row").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".call-who h1")).to_have_text("+1 555 010 0002")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Calls now")).to_be_visible()
    for key, name in (
        ("2", "Past calls"),
        ("3", "Deliveries"),
        ("5", "Audit"),
        ("1", "Calls now"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        expect(page.locator("nav [aria-current=page]")).to_have_attribute("data-key", key)


def the_list_of_keys_opens_and_switches_them_off(page: Page, full: PageServer) -> None:
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(7)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard and appearance")
    expect(dialog).to_contain_text("Write a hint")
    dialog.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Calls now")).to_be_visible()
    page.get_by_role("button", name="Keyboard and appearance").click()
    dialog.get_by_label("Single-key shortcuts").check()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Past calls")).to_be_visible()


def keys_are_silent_while_somebody_writes(page: Page, full: PageServer) -> None:
    page.goto(f"/console#/calls/{sid(1)}")
    field = page.get_by_label("Hint: Only the agent reads this")
    field.fill("")
    field.press_sequentially("1 tlx?")
    expect(field).to_have_value("1 tlx?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert {method for method, _, _ in full.asked} <= {"GET"}


def tab_goes_through_all_that_can_be_done_and_shows_where_it_is(
    page: Page, full: PageServer
) -> None:
    page.goto(f"/console#/calls/{sid(1)}")
    expect(page.locator(".turn.line")).to_have_count(1)
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outlined = page.evaluate(
            """() => {
              const one = document.activeElement;
              const style = getComputedStyle(one);
              return [(one.ariaLabel ?? one.textContent).trim(),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
            }"""
        )
        if name and one_of_ours(name):
            assert outlined, f"the focus cannot be seen on {name!r}"
            reached.append(name)
    wanted = {"Skip to the page", "Calls now", "Listen", "Take over", "Hand off …", "Hang up"}
    wanted |= {"Hint", "Say", "Send", "Hint: Only the agent reads this", "Transcript as heard"}
    assert wanted <= set(reached), wanted - set(reached)


def one_of_ours(name: str) -> bool:
    return len(name) < 80


def the_skip_link_leads_to_the_page(page: Page, full: PageServer) -> None:
    page.goto("/console#/calls")
    expect(page.locator(".call-row")).to_have_count(7)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.url.endswith("#/calls")


def test_words_can_be_read_in_light_and_dark_and_on_a_telephones_screen(
    browser: Browser, server: PageServer
) -> None:
    full = with_calls(server)
    for scheme in ("light", "dark"):
        context = browser.new_context(base_url=full.address, color_scheme=scheme)
        page = context.new_page()
        page.goto(f"/console#/calls/{sid(1)}")
        expect(page.locator(".turn.line")).to_have_count(1)
        darkness = page.evaluate(f"({LUMINANCE})(getComputedStyle(document.body).backgroundColor)")
        assert darkness < 0.05 if scheme == "dark" else darkness > 0.85
        for place in (".call-who h1", ".call-who p", ".turn .heard", ".turn-who", ".facts dt"):
            assert page.evaluate(CONTRAST, place) >= 4.5, f"{scheme}: {place}"
        assert page.evaluate(CONTRAST, "nav a") >= 4.5, f"{scheme}: nav a"
        context.close()
    context = browser.new_context(base_url=full.address, viewport={"width": 360, "height": 740})
    page = context.new_page()
    for path in ("calls", f"calls/{sid(1)}", "past", "deliveries", "audit"):
        page.goto("about:blank")
        page.goto(f"/console#/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path
        for link in page.locator("nav [data-page]").all():
            box = link.bounding_box()
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 360, path
    context.close()


def the_reader_may_choose_another_appearance(page: Page, full: PageServer) -> None:
    page.goto("/console#/calls")
    page.get_by_role("button", name="Keyboard and appearance").click()
    page.get_by_role("dialog").locator("select").select_option("dark")
    darkness = page.evaluate(f"({LUMINANCE})(getComputedStyle(document.body).backgroundColor)")
    assert darkness < 0.05
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


LUMINANCE = """(color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""

CONTRAST = """(place) => {
  const luminance = LUMINANCE;
  const node = document.querySelector(place);
  let under = node;
  while (/rgba?\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(under).backgroundColor)) {
    under = under.parentElement;
  }
  const [a, b] = [getComputedStyle(node).color, getComputedStyle(under).backgroundColor]
    .map(luminance).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}""".replace("LUMINANCE", LUMINANCE)


# --- parts without a page -----------------------------------------------------------------------


def computed(page: Page, module: str, work: str) -> Any:
    page.goto("/console/sign-in")
    return page.evaluate(f"import('/console/static/{module}').then((m) => ({work})(m))")


def events_are_read_however_they_are_cut_up(page: Page) -> None:
    stream = r": hello\n\nid: 7\nevent: A\ndata: {}\n\nevent: B\r\ndata: x\r\ndata: y\r\n\r\n"
    read = f"""(m) => [1, 2, 3, 7, 100].map((size) => {{
      const reader = new m.EventReader();
      const found = [];
      for (let at = 0; at < `{stream}`.length; at += size) {{
        found.push(...reader.feed(`{stream}`.slice(at, at + size)));
      }}
      return JSON.stringify(found);
    }})"""
    found = computed(page, "feed.js", read)
    assert set(found) == {'[{"name":"A","data":"{}","id":"7"},{"name":"B","data":"x\\ny","id":""}]'}


def a_part_that_comes_again_replaces_the_one_with_its_id(page: Page) -> None:
    merged = computed(
        page,
        "live-store.js",
        "(m) => m.merged({lines: [{id: 'a', n: 1}, {id: 'b', n: 1}]},"
        " {lines: [{id: 'a', n: 2}, {id: 'c', n: 1}]}).lines.map((one) => one.id + one.n).join()",
    )
    assert merged == "a2,b1,c1"


def scales_are_round(page: Page) -> None:
    scales = computed(page, "charts.js", "(m) => [0, 0.7, 9, 335].map(m.ticks)")
    assert scales == [
        [0, 1],
        [0, 0.2, 0.4, 0.6, 0.8],
        [0, 2.5, 5, 7.5, 10],
        [0, 100, 200, 300, 400],
    ]


def times_and_costs_are_written_short(page: Page) -> None:
    written = computed(
        page,
        "format.js",
        "(m) => [m.clock(187.9), m.clock(3729), m.wait(0.84), m.wait(1.25), m.wait(38),"
        " m.wait(null), m.money(0.0123), m.money(4.5), m.caller(''), m.label('handed_off'),"
        ' m.tidyJson(\'{"a":1,"b":"c"}\'), m.tidyJson(\'no json\')]',
    )
    assert written == [
        "3:07",
        "1:02:09",
        "840 ms",
        "1.3 s",
        "38 s",
        "–",
        "$0.012",
        "$4.50",
        "Number withheld",
        "Handed off",
        "a: 1, b: c",
        "no json",
    ]


def test_the_pages_are_used_by_keyboard_and_their_modules_compute(
    page: Page, server: PageServer
) -> None:
    for use in (
        the_keyboard_reaches_every_page_and_call,
        the_list_of_keys_opens_and_switches_them_off,
        keys_are_silent_while_somebody_writes,
        tab_goes_through_all_that_can_be_done_and_shows_where_it_is,
        the_skip_link_leads_to_the_page,
        the_reader_may_choose_another_appearance,
    ):
        server.begin_anew(page)
        use(page, with_calls(server))
    for module in (
        events_are_read_however_they_are_cut_up,
        a_part_that_comes_again_replaces_the_one_with_its_id,
        scales_are_round,
        times_and_costs_are_written_short,
    ):
        module(page)


# --- the files ----------------------------------------------------------------------------------


def test_nothing_is_written_as_markup() -> None:
    """The rule that keeps hostile text harmless, checked on the source itself."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|srcdoc")
    for file in STATIC.rglob("*.js"):
        assert not forbidden.search(file.read_text()), file.name
    outside = re.compile(r"https?://(?!www\.w3\.org/2000/svg)")
    for file in [*STATIC.rglob("*.js"), *STATIC.rglob("*.css"), *STATIC.rglob("*.html")]:
        text = file.read_text()
        assert not outside.search(text), f"{file.name} names an address outside"
        if file.suffix == ".html":
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text), file.name


def test_all_modules_are_fetched_at_once() -> None:
    """What the page's script imports is named in the page, so that nothing waits for its turn."""
    needed: set[str] = set()
    left = ["app.js"]
    while left:
        for name in re.findall(r'from "\./([\w-]+\.js)"', (STATIC / left.pop()).read_text()):
            if name not in needed:
                needed.add(name)
                left.append(name)
    page = (STATIC / "index.html").read_text()
    assert set(re.findall(r'modulepreload" href="/console/static/([\w-]+\.js)', page)) == needed
