"""The caller hangs up in each state of a hand-off: nobody is rung any more, and every leg ends."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Target
from hookflash.core import prompts
from hookflash.core.handoff.states import HandoffState
from hookflash_local.carrier import Delayed, Human, Line

from .acts import ended_at, said_on, script_whole_agent, talk
from .conftest import DESK, SECOND_DESK, eventually, shop
from .test_meeting import FRAME, HUMAN, ask_for_a_human, other_legs


def gone_in(s, state: HandoffState):
    """A caller who hangs up as soon as the hand-off is in `state`."""

    async def script(line: Line) -> None:
        await ask_for_a_human(s, line)
        driver = s.line.switchboard.find(line.leg.sid)
        await eventually(lambda: driver.call.handoff.state is state, 30)
        if state is not HandoffState.CHECKING:
            await line.pause(0.3)
        assert driver.call.handoff.state is state
        await line.hang_up()

    return script


async def parts(line: Line) -> None:
    await talk(line)
    await line.press("*")


STATES = {
    HandoffState.RINGING: (Human.no_answer(), "caller-gone", "abandoned"),
    HandoffState.SCREENING: (Human.ignores(0.5), "caller-gone", "abandoned"),
    HandoffState.CLOSING: (Human.accepts(0.5, then=talk), "caller-gone", "abandoned"),
    HandoffState.BRIDGING: (Human.accepts(0.5, then=talk), "caller-gone", "abandoned"),
    HandoffState.WITH_HUMAN: (Human.accepts(0.5, then=talk), "bridged", "handed_off"),
    HandoffState.PARTING: (Human.accepts(0.5, then=parts), "bridged", "handed_off"),
}


@pytest.mark.parametrize("state", STATES, ids=[state.value for state in STATES])
async def test_no_leg_outlives_its_caller(stage, state):
    human, outcome, disposition = STATES[state]
    async with stage(shop(manner="warm", ring_seconds=30)) as s:
        script_whole_agent(s)
        if state is HandoffState.BRIDGING:
            late = Delayed("/room-events", times=1000, seconds=3.0)
            s.carrier.faults.webhooks.append(late)
        s.carrier.humans[DESK] = human
        call = await s.call(gone_in(s, state))
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        await leg.ended()
        assert ended_at(leg) == ended_at(call)
        assert [attempt.outcome for attempt in record.handoffs] == [outcome]
        assert record.disposition == disposition


async def test_nobody_is_rung_for_a_caller_who_left_while_it_was_found_out_who_is_there(stage):
    agent = shop(manner="warm")

    @agent.presence
    async def is_free(target: Target) -> bool:
        await asyncio.sleep(0.3)
        return True

    async with stage(agent) as s:
        script_whole_agent(s)
        call = await s.call(gone_in(s, HandoffState.CHECKING))
        record = await s.record(call)
        assert other_legs(s, call) == []
        assert record.disposition == "abandoned"


async def test_all_telephones_of_a_group_stop_ringing(stage):
    targets = (Target.phone(DESK), Target.phone(SECOND_DESK), Target.client("anna"))
    async with stage(shop(manner="warm", targets=targets, order="ring", ring_seconds=30)) as s:
        script_whole_agent(s)
        for address in (DESK, SECOND_DESK, "client:anna"):
            s.carrier.humans[address] = Human.no_answer()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            # The third was ordered, and waits for its turn: one a second is the carrier's pace.
            await eventually(lambda: len(other_legs(s, line.leg)) >= 2)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        await asyncio.gather(*(leg.ended() for leg in other_legs(s, call)))
        assert {leg.status for leg in other_legs(s, call)} == {"canceled"}
        assert record.disposition == "abandoned"


@pytest.mark.parametrize("first", ["accepts", "hangs up"])
async def test_a_human_accepts_in_the_instant_in_which_the_caller_hangs_up(stage, first):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        now = asyncio.Barrier(2)

        async def human(line: Line) -> None:
            await line.wait_for_sound()
            await now.wait()
            if first == "hangs up":
                await asyncio.sleep(0)
            await line.press("1")

        s.carrier.humans[DESK] = Human(0.5, human)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await now.wait()
            if first == "accepts":
                await asyncio.sleep(0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        await leg.ended()
        assert bytes([HUMAN]) * FRAME not in call.recording().heard
        # The key and the end of the human's leg cross: they are told, or their leg has just ended.
        (ended,) = leg.timeline.find("ended", leg.sid)
        told = [] if ended.detail["by"] == "rest" else [prompts.NO_CALLER]
        assert said_on(leg)[1:] == told
        assert [attempt.outcome for attempt in record.handoffs] == ["caller-gone"]
        assert record.disposition == "abandoned"
