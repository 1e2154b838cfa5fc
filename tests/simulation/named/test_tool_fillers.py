"""A tool that takes its time says so, in its own words, and never twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent, CallRecord
from hookflash.core.conversation.limits import TOOL_LINE_LIMITS
from hookflash.core.conversation.states import ToolLineState
from hookflash_local.carrier import Leg, Line

from ...scenarios.conftest import Stage, eventually, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    CALLER,
    STORY,
    bursts,
    calls_tool,
    greeted,
    heard_between,
    longest_nothing,
    say,
    script_agent,
    whole_call,
)

LINE = "Let me look that up."
SECOND = "It takes a moment."
FILLERS = ["One moment, please.", "Let me see.", "Just a second.", "I am on it."]
PROMISE_SECONDS = 3.0
FRAME_SECONDS = 0.1
RENDERED = {"speech_url": None}


def line_moment() -> float:
    limit = TOOL_LINE_LIMITS[ToolLineState.DUE]
    assert limit is not None and isinstance(limit.seconds, float)
    return limit.seconds


def slow_shop(seconds: float, filler: Any) -> Agent:
    """A shop with a tool that takes so long."""
    agent = shop()

    @agent.tool(filler=filler)
    async def order_status() -> str:
        """Look up the caller's order."""
        await asyncio.sleep(seconds)
        return "Order 7 is on its way."

    return agent


async def asks(s: Stage, *, rendered: bool = True) -> tuple[Leg, CallRecord, float]:
    """A caller asks for an order and hears the answer. Return when the tool was called, too, in
    seconds of the carrier."""
    script_agent(s)
    called_at: list[float] = []

    async def script(line: Line) -> None:
        await greeted(line)
        await calls_tool(s, "order_status")
        called_at.append(s.carrier.now())
        while samples(line.heard, ANSWER) < 900 * 8:
            await line.pause(0.1)
        await line.hang_up()

    if rendered:
        await all_rendered(s)
    call, record = await whole_call(s, script)
    return call, record, called_at[0]


async def all_rendered(s: Stage) -> None:
    """Wait until every line of the agent can be played."""

    def spoken() -> set[str]:
        return {order["input"] for order in s.model.server.spoken}

    await eventually(lambda: {LINE, *FILLERS} <= spoken(), seconds=120.0)
    await asyncio.sleep(5.0)


def said(record: CallRecord) -> list[str]:
    """The prepared lines that the caller has heard."""
    return [each.text for each in record.utterances if each.text in {LINE, SECOND, *FILLERS}]


def first_sound(call: Leg, since: float) -> float:
    """Return how long after `since` the caller heard something."""
    (begin, _), *_ = bursts(heard_between(call, since), pause=0.1)
    return begin


async def test_a_slow_tool_has_its_line_a_moment_after_it_was_called(tmp_path: Path) -> None:
    async with open_stage(tmp_path, slow_shop(5.0, LINE), settings=RENDERED) as s:
        call, record, called_at = await asks(s)
    assert said(record) == [LINE]
    assert abs(first_sound(call, called_at) - line_moment()) <= FRAME_SECONDS
    assert longest_nothing(heard_between(call, called_at)) <= PROMISE_SECONDS


async def test_a_line_comes_a_moment_after_what_is_being_said_when_the_tool_is_called(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path, slow_shop(8.0, LINE), settings=RENDERED) as s:
        script_agent(s)
        await all_rendered(s)
        told_at: list[float] = []

        async def script(line: Line) -> None:
            await greeted(line)
            turn = {"hears": {"text": "please", "ms": 600, "respond": True}}
            await s.model.perform([turn, say(STORY, 2000)])
            await s.model.perform([{"call_tool": {"name": "order_status", "arguments": {}}}])
            while samples(line.heard, STORY) < 2000 * 8:
                await line.pause(0.02)
            told_at.append(s.carrier.now())
            while samples(line.heard, ANSWER) < 900 * 8:
                await line.pause(0.1)
            await line.hang_up()

        call, record = await whole_call(s, script)
    assert said(record) == [LINE]
    assert abs(first_sound(call, told_at[0]) - line_moment()) <= FRAME_SECONDS


async def test_a_tool_that_answers_at_once_says_nothing(tmp_path: Path) -> None:
    agent = slow_shop(line_moment() - 0.3, LINE)
    async with open_stage(tmp_path, agent, settings=RENDERED) as s:
        _, record, _ = await asks(s)
    assert said(record) == []


async def test_a_tool_that_takes_very_long_says_its_lines_in_turn_and_each_once(
    tmp_path: Path,
) -> None:
    agent = slow_shop(19.0, [LINE, SECOND])
    async with open_stage(tmp_path, agent, settings=RENDERED) as s:
        call, record, called_at = await asks(s)
    assert said(record)[:2] == [LINE, SECOND]
    assert {said(record).count(LINE), said(record).count(SECOND)} == {1}
    assert set(said(record)[2:]) & set(FILLERS), "then the agent's own"
    assert longest_nothing(heard_between(call, called_at)) <= PROMISE_SECONDS


async def test_a_tool_without_a_filler_has_tones_and_no_line(tmp_path: Path) -> None:
    agent = slow_shop(9.0, False)

    @agent.tool(filler=LINE)
    async def another() -> str:
        """Never called: its line is rendered, and nobody else's."""
        return ""

    async with open_stage(tmp_path, agent, settings=RENDERED) as s:
        call, record, called_at = await asks(s)
    assert said(record) == []
    assert longest_nothing(heard_between(call, called_at)) <= PROMISE_SECONDS


async def test_a_line_that_cannot_be_rendered_is_a_tone(tmp_path: Path) -> None:
    async with open_stage(tmp_path, slow_shop(5.0, LINE)) as s:
        call, record, called_at = await asks(s, rendered=False)
    assert said(record) == []
    assert abs(first_sound(call, called_at) - line_moment()) <= FRAME_SECONDS
    assert longest_nothing(heard_between(call, called_at)) <= PROMISE_SECONDS


@pytest.mark.parametrize("speaks_after", [0.2, 0.6])
async def test_a_caller_who_speaks_stops_the_line(tmp_path: Path, speaks_after: float) -> None:
    """They hear no more of it, and it does not begin again."""
    async with open_stage(tmp_path, slow_shop(6.0, LINE), settings=RENDERED) as s:
        script_agent(s)
        await all_rendered(s)
        cut: list[float] = []

        async def script(line: Line) -> None:
            await greeted(line)
            await calls_tool(s, "order_status")
            await line.pause(line_moment() + speaks_after)
            sound = asyncio.create_task(line.play(bytes([CALLER]) * 8000))
            await s.model.perform(["speech_started"])
            cut.append(s.carrier.now())
            await sound
            await s.model.perform([{"speech_stopped": {"text": "and hurry", "respond": False}}])
            while samples(line.heard, ANSWER) < 900 * 8:
                await line.pause(0.1)
            await line.hang_up()

        call, record = await whole_call(s, script)
    whole = [each for each in record.utterances if each.text == LINE and not each.cut]
    assert whole == []
    (line,) = [each for each in record.utterances if f"{each.text} {each.cut}".strip() == LINE]
    assert line.cut
    quiet = bursts(heard_between(call, cut[0] + FRAME_SECONDS, cut[0] + 1.0), pause=0.1)
    assert quiet == [], "silent as soon as they speak"
