"""A human is wanted twice at once; and an agent says that it transfers, and does not do it."""

from __future__ import annotations

import asyncio
import json

from hookflash import Agent, Target, Warm
from hookflash_local.carrier import Human, Line

from .acts import hear, script_whole_agent, talk
from .conftest import DESK, SECOND_DESK, samples, shop
from .test_console import page, users
from .test_handoff import greeted
from .test_meeting import CLOSING, HUMAN, RINGING, asked_to, other_legs, say

__all__ = ["users"]
PROMISE = 0x0C
SAYS_IT = "I am connecting you with the desk now."


def two_desks() -> Agent:
    agent = shop(manner="warm", ring_seconds=30)
    plan = Warm(Target.phone(SECOND_DESK))
    agent.handoff("returns", when="somebody wants to give something back", plan=plan)
    return agent


def transfer(destination: str) -> dict:
    arguments = {"destination": destination, "reason": "a refund", "summary": "Order 7 is late."}
    return {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}


def heard(text: str) -> dict:
    return {"hears": {"text": text, "ms": 600, "respond": True}}


def outputs(s) -> list[dict]:
    """What the model was told that its tool calls led to, in order."""
    items = [entry.item for entry in s.model.items.values()]
    return [json.loads(item["output"]) for item in items if item["type"] == "function_call_output"]


async def test_who_asks_for_somebody_else_meanwhile_is_told_who_is_rung(stage, users):
    async with stage(two_desks(), settings=users) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(10.0, then=talk)
        s.carrier.humans[SECOND_DESK] = Human.accepts(0.1, then=talk)
        asked = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([heard("a person please"), transfer("desk")])
            await hear(line, RINGING, 700)
            await s.model.perform([heard("rather returns"), transfer("returns")])
            asked.set()
            await hear(line, HUMAN)
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            await asked.wait()
            for destination in ("returns", "desk", "me"):
                answer = await p.act(call.sid, "handoff", destination=destination, reason="mine")
                assert answer.status_code == 409
                assert "to desk is under way (ringing)" in answer.json()["message"]
            record = await s.record(call)
        first, second = outputs(s)
        assert first["status"] == "ringing"
        assert (second["status"], second["detail"]) == ("already under way", "ringing")
        (leg,) = other_legs(s, call)
        assert leg.about.to == DESK, "nobody else was rung"
        assert samples(call.recording().heard, CLOSING) == 900 * 8
        assert [(each.destination, each.outcome) for each in record.handoffs] == [
            ("desk", "bridged")
        ]


async def test_an_agent_that_says_it_connects_the_caller_has_to_do_it(stage):
    async with stage(shop(manner="warm")) as s:
        s.model.on("response.create", [transfer("desk")], where=asked_to("Do it now"))
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(1.0, then=talk)

        async def script(line: Line) -> None:
            await greeted(line)
            promise = say("promise", 900, PROMISE)
            promise["say"]["text"] = SAYS_IT
            await s.model.perform([heard("a person please"), promise])
            await hear(line, HUMAN)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        asked = await s.model.until("response.create", where=asked_to("Do it now"))
        assert asked["response"]["tool_choice"] == {
            "type": "function",
            "name": "transfer_to_human",
        }
        sound = call.recording().heard
        assert samples(sound, PROMISE) == 900 * 8, "said to its end, and once"
        assert samples(sound, CLOSING) == 900 * 8
        assert samples(sound, HUMAN) == 8000
        assert [each.outcome for each in record.handoffs] == ["bridged"]


async def test_an_agent_that_does_not_transfer_is_reminded_only_once(stage):
    async with stage(shop(manner="warm")) as s:
        promise = say("promise", 900, PROMISE)
        promise["say"]["text"] = SAYS_IT
        again = say("again", 400, PROMISE)
        again["say"]["text"] = SAYS_IT
        s.model.on("response.create", [again], where=asked_to("Do it now"))
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([heard("a person please"), promise])
            await hear(line, PROMISE, 1300)
            await line.pause(3.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, PROMISE) == 1300 * 8
        assert other_legs(s, call) == [] and record.handoffs == ()
        assert record.disposition == "handled_by_agent"


async def test_an_agent_that_says_it_connects_and_names_nobody_is_reminded_of_the_tool(stage):
    async with stage(shop(manner="warm")) as s:
        plain = {"response": {"instructions": {"$absent": True}}}
        s.model.on("response.create", [transfer("desk")], where=plain, times=1, needed=True)
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(1.0, then=talk)

        async def script(line: Line) -> None:
            await greeted(line)
            promise = say("promise", 900, PROMISE)
            promise["say"]["text"] = "Transferring you now."
            await s.model.perform([heard("a person please"), promise])
            await hear(line, HUMAN)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        told = await s.model.until(
            "conversation.item.create",
            where={"item": {"content": [{"text": {"$contains": "but you called no tool"}}]}},
        )
        assert told["item"]["role"] == "system"
        asked = await s.model.until("response.create", where=plain)
        assert asked["response"].get("tool_choice", "auto") == "auto"
        assert [each.outcome for each in record.handoffs] == ["bridged"]
