"""Ways back from a human: keys in the room, hanging up, the console. Nobody is left alone."""

from __future__ import annotations

import pytest

from hookflash.core import prompts
from hookflash.core.events import GiveBackRequested
from hookflash_local.carrier import Human, Line

from .acts import AGAIN, WELCOME, caller_until, hear, said_on, script_whole_agent, talk
from .conftest import DESK, samples, shop
from .test_meeting import HUMAN, ask_for_a_human, other_legs


async def parting(line: Line, key: str) -> None:
    """The human leaves the room, hears what the keys do, and presses one."""
    await line.press("*")
    await line.wait_to_hear(prompts.PARTING)
    await line.press(key)


async def test_a_human_gives_the_caller_back_with_two_keys(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await parting(line, "2")

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_until(s, WELCOME))
        record = await s.record(call)
        heard = call.recording().heard
        assert samples(heard, HUMAN) == 8000
        assert samples(heard, WELCOME) == 900 * 8
        assert said_on(call)[-1] == prompts.ON_HOLD
        (leg,) = other_legs(s, call)
        assert said_on(leg)[-1] == prompts.GIVEN_BACK
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert record.disposition == "handed_off"


async def test_a_human_who_thought_better_of_it_talks_on(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await parting(line, "1")
            await line.wait_for("conference-joined", 2)
            await line.play(bytes([AGAIN]) * 8000)
            await line.pause(1.0)
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("conference-joined", 2)
            await line.play(bytes([AGAIN]) * 8000)

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, AGAIN) == 8000
        (leg,) = other_legs(s, call)
        assert samples(leg.recording().heard, AGAIN) == 8000
        assert samples(call.recording().heard, WELCOME) == 0
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]


@pytest.mark.parametrize("afterwards", ["return", "hang-up"])
@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_a_human_hangs_up_and_the_plan_says_what_follows(stage, manner, afterwards):
    async with stage(shop(manner=manner, accept="press-1", afterwards=afterwards)) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await line.pause(0.5)
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_until(s, WELCOME))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        welcomed = samples(call.recording().heard, WELCOME)
        assert welcomed == (900 * 8 if afterwards == "return" else 0)
        assert record.disposition == "handed_off"


async def test_a_human_who_hangs_up_instead_of_choosing_leaves_the_caller_to_the_agent(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await line.press("*")
            await line.wait_for_sound()
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_until(s, WELCOME))
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert record.disposition == "handed_off"


async def test_where_nobody_may_give_back_the_star_ends_the_talk(stage):
    async with stage(shop(manner="warm", give_back=False)) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await talk(line)
            await line.press("*")

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_until(s, WELCOME))
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 0
        assert prompts.ON_HOLD not in said_on(call)
        assert record.disposition == "handed_off"


async def test_somebody_at_the_console_gives_the_caller_back(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=talk)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, HUMAN, 900)
            s.line.switchboard.find(line.leg.sid).post(GiveBackRequested(by="anna"))
            await hear(line, WELCOME)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        (leg,) = other_legs(s, call)
        assert leg.status == "completed"
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert record.disposition == "handed_off"
