"""Calls that reach their longest time: the caller is told, hears a goodbye, and the call ends."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from hookflash import Agent
from hookflash.core.conversation.limits import CARRIER_LIMIT_SECONDS, LENGTH_NOTICE_SECONDS
from hookflash_local.carrier import Human, Leg, Line, faults

from ...scenarios.conftest import DESK, Stage, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    CALLER,
    GREETING,
    HUMAN,
    STORY,
    WORDS,
    ask_for_a_human,
    caller_says,
    greeted,
    heard_between,
    hears,
    longest_nothing,
    outcomes,
    say,
    script_agent,
    talks,
    time_of,
    whole_call,
)

LONGEST = 120
WARNING, GOODBYE = 0x5F, 0x6A
WORDS.update({WARNING: "We have one minute left.", GOODBYE: "Our time is over. Goodbye."})
REQUESTS = {
    WARNING: re.compile("call ends soon"),
    GOODBYE: re.compile("longest time that a call may take is over"),
}
A_MOMENT = 2.5
PROMISE_SECONDS = 3.0


def limited(seconds: float | None = LONGEST, **plan: object) -> Agent:
    agent = shop(**plan)
    agent.max_call_seconds = seconds
    agent.away_timeout = None
    return agent


def script_limited_agent(s: Stage) -> None:
    for byte, about in REQUESTS.items():
        asked = {"response": {"instructions": about}}
        s.model.on("response.create", [say(byte, 1000)], where=asked)
    script_agent(s)


async def stays(line: Line) -> None:
    """A caller who listens until the call ends, but not for ever."""
    await greeted(line)
    await line.pause(20 * 60.0)
    await line.hang_up()


def first_at(call: Leg, byte: int) -> float:
    """Return when a sentence began, in seconds since the call was answered."""
    return call.recording().heard.find(bytes([byte]) * 24) / 8000


def limits(call: Leg) -> list[float]:
    """How long the call was to last, each time that the carrier was told."""
    return [float(each.detail["seconds"]) for each in call.timeline.find("limited", call.sid)]


async def test_a_call_ends_with_a_goodbye_when_its_time_is_over(tmp_path: Path) -> None:
    async with open_stage(tmp_path, limited()) as s:
        script_limited_agent(s)
        call, record = await whole_call(s, stays, seconds=600.0)
        heard = call.recording().heard
    assert samples(heard, WARNING) == samples(heard, GOODBYE) == 8000
    assert abs(first_at(call, WARNING) - (LONGEST - LENGTH_NOTICE_SECONDS)) < A_MOMENT
    assert abs(first_at(call, GOODBYE) - LONGEST) < A_MOMENT
    assert LONGEST <= record.seconds < LONGEST + 10.0
    assert record.disposition == "time_limit"
    assert call.timeline.find("ended", call.sid)[0].detail["by"] == "twiml"


async def test_the_lines_setting_is_for_agents_that_have_no_limit_of_their_own(
    tmp_path: Path,
) -> None:
    settings = {"max_call_seconds": 90.0}
    async with open_stage(tmp_path, limited(None), settings=settings) as s:
        script_limited_agent(s)
        _, record = await whole_call(s, stays, seconds=600.0)
    assert 90.0 <= record.seconds < 100.0


async def test_nobody_is_cut_off_in_a_sentence(tmp_path: Path) -> None:
    """The caller asks just before the end, and the agent answers at length: both are heard."""
    async with open_stage(tmp_path, limited()) as s:
        script_limited_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await line.pause(LONGEST - 6.0 - line.since_answer)
            await caller_says(s, line, "Tell me all.", 1500, answer=say(STORY, 8000))
            await line.pause(60.0)
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=600.0)
        heard = call.recording().heard
    assert samples(heard, STORY) == 8000 * 8
    assert samples(heard, GOODBYE) == 8000
    assert record.disposition == "time_limit"
    assert longest_nothing(heard_between(call, first_at(call, STORY))) <= PROMISE_SECONDS


@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_a_caller_who_talks_with_a_human_is_not_cut_off(tmp_path: Path, manner: str) -> None:
    """Not by the agent's limit, and not by the one that the carrier has."""
    agent = limited(LONGEST, manner=manner)
    async with open_stage(tmp_path, agent) as s:
        script_limited_agent(s)

        async def long_talk(line: Line) -> None:
            await line.pause(3 * LONGEST)
            await talks(line)

        s.carrier.humans[DESK] = (
            Human.accepts(1.0, then=long_talk) if manner == "warm" else Human(1.0, long_talk)
        )

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.connected()
            await line.pause(2000.0)
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=3000.0)
        asked = limits(call)
    assert record.seconds > 3 * LONGEST
    assert samples(call.recording().heard, HUMAN) == 8000
    assert outcomes(record) == ["bridged"] and record.disposition == "handed_off"
    assert asked[1:] == [CARRIER_LIMIT_SECONDS] and LONGEST < asked[0] < LONGEST + 200


