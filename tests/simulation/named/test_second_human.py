"""Two humans of a ring group accept, and the first is gone before the caller is with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hookflash import CallRecord, Target
from hookflash.core import prompts
from hookflash_local.carrier import Human, Leg, Line, faults
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.network import Connection

from ...scenarios.conftest import DESK, PUBLIC, SECOND_DESK, Stage, open_stage, samples, shop
from .handoff_parts import (
    CALLER,
    HUMAN,
    asks_for_a_human,
    longest_nothing,
    other_legs,
    script_agent,
    whole_call,
)

DESKS = (Target.phone(DESK), Target.phone(SECOND_DESK))
PROMISE_SECONDS = 3.0

ANSWER_SECONDS = 0.5
"""How long the line's answers are on their way."""


def accepts_and_hangs_up(after: float) -> Human:
    """A human who presses 1 two seconds after answering and is gone `after` seconds later."""

    async def script(line: Line) -> None:
        await line.pause(2.0)
        await line.press("1")
        await line.pause(after)
        await line.hang_up()

    return Human(1.0, script)


def accepts_second(later: float) -> Human:
    """A human who answers at the same time, presses 1 a moment after the first, and talks."""

    async def script(line: Line) -> None:
        await line.pause(2.0 + later)
        await line.press("1")
        await line.connected()
        await line.play(bytes([HUMAN]) * 8000)
        await line.pause(2.0)
        await line.hang_up()

    return Human(1.0, script)


def slow_answers(s: Stage) -> None:
    """Let every answer of the line's take its time to the carrier."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    port = urlsplit(s.carrier.tunnel[PUBLIC]).port
    before = loop.network.connected

    def note(connection: Connection) -> None:
        before(connection)
        if connection.port == port:
            connection.down.delay = ANSWER_SECONDS

    loop.network.connected = note


async def call_of_two(s: Stage, *, gone_after: float, later: float) -> tuple[Leg, CallRecord, Leg]:
    """The caller is brought to whichever human there is. Return the leg of the second, too."""
    script_agent(s)
    s.carrier.humans[DESK] = accepts_and_hangs_up(gone_after)
    s.carrier.humans[SECOND_DESK] = accepts_second(later)
    call, record = await whole_call(s, asks_for_a_human(s))
    (second,) = [leg for leg in other_legs(s, call) if leg.about.to == SECOND_DESK]
    return call, record, second


def taken_by_the_second(call: Leg, record: CallRecord, second: Leg) -> None:
    assert samples(call.recording().heard, HUMAN) == 8000
    assert samples(second.recording().heard, CALLER) >= 7800
    assert [(each.outcome, each.target) for each in record.handoffs] == [
        ("human-gone", 0),
        ("bridged", 1),
    ]
    assert record.disposition == "handed_off"


@pytest.mark.parametrize("later", [0.1, 1.0], ids=["before the first is gone", "after"])
@pytest.mark.parametrize(
    "gone_after", [0.3, 2.5], ids=["before the closing line", "when the caller is on the way"]
)
async def test_of_a_placed_group_the_second_has_the_call_when_the_first_is_gone(
    tmp_path: Path, gone_after: float, later: float
) -> None:
    agent = shop(manner="warm", targets=DESKS, order="ring", ring_seconds=20)
    async with open_stage(tmp_path, agent) as s:
        if gone_after > 1.0:
            # The caller is moved by the second road, when REST was waited for.
            s.carrier.faults.updates.append(faults.Silent())
        call, record, second = await call_of_two(s, gone_after=gone_after, later=later)
    taken_by_the_second(call, record, second)
    assert longest_nothing(call.recording().heard) <= PROMISE_SECONDS


@pytest.mark.parametrize("later", [0.02, 1.5], ids=["before the first is gone", "after"])
async def test_of_a_dialled_group_the_second_has_the_call_when_the_first_is_gone(
    tmp_path: Path, later: float
) -> None:
    """The first hangs up while the answer to their key is on its way to the carrier."""
    agent = shop(accept="press-1", targets=DESKS, order="ring", ring_seconds=20)
    async with open_stage(tmp_path, agent) as s:
        slow_answers(s)
        call, record, second = await call_of_two(s, gone_after=0.1, later=later)
    taken_by_the_second(call, record, second)


@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_where_the_first_stays_the_second_is_let_go(tmp_path: Path, manner: str) -> None:
    agent = shop(manner=manner, accept="press-1", targets=DESKS, order="ring", ring_seconds=20)
    async with open_stage(tmp_path, agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = accepts_second(0.0)
        s.carrier.humans[SECOND_DESK] = Human.accepts(1.0, after_seconds=2.1)
        call, record = await whole_call(s, asks_for_a_human(s))
        (second,) = [leg for leg in other_legs(s, call) if leg.about.to == SECOND_DESK]
        said = [each.detail["text"] for each in second.timeline.find("say", second.sid)]
    assert samples(call.recording().heard, HUMAN) == 8000
    assert samples(second.recording().heard, CALLER) == 0
    assert [each.outcome for each in record.handoffs if each.outcome == "human-gone"] == []
    if manner == "warm":
        assert said[-1] == prompts.TAKEN
