"""The agent talks with the human itself, on a stream of its own, and lets the caller in."""

from __future__ import annotations

import pytest

from hookflash_local.carrier import Human, Leg, Line

from .conftest import DESK, samples, shop

GREETING, COMPANY, CLOSING, BACK, HUMAN, BRIEFING = 0x11, 0x22, 0x33, 0x44, 0x55, 0x66
FRAME = 160


def say(item: str, ms: int, byte: int) -> dict:
    return {"say": {"item": item, "ms": ms, "byte": byte, "rate": 4, "text": item}}


def asked_to(text: str) -> dict:
    return {"response": {"instructions": {"$contains": text}}}


def script_agents(s, decision: str, **arguments: str) -> None:
    """One agent for the caller, one for the human, who decides after the briefing."""
    on = s.model.on
    on("response.create", [say("greeting", 800, GREETING)], where=asked_to("just begun"))
    on(
        "response.create",
        [say("briefing", 900, BRIEFING), {"call_tool": {"name": decision, "arguments": arguments}}],
        where=asked_to("A human has picked up"),
    )
    on("response.create", [say("closing", 900, CLOSING)], where=asked_to("has taken the call"))
    on("response.create", [say("back", 900, BACK)], where=asked_to("could not reach"))
    on("response.create", [say("company", 700, COMPANY)])


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


async def desk(line: Line) -> None:
    """A human who listens to the agent, and then talks with the caller."""
    await line.wait_for("joined")
    await line.connected()
    await line.play(bytes([HUMAN]) * 8000)
    await line.pause(2.0)
    await line.hang_up()


def other_leg(s, call: Leg) -> Leg:
    (leg,) = [leg for leg in s.carrier.calls if leg is not call]
    return leg


async def test_the_agent_briefs_the_human_who_takes_the_call(stage):
    async with stage(shop(manner="consult")) as s:
        script_agents(s, "connect_caller")
        s.carrier.humans[DESK] = Human(0.5, desk)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.connected()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(other_leg(s, call).recording().heard, BRIEFING) == 900 * 8
        assert samples(call.recording().heard, BRIEFING) == 0
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


@pytest.mark.parametrize(
    ("decision", "arguments", "outcome", "note"),
    [
        ("decline", {"reason": "They are at lunch."}, "declined", "They are at lunch."),
        ("left_voicemail", {}, "machine", ""),
    ],
)
async def test_the_caller_stays_with_the_agent_when_the_human_does_not(
    stage, decision, arguments, outcome, note
):
    async with stage(shop(manner="consult")) as s:
        script_agents(s, decision, **arguments)
        s.carrier.humans[DESK] = Human(0.5, bytes([HUMAN]) * 800)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            while samples(line.heard, BACK) < 900 * 8:
                await line.pause(0.2)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        human = other_leg(s, call)
        await human.ended()
        # The human heard the agent out; the caller had company and heard nothing of the two.
        assert samples(human.recording().heard, BRIEFING) == 900 * 8
        caller_heard = call.recording().heard
        assert samples(caller_heard, COMPANY) == 700 * 8
        assert samples(caller_heard, BACK) == 900 * 8
        assert samples(caller_heard, BRIEFING) == samples(caller_heard, HUMAN) == 0
        assert samples(caller_heard, CLOSING) == 0
        driver = s.line.switchboard.find(call.sid)
        (attempt,) = driver.call.handoff.attempts
        assert (attempt.outcome, attempt.note) == (outcome, note)
        assert record.disposition == "handled_by_agent"
