"""Webhooks of a warm hand-off that come twice, late, out of order or never; or two requests."""

from __future__ import annotations

import pytest

from hookflash.core.events import HandoffRequested
from hookflash_local.carrier import Delayed, Human, Line, Never, OutOfOrder, Twice

from .acts import WELCOME, caller_until, script_whole_agent
from .conftest import DESK, samples, shop
from .test_meeting import BACK, CALLER, CLOSING, HUMAN, caller, desk, other_legs

ALWAYS = 1000
NEWS = {
    "all twice": lambda: Twice("", times=ALWAYS),
    "questions about the human twice, later": lambda: Twice("/human/", times=ALWAYS, seconds=1.0),
    "all reports late": lambda: Delayed("/status", times=ALWAYS, seconds=3.0),
    "the human's leg placed after it has answered": lambda: OutOfOrder("/status", times=ALWAYS),
    "no report of any leg": lambda: Never("/0/status", times=ALWAYS),
    "the room late": lambda: Delayed("/room-events", times=ALWAYS, seconds=2.0),
    "the room out of order": lambda: OutOfOrder("/room-events", times=ALWAYS),
    "nothing of the room": lambda: Never("/room-events", times=ALWAYS),
    "questions late": lambda: Delayed("/human/", times=ALWAYS, seconds=1.0),
}


@pytest.mark.parametrize("fault", NEWS.values(), ids=NEWS.keys())
async def test_both_meet_once_even_if_room_events_are_lost(stage, fault):
    async with stage(shop(manner="warm", afterwards="return")) as s:
        script_whole_agent(s)
        s.carrier.faults.webhooks.append(fault())
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)

        async def script(line: Line) -> None:
            await caller(s)(line)
            while samples(line.heard, WELCOME) < 900 * 8:
                await line.pause(0.2)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        s.carrier.faults.webhooks.clear()
        heard = call.recording().heard
        assert samples(heard, CLOSING) == 900 * 8
        assert samples(heard, HUMAN) == 8000
        assert samples(heard, WELCOME) == 900 * 8
        (leg,) = other_legs(s, call)
        assert samples(leg.recording().heard, CALLER) == 8000
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert record.disposition == "handed_off"


async def test_a_human_whose_leg_cannot_ask_us_is_one_who_did_not_take_the_call(stage):
    async with stage(shop(manner="warm"), notices=False) as s:
        script_whole_agent(s)
        s.carrier.faults.webhooks.append(Never("/answered", times=ALWAYS))
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_until(s, BACK))
        record = await s.record(call)
        s.carrier.faults.webhooks.clear()
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert len(record.handoffs) == 1
        assert record.disposition == "handled_by_agent"


# --- two wishes at once -----------------------------------------------------------------------


@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_a_human_who_is_wanted_from_two_sides_is_rung_once(stage, manner):
    async with stage(shop(manner=manner, accept="press-1")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            arguments = {"destination": "desk", "reason": "a refund", "summary": ""}
            wish = {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}
            driver = s.line.switchboard.find(line.leg.sid)
            hears = {"hears": {"text": "a person please", "ms": 600, "respond": True}}
            await s.model.perform([hears, wish, wish])
            driver.post(HandoffRequested("desk", "a supervisor wants it"))
            await line.connected()

        call = await s.call(script)
        record = await s.record(call)
        told = [
            event["item"]["output"]
            for event in s.model.received.of("conversation.item.create")
            if event["item"]["type"] == "function_call_output"
        ]
        assert any("already under way" in output for output in told)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert len(other_legs(s, call)) == 1
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
