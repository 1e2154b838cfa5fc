"""Another agent takes the call: its session opens, or the first one has the call back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.setup import CallSetup

NOW = 1_764_000_000.0
DESK = Destination(key="desk", when="often", plan=HandoffPlan(targets=(Target.phone("+15550102"),)))
BILLING = CallSetup(agent="billing", colleagues=("shop",), destinations=(DESK,), record=True)


def talking() -> Call:
    """A call that the agent `shop` has answered, after its greeting."""
    call = Call(CallSetup(agent="shop", greeting="Hello.", colleagues=("billing",)))
    call.receive(e.CallArrived("CA1", "+15550100", "+15550101"), NOW)
    call.receive(e.StreamStarted("MZ1", 1), NOW + 0.1)
    (asked,) = orders(call.receive(e.ModelReady(), NOW + 0.2), c.RequestResponse)
    call.receive(e.ResponseStarted("r1", asked.request_id), NOW + 0.3)
    marks = [
        *call.receive(e.ModelAudio("r1", "i1", "", 800), NOW + 0.4),
        *call.receive(e.ModelAudioEnded("r1", "i1"), NOW + 0.5),
        *call.receive(e.ResponseEnded("r1", "completed"), NOW + 0.6),
    ]
    for mark in orders(marks, c.SendMark):
        call.receive(e.MarkReturned(mark.name), NOW + 1)
    return call


def orders(commands: list[Any], kind: type) -> list[Any]:
    return [each for each in commands if isinstance(each, kind)]


def asks(call: Call, at: float, agent: str = "billing", call_id: str = "t1") -> list[Any]:
    """The model calls the tool, and its response ends."""
    call.receive(e.ResponseStarted(f"r{call_id}"), at)
    arguments = msgspec.json.encode({"agent": agent, "reason": "a bill", "summary": "Paid."})
    name = "transfer_to_agent"
    found = call.receive(e.ToolCallRequested(call_id, name, arguments.decode(), f"r{call_id}"), at)
    return found + call.receive(e.ResponseEnded(f"r{call_id}", "completed"), at + 0.01)


def brought(call: Call, at: float, setup: CallSetup = BILLING) -> list[Any]:
    return call.receive(e.AgentPrepared("billing", msgspec.to_builtins(setup)), at)


def speaks(call: Call, commands: list[Any], at: float, response: str) -> None:
    """The session that was opened is ready, and its agent says its first words."""
    commands = commands + call.receive(e.ModelReady(), at)
    asked = orders(commands, c.RequestResponse)[-1]
    call.receive(e.ResponseStarted(response, asked.request_id), at + 0.1)
    call.receive(e.ModelAudio(response, f"i{response}", "", 800), at + 0.2)
    call.receive(e.ModelAudioEnded(response, f"i{response}"), at + 0.2)
    call.receive(e.ResponseEnded(response, "completed"), at + 0.3)


def test_another_agent_takes_the_call_with_what_was_heard() -> None:
    call = talking()
    assert orders(asks(call, NOW + 2), c.BringAgent) == [c.BringAgent("billing")]
    commands = brought(call, NOW + 2.1)
    assert orders(commands, c.CloseModel)
    (opened,) = orders(commands, c.OpenModel)
    assert "taken this call over from the agent 'shop'" in opened.history[-1].text
    assert "Paid." in opened.history[-1].text
    assert call.setup.agent == call.handoff.setup.agent == "billing"
    # What was agreed with the caller stays.
    assert call.setup.record is False
    ready = call.receive(e.ModelReady(), NOW + 2.5)
    (asked,) = orders(ready, c.RequestResponse)
    assert "in your own voice" in asked.instructions
    record = call.record(NOW + 3)
    assert record.agent == "shop"
    (transfer,) = record.transfers
    assert (transfer.from_agent, transfer.to_agent, transfer.started_at) == ("shop", "billing", 2.1)


def test_the_first_agent_has_the_call_back_if_the_other_session_is_lost_before_it_speaks() -> None:
    call = talking()
    asks(call, NOW + 2)
    brought(call, NOW + 2.1)
    commands = call.receive(e.ModelLost("refused", "none"), NOW + 2.6)
    assert orders(commands, c.OpenModel)
    assert call.setup.agent == "shop"
    speaks(call, commands, NOW + 3, "r7")
    (transfer,) = call.record(NOW + 4).transfers
    assert transfer.outcome == "failed"
    # Its own session is replaced like any other afterwards.
    commands = call.receive(e.ModelLost("broken"), NOW + 5)
    assert orders(commands, c.OpenModel) and call.setup.agent == "shop"


def test_a_session_that_is_lost_after_the_other_agent_has_spoken_is_replaced_by_another() -> None:
    call = talking()
    asks(call, NOW + 2)
    speaks(call, brought(call, NOW + 2.1), NOW + 2.5, "r7")
    call.receive(e.ModelLost("broken"), NOW + 5)
    assert call.setup.agent == "billing"
    assert call.record(NOW + 6).transfers[0].outcome == "taken"


def test_a_session_that_does_not_answer_in_time_gives_the_call_back_and_fills_the_time() -> None:
    call = talking()
    asks(call, NOW + 2)
    played = orders(brought(call, NOW + 2.1), c.PlayPrepared)
    first: float | None = None
    while (deadline := call.deadline) is not None and deadline < NOW + 20:
        commands = call.expire(deadline)
        found = orders(commands, c.PlayPrepared)
        first = first or (deadline if found else None)
        for each in found:
            call.receive(e.PreparedAudio(each.item_id, "", 2000, "One moment."), deadline)
            played.append(each)
        if orders(commands, c.OpenModel):
            break
    assert call.setup.agent == "shop"
    assert first is not None and first - NOW - 2.1 < 1.0
    assert len(played) >= 3


def test_an_agent_that_is_missing_leaves_the_call_where_it_is() -> None:
    call = talking()
    asks(call, NOW + 2)
    commands = call.receive(e.AgentRefused("billing"), NOW + 2.2)
    (answer,) = orders(commands, c.SendToolOutput)
    assert "not available" in answer.output
    assert call.setup.agent == "shop" and not call.record(NOW + 3).transfers
    # News that nobody waits for changes nothing.
    assert call.receive(e.AgentRefused("billing"), NOW + 3) == []
    assert brought(call, NOW + 3) == []


def test_the_caller_is_owed_something_while_the_other_agent_is_looked_up() -> None:
    call = talking()
    asks(call, NOW + 2)
    assert call.deadline is not None and call.deadline < NOW + 3.3


@pytest.mark.parametrize("agent", ["bank", ""])
def test_an_agent_that_does_not_exist_is_refused(agent: str) -> None:
    call = talking()
    (answer,) = orders(asks(call, NOW + 2, agent), c.SendToolOutput)
    assert "agents: billing" in answer.output


def test_an_agent_without_colleagues_has_none() -> None:
    call = talking()
    call.conversation.setup = CallSetup(agent="shop")
    (answer,) = orders(asks(call, NOW + 2), c.SendToolOutput)
    assert "agents: none" in answer.output


def test_a_second_request_is_refused_while_the_first_runs() -> None:
    call = talking()
    asks(call, NOW + 2)
    (answer,) = orders(asks(call, NOW + 2.1, call_id="t2"), c.SendToolOutput)
    assert "about to go elsewhere" in answer.output


def test_two_agents_do_not_send_a_caller_to_and_fro_forever() -> None:
    call = talking()
    at = NOW + 2
    for number in range(10):
        asks(call, at, "billing" if number % 2 == 0 else "shop", f"t{number}")
        shop = CallSetup(agent="shop", colleagues=("billing",))
        commands = brought(call, at + 0.1, BILLING if number % 2 == 0 else shop)
        speaks(call, commands, at + 0.2, f"s{number}")
        at += 2
    (answer,) = orders(asks(call, at, "billing", "t99"), c.SendToolOutput)
    assert "too often" in answer.output


def test_what_the_first_agent_says_is_heard_to_its_end() -> None:
    call = talking()
    call.receive(e.ResponseStarted("r3"), NOW + 2)
    call.receive(e.ModelAudio("r3", "i3", "", 16000), NOW + 2)
    arguments = '{"agent": "billing"}'
    call.receive(e.ToolCallRequested("t1", "transfer_to_agent", arguments, "r3"), NOW + 2.1)
    commands = brought(call, NOW + 2.2)
    assert not orders(commands, c.ClearAudio)
    # The opening waits for nothing but the sound before it.
    assert call.conversation.playout.playing()


def test_a_caller_who_speaks_meanwhile_is_heard_by_the_other_agent() -> None:
    call = talking()
    asks(call, NOW + 2)
    call.receive(e.CallerSpeechStarted("u1"), NOW + 2.05)
    commands = brought(call, NOW + 2.1)
    assert orders(commands, c.OpenModel)
    assert not call.conversation.requests.caller_speaking


def test_a_caller_who_is_gone_changes_no_agent() -> None:
    call = talking()
    asks(call, NOW + 2)
    call.receive(e.StreamStopped("MZ1", "stop"), NOW + 2.05)
    assert orders(brought(call, NOW + 2.1), c.OpenModel) == []
    assert call.receive(e.AgentRefused("billing"), NOW + 2.2) == []


def test_an_agent_refused_after_the_stream_was_lost_is_not_told() -> None:
    call = talking()
    asks(call, NOW + 2)
    call.receive(e.StreamStopped("MZ1", "stop"), NOW + 2.05)
    assert call.receive(e.AgentRefused("billing"), NOW + 2.2) == []


def test_a_caller_who_went_to_a_human_before_the_agent_spoke_comes_back_to_that_agent() -> None:
    call = talking()
    asks(call, NOW + 2)
    brought(call, NOW + 2.1)
    assert call.conversation.before is not None
    call.receive(e.HandoffRequested("desk", "a person"), NOW + 2.2)
    for _ in range(40):
        if (deadline := call.deadline) is None or call.phase.value == "handing off":
            break
        call.expire(deadline)
        call.receive(e.TargetsChecked(1), deadline)
    assert call.phase.value == "handing off"
    assert call.conversation.before is None
    assert call.setup.agent == "billing"
