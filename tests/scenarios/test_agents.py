"""Agents give each other a call, as the caller hears it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent, CallContext, Cold, ConfigError, Directory, Target
from hookflash.agents.load_agent import load_agent
from hookflash_local.carrier import Human, Line

from .acts import longest_silence
from .conftest import DESK, SECOND_DESK, another_process, eventually, samples
from .test_handoff import FAREWELL, GREETING, asked_to, desk, greeted, say
from .test_owner_hooks import calls, hears

BILLING, BACK, SORRY, TALK = 0x62, 0x63, 0x64, 0x65


def two_agents() -> tuple[Agent, Agent]:
    shop = Agent("shop", instructions="We sell bicycles.", greeting="Hello.", voice="marin")
    billing = Agent("billing", instructions="You explain bills.", voice="cedar")
    shop.handoff("desk", when="a person is wanted", plan=Cold(Target.phone(DESK)))
    billing.handoff("accounts", when="a person is wanted", plan=Cold(Target.phone(SECOND_DESK)))
    shop.transfer_to(billing, when="the caller asks about a bill")
    billing.transfer_to(shop, when="the caller wants something else")

    @billing.tool
    async def bill(call: CallContext) -> str:
        """Look up the bill."""
        return f"12 euros, says {call.agent}"

    return shop, billing


def to(agent: str) -> dict[str, Any]:
    return calls("transfer_to_agent", agent=agent, reason="a bill", summary="They paid twice.")


def script_two(s: Any) -> None:
    s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
    s.model.on(
        "response.create", [say("over", 700, BILLING)], where=asked_to("just taken the call over")
    )
    s.model.on("response.create", [say("sorry", 700, SORRY)], where=asked_to("did not work"))
    s.model.on("response.create", [say("bye", 600, FAREWELL)], where=asked_to("connected to"))
    s.model.on("response.create", [say("talk", 400, TALK)])


def sessions(s: Any) -> list[dict[str, Any]]:
    return [each["session"] for each in s.model.received.of("session.update")]


def voice(session: dict[str, Any]) -> str:
    return str(session["audio"]["output"]["voice"])


async def heard(line: Line, byte: int, milliseconds: int) -> None:
    while samples(line.heard, byte) < milliseconds * 8:
        await line.pause(0.05)


async def test_another_agent_takes_the_call_with_its_voice_and_tools_and_gives_it_back(
    stage: Any,
) -> None:
    shop, _ = two_agents()
    asked_at: list[int] = []

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("my bill is wrong"), to("billing")])
        asked_at.append(len(line.heard))
        await heard(line, BILLING, 700)
        await s.model.perform([hears("which one"), calls("bill")])
        await heard(line, TALK, 400)
        await s.model.perform([hears("and a new tyre"), to("shop")])
        asked_at.append(len(line.heard))
        await heard(line, BILLING, 1400)
        await line.pause(0.5)
        await line.hang_up()

    async with stage(shop) as s:
        script_two(s)
        call = await s.call(script)
        await eventually(lambda: samples(call.recording().heard, BILLING) >= 700 * 8)
        (driver,) = s.line.switchboard.live
        assert driver.call.setup.agent == "billing"
        record = await s.record(call)
        used = [voice(each) for each in sessions(s)]
        assert used == ["marin", "cedar", "marin"]
        tools = [{tool["name"] for tool in each["tools"]} for each in sessions(s)]
        assert "bill" not in tools[0] and "bill" in tools[1]
        assert record.agent == "shop"
        assert [(each.from_agent, each.to_agent, each.outcome) for each in record.transfers] == [
            ("shop", "billing", "taken"),
            ("billing", "shop", "taken"),
        ]
        assert record.transfers[0].reason == "a bill"
        assert [use.output for use in record.tools] == ["12 euros, says billing"]
        # What was said before is in the new session, and what the first agent wants to add.
        items = str([each["item"] for each in s.model.received.of("conversation.item.create")])
        assert "my bill is wrong" in items and "They paid twice." in items
        sound = call.recording().heard
        for begin, milliseconds in zip(asked_at, (0, 700), strict=True):
            end = begin
            while samples(sound[:end], BILLING) <= milliseconds * 8:
                end += 160
            assert longest_silence(sound[begin:end]) < 1.0


async def test_the_hand_off_to_humans_is_that_of_the_agent_who_speaks(stage: Any) -> None:
    shop, _ = two_agents()
    wanted = {"destination": "accounts", "reason": "a refund", "summary": "Paid twice."}

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("my bill is wrong"), to("billing")])
        await heard(line, BILLING, 700)
        await s.model.perform([hears("a person"), calls("transfer_to_human", **wanted)])
        await line.wait_for("bridged")

    async with stage(shop) as s:
        script_two(s)
        s.carrier.humans[SECOND_DESK] = Human(answer_after=1.0, script=desk)
        record = await s.record(await s.call(script))
        assert record.disposition == "handed_off"
        assert [each.destination for each in record.handoffs] == ["accounts"]


async def test_the_first_agent_has_the_call_back_if_the_other_ones_session_does_not_open(
    stage: Any,
) -> None:
    shop, _ = two_agents()
    asked_at: list[int] = []

    async def script(line: Line) -> None:
        await greeted(line)
        s.model.on("session.update", ["drop"], times=1)
        await s.model.perform([hears("my bill is wrong"), to("billing")])
        asked_at.append(len(line.heard))
        await heard(line, SORRY, 700)
        await line.hang_up()

    async with stage(shop) as s:
        script_two(s)
        call = await s.call(script)
        record = await s.record(call)
        assert [each.outcome for each in record.transfers] == ["failed"]
        assert record.disposition == "handled_by_agent"
        assert samples(call.recording().heard, BILLING) == 0
        assert voice(sessions(s)[-1]) == "marin"
        sound = call.recording().heard
        waited = sound[asked_at[0] : sound.index(bytes([SORRY]) * 24)]
        assert longest_silence(waited) < 1.0


async def test_another_process_goes_on_with_the_agent_that_speaks(stage: Any) -> None:
    shop, billing = two_agents()

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("my bill is wrong"), to("billing")])
        await heard(line, BILLING, 700)
        await line.pause(60)

    async with stage(shop) as s:
        script_two(s)
        call = await s.call(script)
        await eventually(lambda: samples(call.recording().heard, BILLING) >= 700 * 8)
        async with another_process(s, shop) as (line, _):
            from hookflash.core.events import CallCompleted

            await line.switchboard.post(call.sid, CallCompleted())
            driver = line.switchboard.find(call.sid)
            assert driver is not None
            record = driver.call.record(0)
            assert driver.call.setup.agent == "billing"
            assert [each.to_agent for each in record.transfers] == ["billing"]


def test_a_mistake_is_told() -> None:
    shop, billing = two_agents()
    for wrong, told in (
        ({"other": shop}, "expected another Agent"),
        ({"other": "billing"}, "expected another Agent"),
        ({"other": billing}, "the key 'billing' is taken"),
        ({"other": billing, "key": "Two Words"}, "a key is a lower-case letter"),
        ({"other": billing, "key": "b", "when": " "}, "when must say"),
    ):
        given = {"when": "often"} | wrong
        with pytest.raises(ConfigError, match=told):
            shop.transfer_to(given.pop("other"), **given)
    shop.transfer_to(Agent("billing", instructions="Another."), when="never", key="b2")
    with pytest.raises(ConfigError, match="two agents are named 'billing'"):
        Directory.of(shop).check()


def test_a_directory_has_the_agents_that_only_take_calls_over() -> None:
    shop, billing = two_agents()
    directory = Directory.of(shop)
    assert (directory.answering, directory.agents) == ((shop,), (shop, billing))
    assert directory.get("billing") is billing


async def test_the_example_changes_agents(stage: Any) -> None:
    agent = load_agent(str(Path(__file__).parents[2] / "examples" / "16_two_agents.py"))
    assert isinstance(agent, Agent)

    async def script(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("I want to rent one"), to("rental")])
        await heard(line, BILLING, 700)
        await line.hang_up()

    async with stage(agent) as s:
        script_two(s)
        record = await s.record(await s.call(script))
        assert [each.to_agent for each in record.transfers] == ["rental"]
