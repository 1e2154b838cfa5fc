"""Humans who are told first, on the stand-in's truth: warm by REST, cold with a screening."""

from __future__ import annotations

import pytest

from hookflash import Target
from hookflash_local.carrier import Human, Leg, Line

from .conftest import DESK, SECOND_DESK, samples, shop

GREETING, RINGING, CLOSING, BACK, HUMAN, CALLER = 0x11, 0x22, 0x33, 0x44, 0x55, 0x66
FRAME = 160


def say(item: str, ms: int, byte: int) -> dict:
    return {"say": {"item": item, "ms": ms, "byte": byte, "rate": 4, "text": item}}


def asked_to(text: str) -> dict:
    return {"response": {"instructions": {"$contains": text}}}


def script_agent(s) -> None:
    """An agent that greets, keeps the caller company, says one line before the human, and why
    nobody could be reached."""
    on = s.model.on
    on("response.create", [say("greeting", 800, GREETING)], where=asked_to("just begun"))
    on("response.create", [say("closing", 900, CLOSING)], where=asked_to("has taken the call"))
    on("response.create", [say("back", 900, BACK)], where=asked_to("could not reach"))
    on("response.create", [say("company", 700, RINGING)])


async def ask_for_a_human(s, line: Line) -> None:
    await line.wait_for_sound()
    await line.wait_for_silence(0.8)
    arguments = {"destination": "desk", "reason": "a refund", "summary": "Order 7 is late."}
    await s.model.perform(
        [
            {"hears": {"text": "a person please", "ms": 600, "respond": True}},
            {"call_tool": {"name": "transfer_to_human", "arguments": arguments}},
        ]
    )


def caller(s):
    async def script(line: Line) -> None:
        await ask_for_a_human(s, line)
        await line.connected()
        await line.play(bytes([CALLER]) * 8000)

    return script


async def desk(line: Line) -> None:
    await line.play(bytes([HUMAN]) * 8000)
    await line.pause(2.0)
    await line.hang_up()


def whispered(leg: Leg) -> str:
    """What the carrier's own voice has said on a leg."""
    events = leg.timeline.events
    return " ".join(str(each.detail["text"]) for each in events if each.kind == "say")


def other_legs(s, call: Leg) -> list[Leg]:
    return [leg for leg in s.carrier.calls if leg is not call]


async def test_a_warm_hand_off_tells_the_human_first_and_then_both_meet(stage):
    async with stage(shop(manner="warm")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.accepts(1.0, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        heard = call.recording().heard
        assert samples(heard, CLOSING) == 900 * 8
        assert samples(heard, HUMAN) == 8000
        (leg,) = other_legs(s, call)
        assert samples(leg.recording().heard, CALLER) == 8000
        assert "Order 7 is late." in whispered(leg) and "Press 1" in whispered(leg)
        assert record.disposition == "handed_off"


@pytest.mark.parametrize(
    ("human", "outcome"),
    [
        (Human.declines(0.5), "declined"),
        (Human.busy(), "busy"),
        (Human.no_answer(), "no-answer"),
        (Human.hangs_up(0.5), "declined"),
        (Human.ignores(0.5), "machine"),
        (Human.mailbox(0.5), "machine"),
    ],
    ids=["declines", "busy", "no answer", "hangs up", "ignores", "mailbox"],
)
async def test_a_caller_whom_nobody_takes_has_never_left_the_agent(stage, human, outcome):
    async with stage(shop(manner="warm", ring_seconds=5)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = human

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            while samples(line.heard, BACK) < 900 * 8:
                await line.pause(0.2)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert record.disposition == "handled_by_agent"
        assert [attempt.outcome for attempt in record.handoffs] == [outcome]
        assert "/twilio/connect/1" not in s.webhooks


async def test_a_human_who_accepts_second_gets_the_call(stage):
    targets = (Target.phone(DESK), Target.phone(SECOND_DESK))
    async with stage(shop(manner="warm", targets=targets)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.declines(0.5)
        s.carrier.humans[SECOND_DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert [attempt.outcome for attempt in record.handoffs] == ["declined", "bridged"]


async def test_a_cold_hand_off_is_screened_on_the_humans_own_leg(stage):
    async with stage(shop(accept="press-1")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        assert "Order 7 is late." in whispered(leg)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_every_ringing_leg_is_cancelled_when_the_caller_hangs_up(stage):
    async with stage(shop(manner="warm")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.pause(2.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        await leg.ended()
        assert record.disposition == "abandoned"
