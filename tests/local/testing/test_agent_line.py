"""Calls that a test plays against an agent: the caller, the model, the humans and the checks."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest
from tests.plans import plan_of

from hookflash import Agent, CallContext, Directory, Target, ToolError
from hookflash.core.handoff_plan import queue_target
from hookflash.errors import ConfigError
from hookflash_local.carrier import Human
from hookflash_local.testing.agent_line import AgentLine

DESK, SECOND = "+15550100002", "+15550100003"


def shop(**plan) -> Agent:
    """An agent with a tool and a destination; `plan` changes its plan."""
    agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello, this is the shop.")

    @agent.tool
    async def order_status(call: CallContext, number: str) -> str:
        """Tell where an order is.

        Args:
            number: The order's number.
        """
        if number != "4571":
            raise ToolError(f"There is no order {number}.")
        return f"Order {number} arrives on Friday, {call.caller}."

    fields = {"targets": (Target.phone(DESK),), "ring_seconds": 15, "manner": "warm"} | plan
    agent.handoff("support", when="somebody asks for a person", plan=plan_of(**fields))
    return agent


async def test_a_call_is_played_from_the_greeting_to_a_hand_off_that_fails(line: AgentLine) -> None:
    call = await line.call(shop(), humans={"support": "busy"})
    await call.caller_says("Where is my order?")
    output = await call.model_calls("order_status", "Let me look.", number="4571")
    assert output == "Order 4571 arrives on Friday, +15550100009."
    await call.model_says("It arrives on Friday.")
    await call.caller_says("I want to speak to a person.")
    assert await call.model_hands_off("support", reason="a complaint") == "busy"
    (
        call.expect.agent_said("this is the SHOP")
        .agent_said(re.compile(r"arrives on (Mon|Fri)day"))
        .agent_said("let me look")
        .agent_did_not_say("Monday")
        .caller_said("where is my order")
        .called("order_status", number="4571")
        .did_not_call("cancel_order")
        .handed_off("support", outcome="busy", reason="a complaint")
        .not_handed_off()
        .model_was_told("the line was busy")
    )
    record = await call.caller_hangs_up()
    assert record.disposition == "handled_by_agent"
    call.expect.disposition("handled_by_agent").handed_off("support", outcome="busy")
    assert await call.ends() is record


@pytest.mark.parametrize(
    ("manner", "human", "outcome"),
    [
        ("cold", "answers", "bridged"),
        ("cold", "no-answer", "no-answer"),
        ("warm", "answers", "bridged"),
        ("warm", "declines", "declined"),
        ("warm", "mailbox", "machine"),
        ("warm", "ignores", "machine"),
        ("warm", "no-answer", "no-answer"),
        ("warm", "fails", "failed"),
        ("consult", "answers", "bridged"),
        ("consult", "declines", "declined"),
    ],
)
async def test_a_human_does_what_their_name_says(
    line: AgentLine, manner: str, human: str, outcome: str
) -> None:
    call = await line.call(shop(manner=manner), humans={"support": human})
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == outcome
    call.expect.handed_off("support", outcome=outcome)
    if outcome == "bridged":
        await call.human_says("Good day, this is Anna.")
        await call.caller_says("Good day, Anna.")
    record = await call.caller_hangs_up()
    assert record.disposition == ("handed_off" if outcome == "bridged" else "handled_by_agent")


async def test_the_whisper_is_what_the_human_hears(line: AgentLine) -> None:
    call = await line.call(shop(), humans={"support": "answers"})
    await call.caller_says("A person, please.")
    await call.model_hands_off("support", reason="a refund", summary="The book is torn.")
    call.expect.human_heard("a refund").human_heard("The book is torn.")
    await call.human_hangs_up()
    record = await call.ends()
    assert record.handoffs[0].outcome == "bridged"


async def test_several_targets_have_humans_of_their_own(line: AgentLine) -> None:
    agent = shop(targets=(Target.phone(DESK), Target.phone(SECOND)))
    line.humans["support"] = ["busy", "answers"]
    call = await line.call(agent)
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == "bridged"
    assert [each.outcome for each in (await call.caller_hangs_up()).handoffs] == ["busy", "bridged"]
    line.humans = {SECOND: "declines", "another agent's": "busy"}
    call = await line.call(agent, everybody=Human.busy())
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == "declined"


async def test_somebody_takes_the_caller_out_of_a_queue(line: AgentLine) -> None:
    agent = shop(targets=(queue_target("support"),), manner="cold", total_seconds=300)
    call = await line.call(agent, humans={"support": "answers"})
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == "bridged"


async def test_a_tool_is_replaced_for_one_call(line: AgentLine) -> None:
    agent = shop()
    asked = []

    async def no_shop_system(call: CallContext, number: str) -> dict[str, str]:
        await asyncio.sleep(1.0)
        asked.append((call.caller, number))
        return {"arrives": "today"}

    call = await line.call(agent, tools={"order_status": no_shop_system}, caller="+15550100")
    await call.caller_says("Where is it?")
    assert await call.model_calls("order_status", number="1") == '{"arrives":"today"}'
    assert asked == [("+15550100", "1")]
    call = await line.call(agent)
    await call.caller_says("Where is it?")
    assert "no order 1" in await call.model_calls("order_status", number="1")


async def test_opening_hours_are_those_of_the_time_of_the_call(line: AgentLine) -> None:
    agent = shop(hours="mon-fri 09:00-17:00 Europe/Berlin")
    night = datetime(2026, 3, 2, 23, tzinfo=UTC)
    call = await line.call(agent, humans={"support": "answers"}, at=night)
    await call.caller_says("A person, please.")
    output = await call.model_calls(
        "transfer_to_human", destination="support", reason="a person", summary=""
    )
    assert "closed" in output
    day = datetime(2026, 3, 2, 12, tzinfo=UTC)
    call = await line.call(agent, humans={"support": "answers"}, at=day)
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == "bridged"
    record = await call.caller_hangs_up()
    assert abs(record.arrived_at - day.timestamp()) < 60


async def test_a_caller_interrupts_and_the_rest_was_not_heard(line: AgentLine) -> None:
    call = await line.call(shop())
    await call.caller_says("Tell me everything.")
    await call.model_says("First there is this, and then there is a very long story.", wait=False)
    await call.caller_waits(1.0)
    await call.caller_says("Stop, please.", interrupting=True)
    await call.model_says("All right.")
    record = await call.caller_hangs_up()
    assert record.barge_ins == 1
    call.expect.agent_said("first").agent_did_not_say("story").agent_said("all right")


async def test_minutes_pass_and_a_silent_caller_is_asked(line: AgentLine) -> None:
    call = await line.call(shop())
    await call.caller_waits(30)
    call.expect.agent_said("are you still there")
    await call.caller_waits(3600)
    assert call.over and call.seconds > 60
    call.expect.model_was_told("Nobody answers")


async def test_keys_and_a_callback_reach_the_owner(line: AgentLine) -> None:
    agent = shop(otherwise="callback")
    call = await line.call(agent, humans={"support": "no-answer"})
    await call.caller_presses("12")
    await call.caller_says("A person, please.")
    assert await call.model_hands_off("support") == "no-answer"
    await call.caller_says("Call me on 5550100, about a bicycle.")
    await call.model_calls("schedule_callback", number="5550100", wish="about a bicycle")
    await call.caller_hangs_up()
    call.expect.delivered("callback", number="5550100", says="bicycle").disposition("callback")
    with pytest.raises(AssertionError, match="expected a delivery of kind voicemail; came: call"):
        call.expect.delivered("voicemail")


async def test_a_turn_that_the_test_leaves_out_has_a_plain_answer(line: AgentLine) -> None:
    call = await line.call(shop())
    await call.caller_says("Good day.")
    await call.caller_says("Are you there?")
    await call.model_says("Yes.")
    call.expect.agent_said("all right").agent_said("yes")


async def test_a_failed_check_shows_the_timeline_of_the_call(line: AgentLine) -> None:
    call = await line.call(shop())
    await call.caller_says("Where is my order?")
    await call.model_says("On its way.")
    with pytest.raises(AssertionError) as failed:
        call.expect.agent_said("Friday")
    first, _, report = str(failed.value).partition("\n\nThe call so far:\n")
    assert first == (
        "expected the agent to say 'Friday'; came: Hello, this is the shop. | On its way."
    )
    assert re.search(r"0:0\d  caller  Where is my order\?\n +0:0\d  agent   On its way\.", report)
    for check, came in (
        (lambda: call.expect.called("order_status", number="1"), "nothing"),
        (lambda: call.expect.handed_off("support"), "nothing"),
        (lambda: call.expect.human_heard("a refund"), "nothing"),
        (lambda: call.expect.disposition("failed"), "the call has no record yet"),
        (lambda: call.expect.caller_said("bye"), "Where is my order?"),
    ):
        with pytest.raises(AssertionError, match=re.escape(f"came: {came}\n")):
            check()


async def test_a_model_that_nobody_asks_cannot_speak(line: AgentLine) -> None:
    call = await line.call(shop())
    with pytest.raises(AssertionError, match="cannot say 'Hello': nothing was asked of it"):
        await call.model_says("Hello")
    await call.caller_says("Where is it?")
    with pytest.raises(AssertionError, match="cannot call 'find': expected one of .*order_status"):
        await call.model_calls("find", number=1)
    with pytest.raises(AssertionError, match="no human is on a line who could say 'hello'"):
        await call.human_says("hello")
    with pytest.raises(ValueError, match="expected what the caller says"):
        await call.caller_says(" ")
    await call.caller_hangs_up()
    with pytest.raises(AssertionError, match="the caller cannot say 'hello': the call is over"):
        await call.caller_says("hello")
    with pytest.raises(AssertionError, match="the caller cannot press '1': the call is over"):
        await call.caller_presses("1")


async def test_a_call_that_goes_on_is_not_over(line: AgentLine) -> None:
    call = await line.call(shop())
    assert call.record is None
    with pytest.raises(AssertionError, match="expected the call to end within 2 s"):
        await call.ends(within_seconds=2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"humans": {"sales": "busy"}}, "humans has 'sales'; expected a hand-off of the agent"),
        ({"humans": {"support": "sleeps"}}, "expected a Human or one of answers, declines"),
        ({"humans": {"support": []}}, "expected at least one human, got none"),
        ({"everybody": "sleeps"}, "everybody: expected a Human or one of"),
        ({"tools": {"stock": print}}, "there is no tool 'stock' to replace; its tools are order_"),
        ({"at": datetime(2026, 1, 1)}, "at needs a time zone"),
    ],
)
async def test_what_does_not_fit_the_agent_is_refused(line: AgentLine, options, told) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        await line.call(shop(), **options)


async def test_tools_are_replaced_in_a_single_agent_only(line: AgentLine) -> None:
    directory = Directory()
    directory.add(shop())
    call = await line.call(directory)
    call.expect.agent_said("this is the shop")
    with pytest.raises(ConfigError, match="got a Directory"):
        await line.call(directory, tools={"order_status": print})


def test_a_line_is_used_without_pytest() -> None:
    async def main() -> str:
        with AgentLine() as line:
            call = await line.call(shop())
            return (await call.caller_hangs_up()).disposition

    assert asyncio.run(main()) == "handled_by_agent"
