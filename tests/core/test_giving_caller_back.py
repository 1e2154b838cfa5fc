"""A human gives the caller back, by a key or by hanging up, or a supervisor takes them back."""

from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.caller_leg.states import CallerLegState
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    ConnectAgent,
    EndLeg,
    HangUp,
    Hold,
    JoinRoom,
    MoveCall,
    RingHuman,
    Screen,
    Speak,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase

from .test_bridging import BEN, answer, warm


def test_a_human_gives_the_caller_back_with_star_and_two(scene: Any) -> None:
    line = scene(warm()).met()
    for _ in range(2):
        assert answer(line.human("left")) == (Screen(1, 0, prompts.PARTING, "parting"),)
        assert line.call.handoff.state is HandoffState.PARTING
    assert answer(line.asks(2, "room")) == (Hold(3, prompts.ON_HOLD),)
    assert answer(line.human("parting", "2")) == (Speak(prompts.GIVEN_BACK), HangUp())
    assert answer(line.asks(3, "hold")) == (ConnectAgent(4),)
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line(e.CallCompleted())
    assert [each.outcome for each in line.record.handoffs] == ["bridged"]


def test_a_human_who_says_nothing_has_given_the_caller_back(scene: Any) -> None:
    line = scene(warm()).met()
    line.human("left")
    line.human("parting", "")
    assert answer(line.asks(2, "room")) == (ConnectAgent(3),)


def test_a_human_who_hangs_up_instead_of_pressing_a_key_keeps_no_caller_on_hold(
    scene: Any,
) -> None:
    line = scene(warm()).met()
    line.human("left")
    line.asks(2, "room")
    line.news("completed")
    line.log.clear()
    line.wait(2.5)
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(4),)


def test_a_human_who_presses_one_talks_on(scene: Any) -> None:
    line = scene(warm()).met()
    line.asks(2, "room")
    line.human("left")
    assert answer(line.human("parting", "1")) == (JoinRoom("CA1", 1, leg=0),)
    assert answer(line.human("parting", "1")) == (JoinRoom("CA1", 1, leg=0),), "twice"
    assert answer(line.asks(3, "hold")) == (JoinRoom("CA1", 1, 4),)
    line(e.RoomChanged(1, "started"))
    assert line.call.phase is Phase.WITH_HUMAN


def talks_on(scene: Any) -> Any:
    """The human has left the room and is on the way back to it, and so is the caller."""
    line = scene(warm()).met()
    line.human("left")
    line.asks(2, "room")
    line.human("parting", "1")
    line.asks(3, "hold")
    return line


def test_a_human_who_is_gone_on_the_way_back_has_talked_with_the_caller(scene: Any) -> None:
    line = talks_on(scene)
    assert line.news("completed") == []
    commands = line.wait(2.1)
    assert [type(each) for each in commands] == [CloseModel, MoveCall], "nobody else is rung"
    assert commands[-1].instructions == (HangUp(),)
    assert [each.outcome for each in line.call.handoff.attempts] == ["bridged"]


def test_a_caller_who_is_gone_on_the_way_back_has_talked_with_a_human(scene: Any) -> None:
    line = talks_on(scene)
    line(e.CallCompleted())
    assert [each.outcome for each in line.record.handoffs] == ["bridged"]
    assert line.record.disposition == "handed_off"


def test_a_caller_who_is_fetched_on_the_way_back_has_talked_with_a_human(scene: Any) -> None:
    line = talks_on(scene)
    commands = line(e.GiveBackRequested("anna"))
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(5),)
    assert EndLeg("CA-1-0") in commands
    assert [each.outcome for each in line.call.handoff.attempts] == ["bridged"]


def test_a_human_who_hangs_up_while_asked_has_given_the_caller_back(scene: Any) -> None:
    line = scene(warm()).met()
    line.human("left")
    line.asks(2, "room")
    line.news("completed")
    assert answer(line.asks(3, "hold")) == (ConnectAgent(4),)


def test_a_human_who_never_says_what_becomes_of_the_caller(scene: Any) -> None:
    line = scene(warm()).met()
    line.human("left")
    line.asks(2, "room")
    assert EndLeg("CA-1-0") in line.wait(20.1)
    assert line.sent(MoveCall)[-1].instructions == (ConnectAgent(4),)


def test_a_key_after_the_caller_is_gone_gives_nobody_back(scene: Any) -> None:
    line = scene(warm()).met()
    assert answer(line.human("parting", "2")) == (Speak(prompts.GIVEN_BACK), HangUp())
    assert line.call.handoff.state is HandoffState.WITH_HUMAN


def test_star_before_the_caller_is_there_is_hanging_up(scene: Any) -> None:
    line = scene(warm()).closed()
    commands = line.human("left")
    assert commands == [AnswerCarrier((HangUp(),))]
    assert RingHuman(2, 0, BEN, 20) in line.wait(2.1)


def test_star_where_nothing_is_given_back_is_hanging_up(scene: Any) -> None:
    line = scene(warm(give_back=False)).met()
    assert answer(line.human("left")) == (HangUp(),)
    assert answer(line.asks(2, "room")) == (HangUp(),)


def test_a_supervisor_gives_the_caller_back(scene: Any) -> None:
    line = scene(warm()).met()
    commands = line(e.GiveBackRequested("anna"))
    assert MoveCall(3, (ConnectAgent(3),), 2.0) in commands
    assert EndLeg("CA-1-0") in commands
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert line.call.phase is Phase.TALKING
    assert line(e.GiveBackRequested("anna")) == []


def test_a_supervisor_takes_back_a_caller_who_is_still_rung_for(scene: Any) -> None:
    line = scene().moved()
    commands = line(e.HandoffCancelled("anna"))
    assert MoveCall(3, (ConnectAgent(3),), 2.0) in commands
    assert [each.outcome for each in line.call.handoff.attempts] == ["cancelled"]


def test_giving_back_twice_changes_nothing(scene: Any) -> None:
    line = scene(warm()).met()
    line(e.GiveBackRequested("anna"))
    line.call.caller_leg._timer.enter(CallerLegState.WITH_HUMAN, line.now)
    line(e.GiveBackRequested("anna"))
    assert [each.outcome for each in line.call.handoff.attempts] == ["bridged"]
