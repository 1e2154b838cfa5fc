"""The page of a phone, in a real browser, on a line whose TwiML the test writes."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from hookflash_local.audio import load

from .conftest import Line, Opened
from .phone_parts import PhonePage, loud_seconds

DIAL = "<Response><Dial>+15550100002</Dial></Response>"
WHISPERING = {
    "/voice": "<Response><Dial><Number url='/whisper'>+15550100002</Number></Dial></Response>",
    "/whisper": "<Response><Gather numDigits='1' action='/key' timeout='90'><Say>Call for support."
    " Ben is on the line: a refund. Press 1 to take the call, or 2 to decline it.</Say></Gather>"
    "<Hangup/></Response>",
    "/key": "<Response/>",
}
QUESTION = load("tts-hours-piper-joe").audio[2_400:10_400]
ANSWER = load("sb_spk2_snt5").audio[:8_000]
"""A second of two voices each: whoever is heard for most of it is heard."""

SMALL = {"width": 430, "height": 780}


async def two(line: Line, opened: Opened) -> tuple[PhonePage, PhonePage]:
    caller = await opened(f"{line.server.url}phone?as=caller", viewport=SMALL)
    anna = await opened(f"{line.server.url}phone?as=human", viewport=SMALL)
    return caller, anna


async def talking(caller: PhonePage, anna: PhonePage) -> None:
    """Let the caller's call be answered."""
    await caller.does("Call")
    await anna.state("ringing")
    await anna.does("Answer")
    await caller.connected()
    await anna.connected()


async def hear_each_other(one: PhonePage, other: PhonePage) -> None:
    for speaker, hearer, sound in ((one, other, QUESTION), (other, one, ANSWER)):
        first = len(hearer.heard)
        await speaker.says(sound)
        await hearer.hears(loud_seconds(sound) * 0.7, since=first)


