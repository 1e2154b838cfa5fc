"""Moves that the carrier says it did not make, or not in time, and makes all the same.

Each is a walk of `test_walks.py` in which a caller was left alone, told step by step.
"""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    CloseStream,
    ConnectAgent,
    EndLeg,
    JoinRoom,
    MoveCall,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

from .test_walks import PLANS, walk

WARM = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm")


def test_a_caller_of_whom_rest_denies_that_they_were_moved_meets_the_human(scene: Any) -> None:
    line = scene(WARM).closed()
    line(e.CarrierRefused(2, 500))
    line(e.RoomChanged(1, "started"))
    assert line.call.phase is Phase.WITH_HUMAN
    line.log.clear()
    line.wait(600.0)
    assert not line.sent(MoveCall) + line.sent(CloseStream), "they talk, and nobody moves them"
    assert not line.sent(EndLeg)


def test_a_move_to_the_room_is_tried_for_as_long_as_it_may_have_been_made(scene: Any) -> None:
    line = scene(WARM).closed()
    for _ in range(6):
        line.wait(7.5)
        line(e.CarrierRefused(2, 500))
    assert line.call.handoff.state is HandoffState.BRIDGING, (
        "not given up, and not believed to be there"
    )
    assert line.call.handoff.legs.taken is not None
    assert line.sent(MoveCall)[-1].instructions == (JoinRoom("CA1", 1, 2),)


def test_only_a_stream_of_the_newest_step_ends_the_wait_for_its_move(scene: Any) -> None:
    line = scene(WARM).met()
    moves = [each for each in line(e.GiveBackRequested("anna")) if isinstance(each, MoveCall)]
    assert moves == [MoveCall(3, (ConnectAgent(3),), 2.0)]
    line(e.StreamStarted("MZ2", 2))
    assert line.call.phase is Phase.TALKING
    assert line.wait(2.3) == [CloseStream()], "REST has not answered: the other road"
    line(e.StreamStarted("MZ3", 3))
    assert CloseStream() not in line.wait(9.0), "the caller is where they were to be"


def test_a_stream_that_a_late_move_has_ended_is_opened_again(scene: Any) -> None:
    line = scene(WARM).closed()
    line.wait(2.3)
    line.asks(1)
    line(e.GiveBackRequested("anna"))
    line.asks(2, "room")
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line(e.CallMoved(2))
    stopped = line(e.StreamStopped("MZ2", "stop"))
    assert MoveCall(3, (ConnectAgent(3),), 2.0) in stopped


def test_the_second_of_two_requests_for_one_move_may_be_carried_out_late(scene: Any) -> None:
    plan = HandoffPlan(targets=WARM.targets, manner="warm", afterwards="return")
    line = scene(plan).closed()
    line(e.CarrierRefused(2, 500))
    line.wait(5.0)
    assert line.sent(MoveCall)[-1].step == 2, "REST is asked again"
    line.human("left")
    assert line.asks(2, "room")[-1] == AnswerCarrier((ConnectAgent(3),))
    assert line(e.CallMoved(2)) == [MoveCall(3, (ConnectAgent(3),), 2.0)]


def test_a_human_who_leaves_while_rest_does_not_answer_leaves_no_silent_caller(scene: Any) -> None:
    """The line has been still since the closing line: REST is not waited for a second time. What
    it was asked for may still happen, and is undone then."""
    line = scene(WARM).closed()
    line.news("completed")
    line.log.clear()
    line.wait(2.1)
    assert line.sent(CloseStream) and not line.sent(MoveCall)
    (answered,) = line.asks(1)
    assert answered == AnswerCarrier((ConnectAgent(3),))
    assert line(e.CallMoved(2)) == [MoveCall(3, (ConnectAgent(3),), 2.0)]
    assert line(e.StreamStopped("MZ1", "stop")) == []


def test_a_human_who_left_before_the_event_of_the_bridge_has_left(scene: Any) -> None:
    line = scene(WARM).closed()
    line.wait(2.3)
    line.asks(1)
    line.human("left")
    line(e.CallMoved(2))
    line(e.RoomChanged(1, "started"))
    line.log.clear()
    line.wait(2.1)
    assert line.sent(MoveCall), "the caller is not left alone in the room"
    assert line.call.handoff.attempts[-1].outcome == "bridged"


@pytest.mark.random
@pytest.mark.parametrize(
    ("seed", "plan"),
    [
        (10158, "warm, whoever answers"),
        (12167, "warm hunt"),
        (12958, "consult"),
        (13849, "warm, ends"),
        (40008, "warm, whoever answers"),
        (41045, "warm, whoever answers"),
        (41572, "warm hunt"),
        (43789, "warm ring"),
    ],
)
def test_recorded_walks_with_a_caller_alone_end_every_call(seed: int, plan: str) -> None:
    walk(seed, PLANS[plan])
