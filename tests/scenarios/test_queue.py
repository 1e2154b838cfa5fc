"""Waiting for any free human: the place in the queue, the way out of it, and who takes the call."""

from __future__ import annotations

import asyncio
import json

import pytest

from hookflash.core import prompts
from hookflash.core.handoff_plan import queue_target
from hookflash_local.carrier import Human, Line
from hookflash_local.carrier.media.sounds import voice_pattern

from .acts import WELCOME, caller_until, hear, said_on, script_whole_agent
from .conftest import DESK, PUBLIC, samples, shop
from .test_meeting import BACK, HUMAN, ask_for_a_human, desk

QUEUE = queue_target("support")
WORKFLOW = queue_target("WW" + "0" * 32)
NEXT = prompts.position(1, 0) + prompts.leave_queue("1")


async def test_a_caller_hears_their_place_and_leaves_by_a_key_to_the_agent(stage):
    async with stage(shop(targets=(QUEUE,), announce_seconds=5)) as s:
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("say", 2)
            await line.wait_to_hear(NEXT)
            await line.press("1")
            await hear(line, BACK)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        # Told once and again after the time of the plan, with music in between, and a second for
        # the key.
        assert said_on(call)[:2] == [NEXT, NEXT]
        first, second = (each.at for each in call.timeline.find("say")[:2])
        assert second - first == pytest.approx(len(voice_pattern(NEXT)) / 8000 + 5 + 1)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert [each.kind for each in call.timeline.events].count("queued") == 1
        assert record.disposition == "handled_by_agent"


async def test_the_second_in_the_queue_is_told_so_and_how_long_it_takes(stage):
    async with stage(shop(targets=(QUEUE,), announce_seconds=5)) as s:
        script_whole_agent(s)
        first_waits, second_knows = asyncio.Event(), asyncio.Event()

        async def first(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("say", 2)
            first_waits.set()
            await second_knows.wait()
            await line.hang_up()

        async def second(line: Line) -> None:
            await first_waits.wait()
            await ask_for_a_human(s, line)
            await line.wait_for("say")
            second_knows.set()
            await line.wait_for("say", 2)
            await line.wait_to_hear(NEXT)
            await line.hang_up()

        one = await s.call(first)
        await first_waits.wait()
        two = await s.call(second)
        await asyncio.gather(s.record(one), s.record(two))
        place, later = said_on(two)[:2]
        assert place.startswith("You are number 2 in the queue. The wait is about 1 minute.")
        assert later == NEXT


async def desk_once_connected(line):
    """A worker is on the telephone before the caller is: their first word waits for that."""
    await line.connected()
    await desk(line)


async def test_a_human_takes_the_caller_from_a_workflow_and_knows_what_it_is_about(stage):
    async with stage(shop(targets=(WORKFLOW,), afterwards="return")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human(0.5, desk_once_connected)
        call = await s.call(caller_until(s, WELCOME))
        queued = await call.timeline.until("queued", call.sid)
        task = json.loads(queued.detail["task"])
        assert task.pop("transcript_url").startswith(f"{PUBLIC}/")
        assert task == {
            "call_sid": call.sid,
            "destination": "desk",
            "reason": "a refund",
            "summary": "Order 7 is late.",
        }
        await s.carrier.take_from_queue(WORKFLOW.address, DESK)
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert record.disposition == "handed_off"


async def test_whoever_waits_for_too_long_comes_back_to_the_agent(stage):
    plan = {"targets": (QUEUE,), "announce_seconds": 5, "total_seconds": 8}
    async with stage(shop(**plan)) as s:
        script_whole_agent(s)
        call = await s.call(caller_until(s, BACK))
        record = await s.record(call)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert record.disposition == "handled_by_agent"


async def test_a_caller_who_hangs_up_in_the_queue_has_abandoned_it(stage):
    async with stage(shop(targets=(QUEUE,))) as s:
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("say")
            await line.pause(3.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert [attempt.outcome for attempt in record.handoffs] == ["caller-gone"]
        assert record.disposition == "abandoned"
