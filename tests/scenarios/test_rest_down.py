"""REST fails in the middle of a hand-off: in each state there is another way, or another try."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Target
from hookflash.core.events import GiveBackRequested
from hookflash_local.carrier import BrokenOff, Delayed, Human, Late, Line, Refused, Silent

from .acts import WELCOME, caller_until, hear, script_whole_agent, talk
from .conftest import DESK, SECOND_DESK, eventually, samples, shop
from .test_meeting import (
    BACK,
    CALLER,
    CLOSING,
    HUMAN,
    RINGING,
    ask_for_a_human,
    caller,
    desk,
    other_legs,
)
from .test_nobody_reached import leave_words, lose_the_model, taken_from

DOWN = {
    "refused": [Refused(503)] * 6,
    "no answer": [Silent()] * 3,
    "breaks off": [BrokenOff()] * 6,
}


@pytest.mark.parametrize("faults", DOWN.values(), ids=DOWN.keys())
async def test_nobody_can_be_rung_and_the_caller_has_never_left_the_agent(stage, faults):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.faults.creates.extend(faults)
        call = await s.call(caller_until(s, BACK))
        record = await s.record(call)
        s.carrier.faults.creates.clear()
        assert [attempt.outcome for attempt in record.handoffs] == ["refused"]
        assert other_legs(s, call) == []
        assert record.disposition == "handled_by_agent"


async def test_the_next_target_is_rung_when_the_first_could_not_be(stage):
    targets = (Target.phone(DESK), Target.phone(SECOND_DESK))
    async with stage(shop(manner="warm", targets=targets)) as s:
        script_whole_agent(s)
        s.carrier.faults.creates.append(Refused(400, 21211, "Invalid 'To' Phone Number"))
        s.carrier.humans[SECOND_DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert [attempt.outcome for attempt in record.handoffs] == ["refused", "bridged"]
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_a_leg_that_rings_without_a_rest_answer_is_known_by_its_webhook(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.faults.creates.append(Late(7.0))
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert len(other_legs(s, call)) == 1
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]


async def test_a_leg_without_a_rest_answer_stops_ringing_when_its_webhook_arrives(stage):
    async with stage(shop(manner="warm", ring_seconds=60)) as s:
        script_whole_agent(s)
        s.carrier.faults.creates.append(Late(7.0))
        s.carrier.faults.webhooks.append(Delayed("/0/status", times=100, seconds=7.0))
        s.carrier.humans[DESK] = Human.no_answer()
        call = await s.call(caller_until(s, BACK))
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        await leg.ended()
        assert leg.status == "canceled"
        assert [attempt.outcome for attempt in record.handoffs] == ["refused"]
        assert record.disposition == "handled_by_agent"


@pytest.mark.parametrize("faults", DOWN.values(), ids=DOWN.keys())
async def test_with_rest_down_a_caller_meets_the_human_by_the_connect_action(stage, faults):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.faults.updates.extend(faults)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        s.carrier.faults.updates.clear()
        assert samples(call.recording().heard, CLOSING) == 900 * 8
        assert samples(call.recording().heard, HUMAN) == 8000
        (leg,) = other_legs(s, call)
        assert samples(leg.recording().heard, CALLER) == 8000
        assert "/twilio/connect/1" in s.webhooks
        assert record.disposition == "handed_off"


async def test_with_rest_down_a_caller_without_an_agent_waits_by_the_connect_action(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(6.0, then=desk)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, RINGING, 700)
            s.carrier.faults.updates.extend([Refused(503)] * 4)
            await lose_the_model(s)

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


@pytest.mark.parametrize("faults", DOWN.values(), ids=DOWN.keys())
async def test_with_rest_down_an_unanswered_caller_leaves_a_message_by_the_connect_action(
    stage, faults
):
    agent = shop(manner="warm", otherwise="voicemail")
    taken = taken_from(agent)
    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.faults.updates.extend(faults)
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await leave_words(line)

        call = await s.call(script)
        record = await s.record(call)
        s.carrier.faults.updates.clear()
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert (delivery.kind, delivery.call_sid) == ("voicemail", call.sid)
        assert record.disposition == "voicemail"


async def test_a_human_who_rings_for_a_caller_who_is_gone_is_let_go_at_last(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.ignores(0.5)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await eventually(lambda: any(leg.about.answered for leg in other_legs(s, line.leg)))
            s.carrier.faults.updates.extend([Refused(503)] * 3)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        await leg.ended()
        assert s.carrier.faults.updates == type(s.carrier.faults.updates)()
        assert record.disposition == "abandoned"


async def test_a_caller_is_given_back_as_soon_as_rest_is_there_again(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=talk)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, HUMAN, 900)
            s.carrier.faults.updates.extend([Refused(503)] * 6)
            s.line.switchboard.find(line.leg.sid).post(GiveBackRequested(by="anna"))
            await hear(line, WELCOME)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert record.disposition == "handed_off"
