"""What an owner's own code decides, on whole calls: who is free, who is needed, what they answer,
and who takes what callers leave."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hookflash import Agent, CallContext, CallView, Cold, Delivery, Frustration, Target
from hookflash.core.events import QuestionAnswered
from hookflash_local.carrier import Human, Line
from hookflash_local.simulation.world import EPOCH

from .conftest import CALLER, DESK, SECOND_DESK, Stage, samples, shop
from .test_handoff import GREETING, asked_to, desk, greeted, say, script_agent

COMPANY, AFTER = 0x66, 0x77


def hears(text: str) -> dict[str, Any]:
    return {"hears": {"text": text, "ms": 600, "respond": True}}


def calls(name: str, **arguments: Any) -> dict[str, Any]:
    return {"call_tool": {"name": name, "arguments": arguments}}


def transfer() -> dict[str, Any]:
    return calls("transfer_to_human", destination="desk", reason="a refund", summary="Order 7.")


async def tool_output(s: Stage) -> str:
    """Wait for what the model is told by a tool."""
    where = {"item": {"type": "function_call_output"}}
    return str((await s.model.until("conversation.item.create", where=where))["item"]["output"])


async def test_a_frustrated_caller_comes_to_a_human_whatever_the_model_thinks(stage):
    agent = shop()
    agent.policy(Frustration("desk"))
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("no", 500, COMPANY)])
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            for text in ("I want to talk to a human", "no, a human"):
                await s.model.perform([hears(text)])
                await line.pause(1.0)
            await line.wait_for("bridged")

        record = await s.record(await s.call(script))
        (attempt,) = record.handoffs
        assert (attempt.source, attempt.outcome) == ("policy", "bridged")
        assert attempt.reason == "said 'human' twice"


async def test_a_tool_asks_a_human_while_the_agent_keeps_the_caller_company(stage):
    agent = shop()
    asked: list[CallView] = []

    @agent.tool(timeout_seconds=0.5)
    async def discount(percent: int, call: CallContext) -> str:
        """Give a discount."""
        return await call.ask_human(f"May I give {percent} percent off?", seconds=60)

    @agent.answers
    async def answer(question: str, call: CallView) -> str:
        asked.append(call)
        await asyncio.sleep(0.9)
        return f"{question} Yes."

    async with stage(agent) as s:
        script_agent(s)
        s.model.on(
            "response.create", [say("company", 700, COMPANY)], where=asked_to("asking a colleague")
        )
        s.model.on("response.create", [say("after", 600, AFTER)])

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("a discount please"), calls("discount", percent=20)])
            assert await tool_output(s) == "May I give 20 percent off? Yes."
            while samples(line.heard, AFTER) < 600 * 8:
                await line.pause(0.2)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, COMPANY) == 700 * 8
        assert [(use.name, use.failed) for use in record.tools] == [("discount", False)]
        assert asked[0].caller == CALLER


@pytest.mark.realtime
async def test_a_supervisor_answers_with_an_event_from_wherever_they_are(stage):
    agent = shop()

    @agent.tool
    def discount(call: CallContext) -> str:
        """Give a discount."""
        return call.ask_human_blocking("May I?", via="console", seconds=60)

    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("company", 500, COMPANY)])

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("a discount please"), calls("discount")])
            (driver,) = s.line.switchboard.live
            while not driver.call.conversation.questions:
                await line.pause(0.1)
            (question_id,) = driver.call.conversation.questions
            answered = QuestionAnswered(question_id, "Ten percent.", by="ann")
            assert await s.line.switchboard.post(line.leg.sid, answered)
            assert await tool_output(s) == "Ten percent."
            await line.hang_up()

        await s.record(await s.call(script))


async def test_a_closed_destination_says_when_it_opens_and_nobody_is_rung(stage):
    later = datetime.fromtimestamp(EPOCH, UTC) + timedelta(days=3)
    day = later.strftime("%a").lower()
    async with stage(shop(hours=f"{day} 09:00-17:00 UTC")) as s:
        script_agent(s)
        s.model.on("response.create", [say("closed", 500, COMPANY)])

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("a person please"), transfer()])
            told = json.loads(await tool_output(s))
            assert told["status"] == "closed"
            assert f"on {later:%A} at nine in the morning" in told["detail"]
            await line.hang_up()

        record = await s.record(await s.call(script))
        assert [attempt.outcome for attempt in record.handoffs] == ["closed"]
        assert len(s.carrier.calls) == 1


async def test_who_is_not_free_is_not_rung(stage):
    agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.")
    targets = (Target.phone(DESK), Target.phone(SECOND_DESK))
    plan = Cold(targets, ring_seconds=8)
    agent.handoff("desk", when="somebody asks for a person", plan=plan)

    @agent.presence
    async def is_free(target: Target) -> bool:
        return target.address == SECOND_DESK

    async with stage(agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        s.carrier.humans[SECOND_DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("a person please"), transfer()])
            await line.wait_for("bridged")

        record = await s.record(await s.call(script))
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert len(s.carrier.calls) == 2


async def test_a_callback_request_is_delivered_to_the_owner(stage):
    agent = shop(offers=("callback",))
    taken: asyncio.Queue[Delivery] = asyncio.Queue()

    @agent.on_delivery
    async def take(delivery: Delivery) -> None:
        taken.put_nowait(delivery)

    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("noted", 500, COMPANY)])

        async def script(line: Line) -> None:
            await greeted(line)
            wish = calls("schedule_callback", number="+15550100077", wish="after five")
            await s.model.perform([hears("call me back, please"), wish])
            await tool_output(s)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        delivery = await asyncio.wait_for(taken.get(), 5)
        assert (delivery.kind, delivery.call_sid) == ("callback", call.sid)
        assert (delivery.number, delivery.wish) == ("+15550100077", "after five")
        assert delivery.caller == CALLER
        assert record.disposition == "callback"
        assert samples(call.recording().heard, GREETING) == 800 * 8


async def test_whoever_looks_after_the_caller_is_rung(stage):
    agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.")

    def account_owner(call: CallContext) -> Target | None:
        call.state["asked"] = call.caller
        return Target.phone(SECOND_DESK)

    plan = Cold([account_owner, Target.phone(DESK)], ring_seconds=8)
    agent.handoff("desk", when="somebody asks for a person", plan=plan)

    async with stage(agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        s.carrier.humans[SECOND_DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("a person please"), transfer()])
            await line.wait_for("bridged")

        record = await s.record(await s.call(script))
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert [leg.about.to for leg in s.carrier.calls][1:] == [SECOND_DESK]
