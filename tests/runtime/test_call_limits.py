"""Calls at once, money and numbers: what one process refuses, and what goes on all the same."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hookflash import Agent, Target, Warm
from hookflash.agents.directory import Directory
from hookflash.core import events as e
from hookflash.core.commands import ConnectAgent, HangUp, Speak
from hookflash.runtime.call_limits import CallLimits, CallRefused

from .conftest import Stream, World
from .test_switchboard import ARRIVED, board

SECOND = e.CallArrived("CA2", "+15550100008", "+15550100001")


def german() -> Directory:
    return Directory.of(Agent("desk", instructions="Be kind.", language="de"))


async def test_a_call_above_the_limit_is_refused_and_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    limits = CallLimits(calls=1)
    switchboard = board(world, limits=limits)
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    with caplog.at_level(logging.WARNING), pytest.raises(CallRefused) as refused:
        await switchboard.arrive(SECOND)
    assert refused.value.instructions == ()
    assert "CA2 ! refused: 1 calls are live, and HOOKFLASH_MAX_CALLS is 1" in caplog.text
    assert limits.refused == {"calls": 1, "spend": 0}
    assert [each.call_sid for each in switchboard.live] == ["CA1"]
    assert world.journals.find("CA2") is None
    await switchboard.close()


async def test_a_live_call_is_never_refused_and_its_end_makes_room(world: World) -> None:
    switchboard = board(world, limits=CallLimits(calls=1))
    await switchboard.arrive(ARRIVED)
    # The carrier repeats a webhook that was answered late.
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    await switchboard.post("CA1", e.CallCompleted())
    assert await switchboard.arrive(SECOND) == (ConnectAgent(1),)
    await switchboard.close()


async def test_who_is_refused_hears_the_owners_text_in_the_agents_language(world: World) -> None:
    limits = CallLimits(calls=1, text="Bitte rufen Sie später an.")
    switchboard = board(world, german(), limits=limits)
    await switchboard.arrive(ARRIVED)
    with pytest.raises(CallRefused) as refused:
        await switchboard.arrive(SECOND)
    assert refused.value.instructions == (Speak("Bitte rufen Sie später an.", "de"), HangUp())
    await switchboard.close()


async def test_when_todays_money_is_spent_new_calls_are_refused_and_live_ones_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    spent = False
    limits = CallLimits(spent=lambda: spent)
    switchboard = board(world, limits=limits)
    await switchboard.arrive(ARRIVED)
    spent = True
    with pytest.raises(CallRefused):
        await switchboard.arrive(SECOND)
    assert "CA2 ! refused: HOOKFLASH_MAX_DAILY_SPEND" in caplog.text
    assert limits.refused == {"calls": 0, "spend": 1}
    assert await switchboard.arrive(ARRIVED) == (ConnectAgent(1),)
    assert [each.call_sid for each in switchboard.live] == ["CA1"]
    spent = False
    assert await switchboard.arrive(SECOND) == (ConnectAgent(1),)
    await switchboard.close()


async def test_without_limits_no_call_is_refused(world: World) -> None:
    switchboard = board(world)
    for number in range(20):
        arrived = e.CallArrived(f"CA{number}", "+15550100009", "+15550100001")
        assert await switchboard.arrive(arrived) == (ConnectAgent(1),)
    await switchboard.close()


async def test_a_number_that_is_not_permitted_is_not_rung_and_logged_without_its_digits(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Agent("desk", instructions="Be kind.")
    plan = Warm([Target.phone("+239555010"), Target.phone("+15550102")])
    desk.handoff("people", when="somebody asks", plan=plan)
    switchboard = board(world, Directory.of(desk), dial_prefixes=("+1",))
    await switchboard.arrive(ARRIVED)
    switchboard.attach("CA1", Stream())
    await switchboard.post("CA1", e.StreamStarted("MZ1", 1))
    await switchboard.post("CA1", e.ModelReady("S1"))
    await switchboard.post("CA1", e.HandoffRequested("people", "angry", source="console"))
    await asyncio.sleep(0.1)
    assert "CA1 ! target 1 of people is not rung: no prefix of HOOKFLASH_DIAL_PREFIXES" in (
        caplog.text
    )
    assert "39555010" not in caplog.text
    assert [what.target.address for _, what in world.control.rung] == ["+15550102"]
    await switchboard.close()


async def test_the_end_of_the_agents_time_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    switchboard = board(world, max_call_seconds=60)
    await switchboard.arrive(ARRIVED)
    driver = switchboard.find("CA1")
    assert driver is not None
    driver.call.conversation.length.ended = True
    with caplog.at_level(logging.INFO):
        await switchboard.post("CA1", e.CallCompleted())
    assert "CA1 = the agent ended the call: HOOKFLASH_MAX_CALL_SECONDS" in caplog.text
    assert "(60 s)" in caplog.text
    await switchboard.close()
