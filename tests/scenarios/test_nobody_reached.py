"""No human is reached: the plan offers a callback or a message, with or without a model."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Agent, Delivery, Target
from hookflash.core import prompts
from hookflash.core.handoff_plan import HandoffPlan
from hookflash_local.carrier import Human, Line

from .acts import WELCOME, hear, said_on, script_whole_agent
from .conftest import DESK, Stage, samples, shop
from .test_meeting import ask_for_a_human, asked_to, say

PLAN = HandoffPlan(targets=(Target.phone(DESK),))
APOLOGY = prompts.nobody_there(PLAN.voicemail_prompt)
WORDS = "Please call me about the red bicycle."


def taken_from(agent: Agent) -> asyncio.Queue[Delivery]:
    """Return what the agent's owner is given."""
    taken: asyncio.Queue[Delivery] = asyncio.Queue()

    @agent.on_delivery
    async def take(delivery: Delivery) -> None:
        taken.put_nowait(delivery)

    return taken


async def leave_words(line: Line) -> None:
    await line.wait_for("recording-started")
    await line.pause(0.2)
    await line.say(WORDS)
    await line.press("#")


@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_a_number_to_call_back_is_asked_for_and_passed_on(stage, manner):
    agent = shop(manner=manner, otherwise="callback")
    taken = taken_from(agent)
    async with stage(agent) as s:
        wanted = asked_to("ask for the number to call them back on")
        s.model.on("response.create", [say("number", 900, WELCOME)], where=wanted)
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.busy()
        wish = {"number": "+15550100077", "wish": "a refund, after five"}

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, WELCOME)
            await s.model.perform(
                [
                    {"hears": {"text": "five five five", "ms": 600, "respond": True}},
                    {"call_tool": {"name": "schedule_callback", "arguments": wish}},
                ]
            )
            await s.model.until(
                "conversation.item.create",
                where={"item": {"output": {"$contains": "wants to be called back on"}}},
            )
            await line.pause(1.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 10)
        assert (delivery.kind, delivery.destination) == ("callback", "desk")
        assert (delivery.number, delivery.wish) == (wish["number"], wish["wish"])
        assert (delivery.reason, delivery.summary) == ("a refund", "Order 7 is late.")
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert record.disposition == "callback"


async def test_the_agent_says_the_plans_last_sentence_and_the_call_ends(stage):
    async with stage(shop(manner="warm", otherwise="hang-up")) as s:
        last = asked_to(PLAN.sorry)
        s.model.on("response.create", [say("sorry", 1500, WELCOME)], where=last)
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.declines(0.5)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 1500 * 8
        assert said_on(call) == []
        assert [attempt.outcome for attempt in record.handoffs] == ["declined"]
        assert record.disposition == "failed"


async def test_a_caller_who_says_nothing_after_the_tone_has_left_nothing(stage):
    agent = shop(otherwise="voicemail")
    taken = taken_from(agent)
    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)

        call = await s.call(script)
        record = await s.record(call)
        assert said_on(call) == [APOLOGY, PLAN.sorry]
        assert taken.empty()
        assert record.disposition == "failed"


# --- without a model --------------------------------------------------------------------------


async def test_without_a_model_and_without_a_human_a_message_is_taken(stage):
    agent = shop()
    taken = taken_from(agent)
    async with stage(agent) as s:
        s.model.faults.session_format = "audio/pcm"
        s.carrier.humans[DESK] = Human.busy()
        call = await s.call(leave_words)
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert (delivery.kind, delivery.transcript) == ("voicemail", WORDS)
        assert said_on(call) == [APOLOGY, prompts.MESSAGE_THANKS]
        assert record.disposition == "voicemail"


async def lose_the_model(s: Stage) -> None:
    """The session breaks, and no other can be had."""
    s.model.faults.refuse_upgrade = 401
    await s.model.perform(["drop"])


async def test_a_model_that_dies_and_a_human_who_does_not_answer_leave_a_mailbox(stage):
    agent = shop(manner="warm", ring_seconds=5)
    taken = taken_from(agent)
    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, 0x22, 700)
            await lose_the_model(s)
            await leave_words(line)

        call = await s.call(script)
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert delivery.transcript == WORDS
        assert said_on(call)[0] == APOLOGY
        assert record.disposition == "voicemail"
