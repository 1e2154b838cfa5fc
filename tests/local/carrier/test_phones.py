"""Phones by their sockets: calls placed, rung, whispered to, held, and taken up again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hookflash_local.carrier import Human
from hookflash_local.carrier.phones.server import PhoneServer

from .phone_parts import Page, page

ANSWER = "<Response><Dial>+15550100002</Dial></Response>"
LINE, ANNA = "+15550100001", "+15550100002"
HIGH, LOW = b"\x10" * 160, b"\x90" * 160


@pytest.fixture
async def opened(worlds) -> AsyncIterator[Callable[..., Awaitable[tuple]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def opened(**settings):
            world = await worlds()
            server = PhoneServer(world.carrier, **settings)
            return world, await stack.enter_async_context(server)

        yield opened


async def talk(speaker: Page, frame: bytes, hearer: Page) -> None:
    """Speak until the other page hears it."""
    sound = frame * 3
    while sound not in bytes(hearer.heard):
        await speaker.socket.send(frame)
        await asyncio.sleep(0.02)


async def connected(one: Page, other: Page) -> None:
    for each in (one, other):
        await each.until(lambda page: page.shown["connected"])


async def test_a_caller_and_a_human_talk_and_one_hangs_up(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        assert caller.shown["number"] == "+15550100200"
        await caller.ask("dial", to=LINE)
        assert (await anna.state("ringing"))["peer"] == "+15550100200"
        await anna.ask("answer")
        await connected(caller, anna)
        assert (await caller.state("talking"))["peer"] == LINE
        await talk(caller, HIGH, anna)
        await talk(anna, LOW, caller)
        await anna.ask("hang-up")
        assert (await anna.state("idle"))["ended"] == "over"
        assert (await caller.state("idle"))["ended"] == "over"


async def test_what_is_whispered_is_shown_and_heard_and_a_key_takes_the_call(opened) -> None:
    world, server = await opened()
    world.app.answers |= {
        "/voice": "<Response><Dial><Number url='/whisper'>+15550100002</Number></Dial></Response>",
        "/whisper": "<Response><Gather numDigits='1' action='/key' timeout='60'>"
        "<Say>Ben about a refund. Press 1.</Say></Gather><Hangup/></Response>",
        "/key": "<Response/>",
    }
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await caller.ask("dial", to=LINE)
        await anna.state("ringing")
        await anna.ask("answer")
        await anna.until(lambda page: page.shown["said"] == ["Ben about a refund. Press 1."])
        await anna.until(lambda page: any(byte != 0xFF for byte in page.heard))
        assert anna.shown["wants_key"] and not anna.shown["connected"]
        await anna.ask("press", key="1")
        await connected(caller, anna)
        assert not anna.shown["wants_key"]
        assert (await world.app.form("/key"))["Digits"] == "1"
        await caller.ask("hang-up")
        await anna.state("idle")


async def test_two_phones_with_one_number_ring_and_the_first_has_the_call(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER
    async with (
        page(server, "caller") as caller,
        page(server, "caller") as second,
        page(server, "human", number=ANNA) as anna,
        page(server, "human", number=ANNA) as bert,
    ):
        await caller.ask("dial", to=LINE)
        await anna.state("ringing")
        await bert.state("ringing")
        await bert.ask("answer")
        await connected(caller, bert)
        assert (await anna.state("idle"))["ended"] == "answered-elsewhere"
        # Whoever calls next reaches the one who is free, and all four talk.
        await second.ask("dial", to=LINE)
        await anna.state("ringing")
        await anna.ask("answer")
        await connected(second, anna)
        await talk(second, HIGH, anna)
        await talk(caller, LOW, bert)
        for each in (caller, second):
            await each.ask("hang-up")
        await bert.state("idle")
        await anna.state("idle")


@pytest.mark.parametrize(
    ("does", "ended", "status"), [("decline", "declined", "busy"), ("", "missed", "no-answer")]
)
async def test_a_call_not_taken_goes_back(opened, does: str, ended: str, status: str) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = (
        "<Response><Dial action='/after' timeout='5'>+15550100002</Dial></Response>"
    )
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await caller.ask("dial", to=LINE)
        await anna.state("ringing")
        if does:
            await anna.ask(does)
        assert (await anna.state("idle"))["ended"] == ended
        assert (await world.app.form("/after"))["DialCallStatus"] == status
        await caller.state("idle")


async def test_the_phone_stops_ringing_when_the_caller_is_gone(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await caller.ask("dial", to=LINE)
        await anna.state("ringing")
        await caller.ask("hang-up")
        assert (await anna.state("idle"))["ended"] == "missed"
        await caller.state("idle")


async def test_a_phone_that_is_on_a_call_is_busy_and_an_unknown_number_is_refused(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER.replace("<Dial>", "<Say>One moment please.</Say><Dial>")
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await anna.ask("dial", to=LINE)
        await anna.state("talking")
        await anna.ask("dial", to=LINE)
        await anna.ask("dial", to="+15550100555")
        await anna.until(lambda page: len(page.refusals) == 2)
        assert (await anna.state("idle"))["ended"] == "over", "its own number was busy"
        await caller.ask("dial", to="+15550100555")
        await caller.until(lambda page: page.refusals)
        assert "not a number of this line" in caller.refusals[0]


async def test_held_they_hear_music_and_muted_nothing(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await caller.ask("dial", to=LINE)
        await anna.state("ringing")
        await anna.ask("answer")
        await connected(caller, anna)
        await anna.ask("hold", on=True)
        await anna.until(lambda page: page.shown["held"])
        await caller.until(lambda page: len(set(page.heard[-160:])) > 20)
        heard = len(anna.heard)
        await anna.ask("hold", on=False)
        await anna.until(lambda page: not page.shown["held"])
        await anna.until(lambda page: len(page.heard) > heard)
        await anna.ask("mute", on=True)
        await anna.until(lambda page: page.shown["muted"])
        for _ in range(20):
            await anna.socket.send(LOW)
        before = len(caller.heard)
        await caller.until(lambda page: len(page.heard) > before + 160 * 20)
        assert LOW not in bytes(caller.heard[before:])
        await anna.ask("mute", on=False)
        await talk(anna, LOW, caller)
        await caller.ask("hang-up")
        await anna.state("idle")


async def test_a_page_loaded_again_goes_on_with_its_call(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = ANSWER
    async with page(server, "human", number=ANNA) as anna:
        async with page(server, "caller") as first:
            await first.ask("dial", to=LINE)
            await anna.state("ringing")
            await anna.ask("answer")
            await connected(first, anna)
            token, seconds = first.shown["token"], first.shown["seconds"]
        async with page(server, "caller", token=token) as again:
            assert again.shown["state"] == "talking" and again.shown["connected"]
            assert again.shown["seconds"] >= seconds and again.shown["number"] == "+15550100200"
            await talk(anna, LOW, again)
            await talk(again, HIGH, anna)
            async with page(server, "caller", token=token) as third:
                await again.until(lambda page: page.replaced)
                await talk(anna, HIGH, third)
                await third.ask("hang-up")
                await anna.state("idle")


async def test_a_phone_whose_page_stays_away_hangs_up_and_gives_its_number_back(opened) -> None:
    world, server = await opened(grace_seconds=0.05)
    somebody = Human.busy()
    world.carrier.humans[ANNA] = somebody
    world.app.answers["/voice"] = ANSWER
    async with page(server, "caller") as caller:
        async with page(server, "human", number=ANNA) as anna:
            assert world.carrier.humans[ANNA] is not somebody
            await caller.ask("dial", to=LINE)
            await anna.state("ringing")
            await anna.ask("answer")
            await connected(caller, anna)
        await caller.state("idle")
        assert world.carrier.humans[ANNA] is somebody
        assert len(server.phones.by_token) == 1


async def test_a_live_human_is_rung_by_rest_too(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = "<Response><Enqueue>wait</Enqueue></Response>"
    async with page(server, "caller") as caller, page(server, "human", number=ANNA) as anna:
        await caller.ask("dial", to=LINE)
        await caller.state("talking")
        await world.carrier.take_from_queue("wait", ANNA)
        await anna.state("ringing")
        await anna.ask("answer")
        await connected(caller, anna)
        await anna.ask("hang-up")
        await caller.state("idle")


async def test_who_waits_alone_in_a_conference_is_not_connected_yet(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = "<Response><Dial><Conference>room</Conference></Dial></Response>"
    async with page(server, "caller") as caller, page(server, "caller") as second:
        await caller.ask("dial", to=LINE)
        await caller.state("talking")
        await caller.until(lambda page: page.heard)
        assert not caller.shown["connected"]
        await second.ask("dial", to=LINE)
        await connected(caller, second)
        await talk(caller, HIGH, second)
        for each in (caller, second):
            await each.ask("hang-up")
            await each.state("idle")


async def test_an_end_that_is_told_late_does_not_end_what_has_begun_meanwhile(opened) -> None:
    world, server = await opened()
    world.app.answers["/voice"] = "<Response><Enqueue>wait</Enqueue></Response>"
    async with page(server, "caller") as caller:
        await caller.ask("dial", to=LINE)
        await caller.state("talking")
        (leg,) = world.carrier.calls
        leg.note("stream-started", stream="MZ1")
        await caller.until(lambda page: page.shown["connected"])
        leg.note("conference-joined", conference="room")
        leg.note("stream-stopped", stream="MZ1")
        leg.note("say", text="Both were told.")
        await caller.until(lambda page: page.shown["said"])
        assert caller.shown["connected"]
        leg.note("left", conference="room")
        await caller.until(lambda page: not page.shown["connected"])
        await caller.ask("hang-up")
        await caller.state("idle")
