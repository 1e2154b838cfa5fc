"""The last words before a human: the caller speaks into them, or the model is mute."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hookflash import Agent
from hookflash.core.events import HandoffRequested
from hookflash_local.carrier import Human, Line

from ...scenarios.conftest import DESK, Stage, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    CALLER,
    CLOSING,
    FAREWELL,
    HUMAN,
    ask_for_a_human,
    asks_for_a_human,
    both_talked,
    caller_says,
    first_heard,
    greeted,
    heard_between,
    hears,
    longest_nothing,
    other_legs,
    outcomes,
    script_agent,
    talks,
    time_of,
    whole_call,
)

MUTE_SECONDS = 3.0
MOMENT_SECONDS = 0.3
FAREWELL_MS = 4000

Request = Callable[[Stage, Line], Awaitable[None]]


# --- the caller speaks into the farewell ------------------------------------------------------


async def supervisor_asks(s: Stage, line: Line) -> None:
    driver = s.line.switchboard.find(line.leg.sid)
    assert driver is not None
    driver.post(HandoffRequested("desk", "they know each other", source="supervisor"))


async def policy_asks(s: Stage, line: Line) -> None:
    """The agent's policy wants a human for a caller who says this."""
    await caller_says(s, line, "This is about a lawsuit.", 900)


REQUESTS = {"supervisor": supervisor_asks, "policy": policy_asks}


def agent_with_policy(seconds: float = 1.5) -> Agent:
    """An agent whose policy thinks for so long; then its answer to the caller is over."""
    agent = shop()

    @agent.policy
    async def lawsuits(call) -> tuple[str, str] | None:
        await asyncio.sleep(seconds)
        return ("desk", "a lawsuit") if "lawsuit" in call.said else None

    return agent


@pytest.mark.parametrize("request_by", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize(("said", "ms"), [("Okay.", 400), ("", 150)], ids=["okay", "a cough"])
async def test_a_caller_who_says_okay_into_the_farewell_is_brought_to_the_human(
    tmp_path: Path, request_by: Request, said, ms
):
    async with open_stage(tmp_path, agent_with_policy()) as s:
        script_agent(s, farewell_ms=FAREWELL_MS)
        s.carrier.humans[DESK] = Human(1.0, talks)

        async def script(line: Line) -> None:
            await greeted(line)
            await request_by(s, line)
            await hears(line, FAREWELL, 1000, within=15)
            await caller_says(s, line, said, ms)
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)

        call, record = await whole_call(s, script, seconds=60)
        assert outcomes(record) == ["bridged"]
        assert both_talked(s, call)
        assert record.disposition == "handed_off"


@pytest.mark.parametrize("request_by", REQUESTS.values(), ids=REQUESTS.keys())
async def test_a_caller_who_says_no_wait_into_the_farewell_stays_with_the_agent(
    tmp_path: Path, request_by: Request
):
    answered_before: list[int] = []
    async with open_stage(tmp_path, agent_with_policy()) as s:
        script_agent(s, farewell_ms=FAREWELL_MS)
        s.carrier.humans[DESK] = Human(1.0, talks)

        async def script(line: Line) -> None:
            await greeted(line)
            await request_by(s, line)
            await hears(line, FAREWELL, 1000, within=15)
            answered_before.append(samples(line.heard, ANSWER))
            await caller_says(s, line, "No, wait.", 900)
            await line.pause(15.0)
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=60)
        assert other_legs(s, call) == []
        heard = call.recording().heard
        assert 900 * 8 <= samples(heard, FAREWELL) <= (FAREWELL_MS - 500) * 8
        assert samples(heard, ANSWER) - answered_before[0] >= 900 * 8
        assert outcomes(record) == ["cancelled"]
        assert record.disposition == "handled_by_agent"


async def test_a_caller_for_whom_a_policy_wants_a_human_during_an_answer_hears_a_farewell_too(
    tmp_path: Path,
):
    async with open_stage(tmp_path, agent_with_policy(seconds=0)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(1.0, talks)

        async def script(line: Line) -> None:
            await greeted(line)
            await policy_asks(s, line)
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)

        call, record = await whole_call(s, script, seconds=60)
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        assert samples(call.recording().heard, FAREWELL) == 1200 * 8


# --- the model owes the last words and is mute ------------------------------------------------


async def test_a_caller_whom_a_mute_model_owes_the_farewell_is_soon_on_the_way_to_the_human(
    tmp_path: Path,
):
    began: list[float] = []
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s, mute=(FAREWELL,))
        s.carrier.humans[DESK] = Human(5.0, talks)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            began.append(s.carrier.now())
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)

        call, record = await whole_call(s, script)
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        heard = heard_between(call, began[0])
        quiet = longest_nothing(heard[: first_heard(heard, HUMAN)])
        assert quiet <= MUTE_SECONDS + MOMENT_SECONDS


async def test_a_caller_whom_a_mute_model_owes_the_closing_line_soon_meets_the_human(
    tmp_path: Path,
):
    async with open_stage(tmp_path, shop(manner="warm")) as s:
        script_agent(s, mute=(CLOSING,))
        s.carrier.humans[DESK] = Human.accepts(1.0, after_seconds=2.0, then=talks)
        call, record = await whole_call(s, asks_for_a_human(s))
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        (leg,) = other_legs(s, call)
        accepted = time_of(leg, "digit")
        assert accepted is not None
        heard = heard_between(call, accepted)
        quiet = longest_nothing(heard[: first_heard(heard, HUMAN)])
        assert quiet <= MUTE_SECONDS + MOMENT_SECONDS
