"""Voicemails on whole calls: recorded, written down, and delivered to the owner as one."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Agent, Delivery
from hookflash_local.carrier import Human, Line

from .acts import WELCOME, hear, script_whole_agent, talk
from .conftest import CALLER, DESK, Stage, samples, shop
from .test_handoff import asked_to, greeted, say, script_agent
from .test_meeting import ask_for_a_human
from .test_owner_hooks import calls, hears, transfer
from .test_who_is_there import told

SORRY = 0x67
WORDS = "This is Ann, please call me about order seven."


def owner_of(agent: Agent) -> asyncio.Queue[Delivery]:
    taken: asyncio.Queue[Delivery] = asyncio.Queue()

    @agent.on_delivery
    async def take(delivery: Delivery) -> None:
        taken.put_nowait(delivery)

    return taken


def script(s: Stage, wish: dict, end: str):
    async def leave_a_message(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("a person please"), wish])
        await line.wait_for("recording-started")
        await line.pause(0.2)
        await line.say(WORDS)
        await (line.hang_up() if end == "hangs up" else line.press("#"))

    return leave_a_message


@pytest.mark.parametrize("end", ["presses #", "hangs up"])
@pytest.mark.parametrize("manner", ["cold", "warm"])
async def test_a_message_for_somebody_who_does_not_answer_reaches_the_owner(stage, manner, end):
    agent = shop(manner=manner, otherwise="voicemail", ring_seconds=5)
    taken = owner_of(agent)
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("sorry", 600, SORRY)], where=asked_to("leave a message"))
        s.model.on("response.create", [say("company", 500, SORRY)])
        s.carrier.humans[DESK] = Human.no_answer()
        call = await s.call(script(s, transfer(), end))
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert (delivery.kind, delivery.complete) == ("voicemail", True)
        assert (delivery.call_sid, delivery.caller) == (call.sid, CALLER)
        assert (delivery.reason, delivery.summary) == ("a refund", "Order 7.")
        assert delivery.transcript == WORDS
        assert delivery.recording_url.startswith("http") and delivery.recording_seconds == 3
        assert record.disposition == "voicemail"
        assert taken.empty(), "delivered once, when it was complete"


async def test_a_caller_may_ask_for_a_mailbox_outright(stage):
    agent = shop(offers=("voicemail",))
    taken = owner_of(agent)
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("tone", 600, SORRY)])
        call = await s.call(script(s, calls("take_voicemail"), "presses #"))
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert (delivery.kind, delivery.transcript) == ("voicemail", WORDS)
        assert record.disposition == "voicemail"
        assert len(s.carrier.calls) == 1


async def test_a_caller_who_is_back_from_a_human_may_still_leave_a_message(stage):
    agent = shop(manner="warm", afterwards="return", offers=("voicemail",))
    taken = owner_of(agent)
    async with stage(agent) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await line.pause(0.5)
            await line.hang_up()

        async def caller(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, WELCOME)
            assert "You may offer to record a message" in told(s)
            await s.model.perform([hears("a message please"), calls("take_voicemail")])
            await line.wait_for("recording-started")
            await line.pause(0.2)
            await line.say(WORDS)
            await line.press("#")

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller)
        await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert (delivery.kind, delivery.transcript) == ("voicemail", WORDS)
