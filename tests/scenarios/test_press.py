"""A tool presses telephone keys, as the carrier plays them and the other side hears them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent, CallContext, ConfigError, ToolError
from hookflash.agents.load_agent import load_agent
from hookflash_local.carrier import Line, Refused

from .acts import longest_silence
from .conftest import samples, shop
from .test_handoff import GREETING, asked_to, greeted, say
from .test_owner_hooks import calls, hears, tool_output

DONE = 0x6D
KEYS_SECONDS = 3 * 0.2
"""How long the stand-in plays `1w2`."""


def menu(told: list[str]) -> Agent:
    agent = shop()

    @agent.tool(timeout_seconds=0.5)
    async def choose(call: CallContext) -> str:
        """Choose in the menu."""
        try:
            await call.press("1w2")
        except ToolError as error:
            told.append(str(error))
            raise
        told.append("pressed")
        return "Keys pressed."

    return agent


def script_menu(s: Any) -> None:
    s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
    s.model.on("response.create", [say("done", 500, DONE)])


@pytest.mark.parametrize("fault", [None, 500], ids=["by REST", "REST is down"])
async def test_the_tones_are_played_and_the_agent_goes_on_with_memory(
    stage: Any, fault: int | None
) -> None:
    told: list[str] = []
    asked_at: list[int] = []

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("press one for sales"), calls("choose")])
        asked_at.append(len(line.heard))
        while samples(line.heard, DONE) < 500 * 8:
            await line.pause(0.05)
        await line.hang_up()

    async with stage(menu(told)) as s:
        script_menu(s)
        if fault is not None:
            s.carrier.faults.updates.extend([Refused(fault)] * 4)
        call = await s.call(script)
        record = await s.record(call)
        (played,) = [each for each in call.recording().events if each.kind == "play"]
        assert played.detail["digits"] == "1w2"
        assert told == ["pressed"]
        assert [(use.name, use.failed) for use in record.tools] == [("choose", False)]
        items = str([each["item"] for each in s.model.received.of("conversation.item.create")])
        assert "press one for sales" in items and "keys 1w2 were pressed" in items
        # From the request to the agent's next word: the tones, two webhooks and a session.
        sound = call.recording().heard
        waited = sound[asked_at[0] : sound.index(bytes([DONE]) * 24)]
        assert longest_silence(waited) < KEYS_SECONDS + 1.0


async def test_a_caller_who_hangs_up_meanwhile_fails_the_tool_and_nothing_else(stage: Any) -> None:
    told: list[str] = []

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("press one"), calls("choose")])
        await line.pause(0.3)
        await line.hang_up()

    async with stage(menu(told)) as s:
        script_menu(s)
        record = await s.record(await s.call(script))
        assert record.disposition == "handled_by_agent"
        assert told in ([], ["pressed"]) or told[0].startswith("The keys were not pressed")


async def test_what_is_no_key_is_refused(stage: Any) -> None:
    agent = shop()

    @agent.tool
    async def choose(call: CallContext) -> str:
        """Choose."""
        with pytest.raises(ConfigError, match="expected 1 to 32 of 0-9"):
            await call.press("1,2")
        return "refused"

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("press one"), calls("choose")])
        assert await tool_output(s) == "refused"
        await line.hang_up()

    async with stage(agent) as s:
        script_menu(s)
        await s.record(await s.call(script))


async def test_the_example_dials_an_extension(stage: Any) -> None:
    agent = load_agent(str(Path(__file__).parents[2] / "examples" / "17_press_keys.py"))
    assert isinstance(agent, Agent)

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("dial the extension"), calls("press_keys", keys="204")])
        while samples(line.heard, DONE) < 500 * 8:
            await line.pause(0.1)
        await line.hang_up()

    async with stage(agent) as s:
        script_menu(s)
        call = await s.call(script)
        record = await s.record(call)
        assert [
            each.detail["digits"] for each in call.recording().events if each.kind == "play"
        ] == ["204"]
        assert [use.failed for use in record.tools] == [False]


async def test_a_context_made_by_hand_presses_nothing() -> None:
    await CallContext(call_sid="CA1").press("1")
