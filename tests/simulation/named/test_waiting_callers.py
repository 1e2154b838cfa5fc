"""Callers who wait for a human without a word: what they hear meanwhile, and who is there first."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash_local.carrier import Human, Line

from ...scenarios.conftest import DESK, open_stage, shop
from .handoff_parts import (
    HUMAN,
    ask_for_a_human,
    asks_for_a_human,
    both_talked,
    first_heard,
    greeted,
    heard_between,
    longest_nothing,
    other_legs,
    outcomes,
    script_agent,
    talks,
    time_of,
    whole_call,
)

LONGEST_NOTHING_SECONDS = 3.0
MOMENT_SECONDS = 0.1


async def heard_while_waiting(tmp_path: Path, human: Human, **plan) -> bytes:
    """Return what a caller who says nothing hears from the request until the human speaks."""
    began: list[float] = []
    async with open_stage(tmp_path, shop(**plan)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = human

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            began.append(s.carrier.now())
            await line.connected()
            await line.pause(5.0)

        call, record = await whole_call(s, script)
        assert outcomes(record) == ["bridged"]
        heard = heard_between(call, began[0])
        spoke = first_heard(heard, HUMAN)
        assert spoke is not None
        return heard[:spoke]


async def test_a_quiet_caller_never_hears_nothing_while_the_agent_rings_for_a_human(
    tmp_path: Path,
):
    human = Human.accepts(14.0, then=talks)
    heard = await heard_while_waiting(tmp_path, human, manner="warm", ring_seconds=20)
    assert len(heard) > 20 * 8000
    quiet = longest_nothing(heard)
    assert quiet <= LONGEST_NOTHING_SECONDS + MOMENT_SECONDS


async def test_a_quiet_caller_hears_it_ring_while_a_human_listens_to_the_whisper(tmp_path: Path):
    human = Human.accepts(8.0, then=talks)
    heard = await heard_while_waiting(tmp_path, human, manner="cold", accept="press-1")
    assert len(heard) > 15 * 8000
    quiet = longest_nothing(heard)
    assert quiet <= LONGEST_NOTHING_SECONDS + MOMENT_SECONDS


async def test_a_human_who_was_detected_is_in_the_room_before_the_caller(tmp_path: Path):
    async with open_stage(tmp_path, shop(manner="warm", accept="human-detected")) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await line.say("hello")
            await line.connected()
            await talks(line)

        s.carrier.humans[DESK] = Human(2.0, script)
        call, record = await whole_call(s, asks_for_a_human(s))
        (leg,) = other_legs(s, call)
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        human_there, caller_left = time_of(leg, "joined"), time_of(call, "stream-stopped")
        assert human_there is not None and caller_left is not None
        assert human_there <= caller_left + MOMENT_SECONDS


@pytest.mark.parametrize(
    "accept",
    [
        "human-detected",
        "any-answer",
        "press-1",
    ],
)
async def test_a_caller_who_meets_a_human_in_a_room_does_not_wait_alone_in_it(
    tmp_path: Path, accept
):
    async with open_stage(tmp_path, shop(manner="warm", accept=accept)) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await line.say("hello")
            if accept == "press-1":
                await line.pause(4.0)
                await line.press("1")
            await line.connected()
            await talks(line)

        s.carrier.humans[DESK] = Human(2.0, script)
        call, _ = await whole_call(s, asks_for_a_human(s))
        there, met = time_of(call, "joined"), time_of(call, "conference-joined")
        assert there is not None and met is not None
        assert met - there <= 1.0
