"""Several humans for one call: all at once or one after another, again, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Target
from hookflash.core import prompts
from hookflash_local.carrier import Human, Leg, Line

from .acts import AGAIN, caller_until, ended_at, hear, said_on, script_whole_agent, talk
from .conftest import DESK, SECOND_DESK, samples, shop
from .test_meeting import BACK, HUMAN, caller, desk, other_legs

DESKS = (Target.phone(DESK), Target.phone(SECOND_DESK))


def leg_to(s, address: str) -> Leg:
    (leg,) = [leg for leg in s.carrier.calls if leg.about.to == address]
    return leg


def answers_at_last(*outcomes: str, then: Human) -> Human:
    """Somebody who is busy, or does not answer, so many times, and then does."""
    left = list(outcomes)

    async def decide(leg: Leg) -> str:
        return left.pop(0) if left else then.outcome

    return Human(0.0, then.script, decide=decide)


async def test_who_accepts_first_has_the_call_and_nobody_else_rings_on(stage):
    targets = (*DESKS, Target.client("anna"))
    async with stage(shop(manner="warm", targets=targets, order="ring", ring_seconds=20)) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        s.carrier.humans[SECOND_DESK] = Human.ignores(0.5)
        s.carrier.humans["client:anna"] = Human.accepts(1.0, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        outcomes = {attempt.target: attempt.outcome for attempt in record.handoffs}
        assert outcomes == {0: "cancelled", 1: "cancelled", 2: "bridged"}
        assert leg_to(s, DESK).status == "canceled"
        assert leg_to(s, SECOND_DESK).status == "completed"
        # Who rings is let go as soon as somebody has accepted, who has answered when both have met.
        met = call.timeline.find("conference-joined", call.sid)[0].at + call.timeline.start
        assert ended_at(leg_to(s, DESK)) < met
        assert met <= ended_at(leg_to(s, SECOND_DESK)) < met + 0.5
        assert record.disposition == "handed_off"


async def test_of_two_who_accept_in_one_instant_one_has_the_call(stage):
    async with stage(shop(manner="warm", targets=DESKS, order="ring", ring_seconds=20)) as s:
        script_whole_agent(s)
        both = asyncio.Barrier(2)

        def human(byte: int) -> Human:
            async def script(line: Line) -> None:
                await line.wait_for_sound()
                await both.wait()
                await line.press("1")
                await line.wait_for("conference-joined")
                await line.play(bytes([byte]) * 8000)
                await line.pause(1.0)
                await line.hang_up()

            return Human(0.5, script)

        s.carrier.humans[DESK], s.carrier.humans[SECOND_DESK] = human(HUMAN), human(AGAIN)
        call = await s.call(caller(s))
        record = await s.record(call)
        heard = call.recording().heard
        first, second = samples(heard, HUMAN), samples(heard, AGAIN)
        assert max(first, second) == 8000
        assert min(first, second) == 0
        assert sorted(each.outcome for each in record.handoffs) == ["bridged", "cancelled"]
        unlucky = leg_to(s, DESK if second else SECOND_DESK)
        await unlucky.ended()
        *waits, thanks = said_on(unlucky)[1:]
        assert set(waits) == {prompts.ON_HOLD} and thanks == prompts.TAKEN


async def test_a_plan_tries_again_and_the_caller_stays_with_the_agent_meanwhile(stage):
    async with stage(shop(manner="warm", targets=DESKS, attempts=2)) as s:
        script_whole_agent(s)
        accepts = Human.accepts(0.5, then=desk)
        s.carrier.humans[DESK] = answers_at_last("busy", then=accepts)
        s.carrier.humans[SECOND_DESK] = Human.busy()
        call = await s.call(caller(s))
        record = await s.record(call)
        assert [each.outcome for each in record.handoffs] == ["busy", "busy", "bridged"]
        assert [each.target for each in record.handoffs] == [0, 1, 0]
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_a_plan_ends_with_its_time_whoever_has_not_been_rung_yet(stage):
    plan = {"targets": DESKS, "attempts": 10, "ring_seconds": 5, "total_seconds": 8}
    async with stage(shop(manner="warm", **plan)) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        s.carrier.humans[SECOND_DESK] = Human.no_answer()
        call = await s.call(caller_until(s, BACK))
        record = await s.record(call)
        assert [each.outcome for each in record.handoffs] == ["no-answer"] * 2
        # Who is rung when the time ends is rung to the end of their own.
        first, second = other_legs(s, call)
        assert ended_at(second) - ended_at(first) == pytest.approx(5.0)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert record.disposition == "handled_by_agent"


async def test_a_dialled_group_is_screened_and_the_first_to_accept_is_bridged(stage):
    async with stage(shop(accept="press-1", targets=DESKS, order="ring")) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await hear(line, 0x66, 900)
            await line.hang_up()

        s.carrier.humans[DESK] = Human.declines(0.5)
        s.carrier.humans[SECOND_DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"
