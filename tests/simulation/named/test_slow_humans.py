"""Humans who take their time: they answer late, listen to the whisper, and press a key at last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hookflash_local.carrier import Human, Line

from ...scenarios.conftest import DESK, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    BACK,
    GREETING,
    ask_for_a_human,
    asks_for_a_human,
    both_talked,
    greeted,
    hears,
    other_legs,
    outcomes,
    presses,
    request,
    say,
    script_agent,
    time_of,
    told,
    whole_call,
)


@pytest.mark.parametrize(
    ("ring_seconds", "answers_at", "presses_at", "whispers"),
    [(20, 19.0, 51.0, 2), (5, 4.2, 42.7, 3)],
    ids=["after two whispers", "in the third whisper"],
)
async def test_a_human_who_answers_late_and_presses_1_while_they_are_asked_gets_the_caller(
    tmp_path: Path, ring_seconds, answers_at, presses_at, whispers
):
    agent = shop(accept="press-1", ring_seconds=ring_seconds)
    async with open_stage(tmp_path, agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=answers_at, presses_at=presses_at)
        call, record = await whole_call(s, asks_for_a_human(s))
        (leg,) = other_legs(s, call)
        assert len(leg.timeline.find("say", leg.sid)) >= whispers
        assert both_talked(s, call)
        assert len(call.timeline.find("bridged", call.sid)) == 1
        assert outcomes(record) == ["bridged"]
        assert record.disposition == "handed_off"


async def test_a_caller_whom_a_slow_human_did_not_take_is_back_with_an_agent_that_says_so(
    tmp_path: Path,
):
    async with open_stage(tmp_path, shop(accept="press-1", ring_seconds=5)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(4.2, None)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await hears(line, BACK, 900, within=100)
            await line.hang_up()

        call, record = await whole_call(s, script)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert "desk" in told(s)
        assert re.search("nobody|no one|none of them|not take", told(s), re.IGNORECASE)
        (attempt,) = record.handoffs
        assert (attempt.destination, attempt.target) == ("desk", 0)
        assert attempt.outcome in ("machine", "no-answer", "declined", "timeout")
        assert record.disposition == "handled_by_agent"


@pytest.mark.parametrize("presses_at", [4.0, 6.5, 17.0])
async def test_a_human_who_presses_1_before_the_whisper_is_over_gets_the_caller_at_once(
    tmp_path: Path, presses_at
):
    async with open_stage(tmp_path, shop(accept="press-1", ring_seconds=5)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=3.0, presses_at=presses_at)
        call, record = await whole_call(s, asks_for_a_human(s))
        (leg,) = other_legs(s, call)
        pressed, bridged = time_of(leg, "digit"), time_of(call, "bridged")
        assert pressed is not None and bridged is not None
        assert bridged - pressed < 1.0
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]


# --- busy before a word was said --------------------------------------------------------------


async def test_a_line_about_ringing_is_not_said_any_more_when_the_human_is_busy_already(
    tmp_path: Path,
):
    """The model takes two and a half seconds to begin "I am ringing them"; the busy tone comes
    after one."""
    async with open_stage(tmp_path, shop(manner="warm")) as s:
        for byte in (GREETING, BACK):
            s.model.on("response.create", [say(byte, 900)], where=request(byte))
        # Answered by hand, since one that is cancelled meanwhile must stay without a sound.
        s.model.on("response.create", [])
        s.carrier.humans[DESK] = Human.busy(after=1.0)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.pause(0.1)
            about_ringing = s.model.session.conversation.active
            await line.pause(2.4)
            if about_ringing is not None and about_ringing.running:
                await s.model.perform([say(ANSWER, 1500)])
            await hears(line, BACK, 900, within=20)
            await line.hang_up()

        call, record = await whole_call(s, script)
        heard = call.recording().heard
        assert samples(heard, BACK) == 900 * 8
        assert samples(heard, ANSWER) == 0
        assert outcomes(record) == ["busy"]