async def both_hear_each_other_and_the_meters_show_it(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml["/voice"] = DIAL
    await talking(caller, anna)
    await hear_each_other(caller, anna)
    level = caller.phone.get_by_role("meter", name="How loud you are")
    await caller.begins_to_say(QUESTION)
    await until_above(level, 30)
    theirs = anna.phone.get_by_role("meter", name="How loud they are")
    await until_above(theirs, 30)
    await anna.does("Hold")
    await expect(theirs).to_have_attribute("aria-valuenow", "0")
    await anna.does("Take back")
    await caller.begins_to_say(QUESTION)
    await until_above(theirs, 30)
    await caller.picture("phone-talking")
    await anna.does("Hang up")
    await caller.state("idle")
    await expect(caller.phone.get_by_role("status")).to_have_text("The call is over")
    await caller.picture("phone-over")
    for page in (caller, anna):
        for meter in await page.phone.get_by_role("meter").all():
            await expect(meter).to_have_attribute("aria-valuenow", "0")


async def until_above(meter, level: int) -> None:
    async def loud_enough() -> bool:
        return int(await meter.get_attribute("aria-valuenow") or 0) > level

    while not await loud_enough():
        """The test's own time limit ends this."""


async def a_whisper_is_shown_and_spoken_and_1_takes_the_call(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml |= WHISPERING
    first = len(anna.heard)
    await caller.does("Call")
    await anna.state("ringing")
    await anna.picture("phone-ringing")
    await anna.does("Answer")
    said = anna.phone.get_by_role("region", name="Only you hear this")
    await expect(said).to_contain_text("Ben is on the line: a refund.")
    await expect(anna.phone.get_by_role("status")).to_have_text("Listen, then press a key")
    await expect(anna.phone.locator(".phone-key.named")).to_have_text(["1take", "2decline"])
    await anna.hears(1.0, since=first)
    await anna.picture("phone-whisper")
    assert "connected" not in str(await caller.phone.get_attribute("data-connected"))
    await anna.phone.get_by_role("button", name="1 take").click()
    await caller.connected()
    await anna.connected()
    assert next(form for path, form in line.asked if path == "/key")["Digits"] == "1"
    await hear_each_other(caller, anna)
    await caller.does("Hang up")
    await anna.state("idle")


async def everything_is_done_with_the_keyboard(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml |= WHISPERING
    # A click waits for its button; a key does not wait for the end of the call before.
    await caller.state("idle")
    await caller.page.keyboard.press("c")
    await anna.state("ringing")
    await anna.page.keyboard.press("a")
    await expect(anna.phone.get_by_role("status")).to_have_text("Listen, then press a key")
    await anna.page.keyboard.press("1")
    await caller.connected()
    await caller.page.keyboard.press("m")
    await expect(caller.phone.get_by_role("status")).to_have_text("Muted")
    await expect(caller.phone.get_by_role("button", name="Unmute")).to_have_attribute(
        "aria-pressed", "true"
    )
    await caller.page.keyboard.press("m")
    await caller.page.keyboard.press("h")
    await expect(caller.phone.get_by_role("status")).to_have_text("On hold")
    # Held, the other side hears music and this one nothing.
    await anna.hears(2.0)
    await caller.page.keyboard.press("h")
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    # By Tab too: every button of a phone can be reached, and Enter presses it.
    for _ in range(30):
        await caller.page.keyboard.press("Tab")
        if await caller.page.evaluate("document.activeElement.dataset.does") == "hang-up":
            break
    await caller.page.keyboard.press("Enter")
    await caller.state("idle")
    await anna.state("idle")
    # The button that was pressed is gone; the keyboard is with the phone all the same.
    await caller.page.keyboard.press("c")
    await anna.state("ringing")
    await anna.page.keyboard.press("d")
    await expect(anna.phone.get_by_role("status")).to_have_text("Declined")
    await caller.state("idle")


async def keys_reach_whoever_listens_for_them(line: Line, caller: PhonePage) -> None:
    line.twiml["/voice"] = (
        "<Response><Gather numDigits='3' timeout='90' action='/keys'/></Response>"
    )
    await caller.does("Call")
    await expect(caller.phone.get_by_role("status")).to_have_text("Listen, then press a key")
    await caller.page.keyboard.type("4")
    await caller.phone.get_by_role("button", name="star").click()
    await caller.page.keyboard.type("#")
    await caller.state("idle")
    assert dict(line.asked)["/keys"]["Digits"] == "4*", "the hash key ends it"


async def a_page_loaded_again_in_a_call_goes_on_with_it(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml["/voice"] = DIAL
    await talking(caller, anna)
    calls = len(line.carrier.calls)
    for page in (caller, anna):
        await page.page.reload()
        await page.state("talking")
        await page.connected()
    assert len(line.carrier.calls) == calls
    await hear_each_other(caller, anna)
    await caller.does("Hang up")
    await anna.state("idle")


async def a_page_that_lost_its_link_says_so_and_comes_back(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml["/voice"] = DIAL
    await talking(caller, anna)
    await line.server.go_down()
    await caller.phone.and_(caller.page.locator("[data-link=lost]")).wait_for()
    await expect(caller.phone.get_by_role("status")).to_have_text("Connecting…")
    line.server.come_back()
    await caller.connected()
    await expect(caller.phone.get_by_role("status")).to_have_text("On the line")
    await expect(anna.phone.get_by_role("status")).to_have_text("On the line")
    await hear_each_other(caller, anna)
    for page in (caller, anna):
        assert all("ERR_CONNECTION_REFUSED" in each for each in page.troubles)
        page.troubles.clear()
    await caller.does("Hang up")
    await anna.state("idle")


async def the_same_phone_in_two_windows_is_in_the_newer_one(line: Line, caller: PhonePage) -> None:
    token = await caller.page.evaluate("sessionStorage.getItem('hookflash.phone.caller.')")
    other = await caller.page.context.new_page()
    await other.add_init_script(f"sessionStorage.setItem('hookflash.phone.caller.', {token!r})")
    await other.goto(f"{line.server.url}phone?as=caller")
    await expect(caller.phone.get_by_role("status")).to_have_text("Open in another window")
    await caller.does("Use it here")
    await expect(caller.phone.get_by_role("status")).to_have_text("Ready to call")
    await expect(other.locator("hookflash-phone").get_by_role("status")).to_have_text(
        "Open in another window"
    )
    assert len(line.server.phones.by_token) == 1
    await other.close()


async def without_a_microphone_one_can_listen(
    line: Line, caller: PhonePage, anna: PhonePage
) -> None:
    line.twiml["/voice"] = DIAL
    await anna.page.evaluate(
        "void (navigator.mediaDevices.getUserMedia ="
        " async () => { throw new DOMException('no', 'NotAllowedError') })"
    )
    await talking(caller, anna)
    await expect(anna.phone.get_by_role("alert")).to_contain_text("The microphone is blocked.")
    await expect(anna.phone.get_by_role("status")).to_have_text("Muted")
    await caller.says(QUESTION)
    await anna.hears(1.0, since=0)
    await caller.does("Hang up")
    await anna.state("idle")


async def a_call_that_cannot_be_placed_is_told(line: Line, caller: PhonePage) -> None:
    line.carrier.numbers.clear()
    await caller.does("Call")
    await expect(caller.phone.get_by_role("alert")).to_contain_text("is not a number of this line")


# --- the tests ----------------------------------------------------------------------------------


@pytest.mark.realtime
async def test_two_people_hold_calls_by_mouse_and_keyboard_and_are_told_what_goes_wrong(
    line: Line, opened: Opened
) -> None:
    caller = await opened(f"{line.server.url}phone?as=caller", viewport=SMALL)
    await caller.picture("phone-idle")
    await the_same_phone_in_two_windows_is_in_the_newer_one(line, caller)
    await keys_reach_whoever_listens_for_them(line, caller)
    anna = await opened(f"{line.server.url}phone?as=human", viewport=SMALL)
    await both_hear_each_other_and_the_meters_show_it(line, caller, anna)
    await a_whisper_is_shown_and_spoken_and_1_takes_the_call(line, caller, anna)
    await everything_is_done_with_the_keyboard(line, caller, anna)
    await a_page_loaded_again_in_a_call_goes_on_with_it(line, caller, anna)
    await a_page_that_lost_its_link_says_so_and_comes_back(line, caller, anna)
    await without_a_microphone_one_can_listen(line, caller, anna)
    await a_call_that_cannot_be_placed_is_told(line, caller)


@pytest.mark.realtime
async def test_two_callers_and_two_humans_at_once(line: Line, opened: Opened) -> None:
    line.twiml["/voice"] = DIAL
    caller, anna = await two(line, opened)
    second, bert = await two(line, opened)
    await caller.does("Call")
    await anna.state("ringing")
    await bert.state("ringing")
    await anna.does("Answer")
    await caller.connected()
    await expect(bert.phone.get_by_role("status")).to_have_text("Answered on another phone")
    await second.does("Call")
    await bert.state("ringing")
    await bert.does("Answer")
    await second.connected()
    quiet = loud_seconds(bytes(bert.heard))
    await hear_each_other(caller, anna)
    assert loud_seconds(bytes(bert.heard)) == quiet, "the two calls do not hear each other"
    await hear_each_other(second, bert)
    for page in (caller, second):
        await page.does("Hang up")
    await anna.state("idle")
    await bert.state("idle")
