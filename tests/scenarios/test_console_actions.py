"""What a supervisor does at the console, as the caller and the supervisor's telephone hear it."""

from __future__ import annotations

import asyncio
from itertools import groupby

from hookflash import CallContext
from hookflash_local.carrier import Human, Line

from .acts import WELCOME, hear, script_whole_agent, talk
from .conftest import DESK, samples, shop
from .test_console import page, parts, users
from .test_handoff import GREETING, greeted
from .test_meeting import CALLER, CLOSING, HUMAN, asked_to, other_legs, say

__all__ = ["users"]
GOODBYE = 0x0B


def state(event: dict) -> str:
    """Return the hand-off's state, if an event of the feed says one."""
    entry = event.get("entry") or event.get("detail", {}).get("entry") or {}
    return (entry.get("handoff") or {}).get("state", "")


async def test_a_supervisor_takes_over_talks_and_gives_the_caller_back(stage, users):
    async with stage(settings=users) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=talk)
        talking, spoken = asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)
            await hear(line, HUMAN, 900)
            spoken.set()
            await hear(line, WELCOME)
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            await talking.wait()
            async with p.feed(call=call.sid) as one:
                wanted = {"destination": "me", "reason": "I know them", "summary": "A regular."}
                assert (await p.act(call.sid, "handoff", **wanted)).status_code == 202
                await one.until(lambda event: state(event) == "with human")
                told = [each for each, _ in groupby(filter(None, map(state, one.seen)))]
                assert told == ["ringing", "screening", "closing", "with human"]
                await spoken.wait()
                assert (await p.act(call.sid, "giveback")).status_code == 202
                await one.until(lambda event: event["type"] == "CallOver")
            record = await s.record(call)
            heard = call.recording().heard
            assert samples(heard, CLOSING) == 900 * 8
            assert samples(heard, HUMAN) == 8000
            assert samples(heard, WELCOME) == 900 * 8
            (leg,) = other_legs(s, call)
            assert samples(leg.recording().heard, CALLER) == 8000
            (attempt,) = record.handoffs
            assert (attempt.source, attempt.outcome) == ("console", "bridged")
            kept = await p.get(f"/api/past/{call.sid}")
            assert [each["kind"] for each in kept["parts"]["actions"]] == ["handoff", "giveback"]
            stages = [each["name"] for each in kept["parts"]["stages"]]
            for expected in ("ringing", "screening", "with human"):
                assert expected in stages


async def test_a_hint_is_heard_in_what_the_agent_says_next_and_not_itself(stage, users):
    async with stage(shop(), settings=users) as s:
        s.model.on("response.create", [say("hi", 400, GREETING)], where=asked_to("just begun"))
        # What was hinted stands in the conversation when the caller is answered.
        s.model.on(
            "conversation.item.create",
            [
                {"hears": {"text": "is my bicycle ready", "ms": 600, "respond": True}},
                say("told", 700, WELCOME),
            ],
            where={"item": {"role": "system"}},
            times=1,
        )
        talking = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await hear(line, WELCOME, 700)
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            await talking.wait()
            assert (await p.act(call.sid, "hint", text="They are a regular.")).status_code == 202
            record = await s.record(call)
        heard = call.recording().heard
        assert samples(heard, GREETING) == 400 * 8
        assert samples(heard, WELCOME) == 700 * 8
        assert not any("They are a regular" in each.text for each in record.utterances)


async def test_a_hand_off_that_is_called_off_leaves_the_caller_with_the_agent(stage, users):
    async with stage(shop(manner="warm"), settings=users) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        talking, done = asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await done.wait()
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            await talking.wait()
            async with p.feed(call=call.sid) as one:
                await p.act(call.sid, "handoff", destination="desk")
                await one.until(lambda event: state(event) == "ringing")
                assert (await p.act(call.sid, "cancel")).status_code == 202
                await one.until(lambda event: event.get("entry") and not state(event))
            done.set()
            record = await s.record(call)
            assert record.disposition == "handled_by_agent"


async def test_a_supervisor_hangs_up_once_the_agent_has_said_goodbye(stage, users):
    async with stage(settings=users) as s:
        ending = asked_to("about to end")
        s.model.on("response.create", [say("bye", 800, GOODBYE)], where=ending)
        script_whole_agent(s)
        talking = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await line.leg.ended()

        async with page(s) as p:
            call = await s.call(script)
            await talking.wait()
            assert (await p.act(call.sid, "hangup")).status_code == 202
            record = await s.record(call)
            assert record.disposition == "handled_by_agent"
            assert samples(call.recording().heard, GOODBYE) == 800 * 8
            assert (await p.act(call.sid, "hangup")).status_code == 202


async def test_the_agents_question_is_answered_at_the_console(stage, users):
    agent = shop()

    @agent.tool
    async def discount(call: CallContext) -> str:
        """Give a discount."""
        return await call.ask_human("May I give 20 percent off?", via="console", seconds=60)

    async with stage(agent, settings=users) as s:
        script_whole_agent(s)
        answered = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform(
                [
                    {"hears": {"text": "a discount please", "ms": 600, "respond": True}},
                    {"call_tool": {"name": "discount", "arguments": {}}},
                ]
            )
            await answered.wait()
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            async with p.feed() as calls:

                def question(event: dict) -> dict | None:
                    found = [each for each in event.get("calls", ()) if each["question"]]
                    return found[0]["question"] if found else None

                asked = question(await calls.until(question))
                assert asked is not None and asked["text"] == "May I give 20 percent off?"
                p.id = ""
                async with p.feed(call=call.sid) as one:
                    taken = await p.act(call.sid, "answer", id=asked["id"], text="Ten percent.")
                    assert taken.status_code == 202
                    told = await one.until(
                        lambda event: any(
                            tool["status"] == "answered" for tool in parts(event, "tools")
                        )
                    )
                    assert parts(told, "tools")[0]["output"] == "Ten percent."
            answered.set()
            record = await s.record(call)
            assert record.tools[0].output == "Ten percent."
