"""Keys that a tool presses: the leg leaves the stream for the tones, and comes back."""

from __future__ import annotations

from typing import Any

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.call import Call

from .test_changing_agents import NOW, orders, talking


def wanted(call: Call, at: float, press_id: str = "K1") -> list[Any]:
    return call.receive(e.KeysWanted(press_id, "1w2"), at)


def test_the_leg_leaves_for_the_tones_and_comes_back_to_a_session_that_knows_the_call() -> None:
    call = talking()
    commands = wanted(call, NOW + 2)
    (move,) = orders(commands, c.MoveCall)
    assert move.instructions == (c.PlayKeys("1w2"), c.ConnectAgent(2))
    (opened,) = orders(commands, c.OpenModel)
    assert "keys 1w2 were pressed" in opened.history[-1].text
    assert call.caller_leg.deadline is not None
    call.receive(e.StreamStopped("MZ1", "stop"), NOW + 2.1)
    assert orders(call.receive(e.ModelReady(), NOW + 2.4), c.RequestResponse) == []
    back = call.receive(e.StreamStarted("MZ2", 2), NOW + 4)
    assert orders(back, c.ReportKeys) == [c.ReportKeys("K1", True)]
    # The agent listens first: it asks for no words of its own.
    assert not orders(back, c.RequestResponse)


def test_the_agent_finishes_its_sentence_first() -> None:
    call = talking()
    call.receive(e.ResponseStarted("r2"), NOW + 2)
    sent = call.receive(e.ModelAudio("r2", "i2", "", 8000), NOW + 2)
    assert orders(wanted(call, NOW + 2.1), c.MoveCall) == []
    sent += call.receive(e.ModelAudioEnded("r2", "i2"), NOW + 2.2)
    sent += call.receive(e.ResponseEnded("r2", "completed"), NOW + 2.3)
    moved: list[Any] = []
    for mark in orders(sent, c.SendMark):
        moved += call.receive(e.MarkReturned(mark.name), NOW + 3)
    assert orders(moved, c.MoveCall)


def test_an_agent_that_speaks_on_does_not_hold_up_the_keys() -> None:
    call = talking()
    call.receive(e.ResponseStarted("r2"), NOW + 2)
    call.receive(e.ModelAudio("r2", "i2", "", 8000 * 30), NOW + 2)
    wanted(call, NOW + 2.1)
    assert not orders(call.expire(NOW + 7), c.MoveCall)
    assert orders(call.expire(NOW + 7.1), c.MoveCall)


def test_keys_are_refused_while_others_are_pressed_or_the_call_goes_elsewhere() -> None:
    call = talking()
    wanted(call, NOW + 2)
    assert wanted(call, NOW + 2.1, "K2") == [c.ReportKeys("K2", False)]
    ending = talking()
    ending.receive(e.HangUpRequested(), NOW + 2)
    assert c.ReportKeys("K1", False) in wanted(ending, NOW + 2.1)


def test_a_tool_is_told_if_the_call_ends_meanwhile() -> None:
    call = talking()
    wanted(call, NOW + 2)
    over = call.receive(e.CallCompleted(), NOW + 3)
    assert orders(over, c.ReportKeys) == [c.ReportKeys("K1", False)]


def test_a_tool_is_told_if_the_stream_is_lost_before_the_keys_are_pressed() -> None:
    call = talking()
    call.receive(e.ResponseStarted("r2"), NOW + 2)
    call.receive(e.ModelAudio("r2", "i2", "", 8000), NOW + 2)
    wanted(call, NOW + 2.1)
    lost = call.receive(e.StreamStopped("MZ1", "stop"), NOW + 2.2)
    assert orders(lost, c.ReportKeys) == [c.ReportKeys("K1", False)]


def test_a_recovered_call_presses_nothing_again() -> None:
    call = talking()
    wanted(call, NOW + 2)
    found = call.receive(e.CallRecovered(), NOW + 3)
    assert orders(found, c.ReportKeys) == [c.ReportKeys("K1", False)]