@pytest.mark.parametrize("manner", ["warm", "cold"])
async def test_an_owner_may_limit_the_talk_with_a_human(tmp_path: Path, manner: str) -> None:
    agent = limited(0, manner=manner, talk_seconds=100, afterwards="return")
    async with open_stage(tmp_path, agent, notices=False) as s:
        script_limited_agent(s)

        async def long_talk(line: Line) -> None:
            await line.play(bytes([HUMAN]) * 8000)
            await line.pause(900.0)

        s.carrier.humans[DESK] = (
            Human.accepts(1.0, then=long_talk) if manner == "warm" else Human(1.0, long_talk)
        )

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.connected()
            before = samples(line.heard, ANSWER) // 8
            assert await hears(line, ANSWER, before + 900, within=300), "back with the agent"
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=600.0)
        human = next(leg for leg in s.carrier.calls if leg is not call)
        met = time_of(call, "conference-joined" if manner == "warm" else "bridged")
        ended = time_of(human, "ended")
    assert met is not None and ended is not None
    assert 99.0 < ended - met < 105.0
    assert outcomes(record) == ["bridged"]


async def test_a_call_whose_server_is_gone_is_ended_by_the_carrier(tmp_path: Path) -> None:
    """The process hangs: no timer of its own rings, and no webhook is answered."""
    async with open_stage(tmp_path, limited(), notices=False) as s:
        script_limited_agent(s)
        call = await s.call(stays)
        await asyncio.sleep(20.0)
        (limit,) = limits(call)
        driver = s.line.switchboard.find(call.sid)
        assert driver is not None
        driver._expire = lambda: None  # type: ignore[method-assign]  # the process hangs
        if driver._timer is not None:
            driver._timer.cancel()
        await call.ended()
        ended = call.timeline.find("ended", call.sid)[0]
    assert ended.detail["by"] == "carrier"
    assert abs(ended.at - limit) < A_MOMENT
    assert LONGEST < limit < LONGEST + 200


async def test_a_carrier_that_takes_no_limit_changes_nothing_for_the_caller(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path, limited(), notices=False) as s:
        script_limited_agent(s)
        for _ in range(12):
            s.carrier.faults.updates.append(faults.Refused(500))
        call, record = await whole_call(s, stays, seconds=600.0)
    assert samples(call.recording().heard, GREETING) == 800 * 8
    assert samples(call.recording().heard, GOODBYE) == 8000
    assert record.disposition == "time_limit"


async def test_a_caller_who_talks_over_the_end_is_heard_out_and_then_told(tmp_path: Path) -> None:
    async with open_stage(tmp_path, limited()) as s:
        script_limited_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await line.pause(LONGEST - 5.0 - line.since_answer)
            sound = asyncio.create_task(line.play(bytes([CALLER]) * 8000 * 9))
            await s.model.perform(["speech_started", {"wait_ms": 9000}])
            await sound
            await s.model.perform([{"speech_stopped": {"text": "that was it"}}])
            await line.pause(60.0)
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=600.0)
    assert first_at(call, GOODBYE) > LONGEST + 3.0
    assert record.disposition == "time_limit"
