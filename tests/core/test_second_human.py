"""Of a ring group the first human who accepts has the call; if they are gone before they have met
the caller, the second one has it."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    Bridge,
    CancelResponse,
    EndLeg,
    HangUp,
    JoinRoom,
    MoveCall,
    RingHuman,
    Screen,
    Speak,
)
from hookflash.core.handoff.legs import LegState
from hookflash.core.handoff.limits import WAIT_SECONDS
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

ANNA, BEN, CLEO = (Target.phone(f"+1555010{number}") for number in (2, 3, 4))
A_BIT = 0.1
THANKS = (Speak(prompts.TAKEN), HangUp())


def waits(leg: int) -> tuple[Screen]:
    return (Screen(1, leg, prompts.ON_HOLD, seconds=WAIT_SECONDS),)


def answer(commands: list[Any]) -> tuple[Any, ...]:
    (found,) = [each for each in commands if isinstance(each, AnswerCarrier)]
    return found.instructions


def outcomes(line: Any) -> list[tuple[str, int | None]]:
    return [(each.outcome, each.target) for each in line.call.handoff.attempts]


def state(line: Any) -> HandoffState:
    return line.call.handoff.state  # type: ignore[no-any-return]


# --- legs that were placed --------------------------------------------------------------------


def placed(scene: Any, *answered: int, **plan: Any) -> Any:
    """Three humans are rung; these have answered, and hear who calls."""
    targets = (ANNA, BEN, CLEO)
    line = scene(HandoffPlan(targets=targets, manner="warm", order="ring", **plan))
    line.accompanied()
    for leg in (1, 2):
        line.placed(leg=leg)
    for leg in answered:
        line.human("answered", leg=leg)
    return line


def closing(line: Any, item: str = "closing") -> None:
    """The closing line is said and heard."""
    line.say(item, f"r-{item}", 800, asked=True)
    line.now += 0.8
    line.returned()


def test_who_rings_is_let_go_at_once_and_who_has_answered_when_both_have_met(scene: Any) -> None:
    line = placed(scene, 0, 1)
    commands = line.human("pressed", "1", leg=0)
    assert EndLeg("CA-1-2") in commands
    assert EndLeg("CA-1-1") not in commands
    closing(line)
    assert EndLeg("CA-1-1") in line(e.RoomChanged(1, "started"))
    assert outcomes(line) == [("cancelled", 2), ("cancelled", 1)]
    assert line.call.handoff.legs.live == [line.call.handoff.legs.taken]


def test_who_accepts_second_waits_and_is_thanked_when_both_have_met(scene: Any) -> None:
    line = placed(scene, 0, 1)
    assert answer(line.human("pressed", "1", leg=0)) == (JoinRoom("CA1", 1, leg=0),)
    assert answer(line.human("pressed", "1", leg=1)) == waits(1)
    line.now += WAIT_SECONDS + A_BIT
    assert answer(line.human("pressed", "", leg=1)) == waits(1)
    closing(line)
    met = line(e.RoomChanged(1, "started"))
    assert EndLeg("CA-1-1") not in met, "its end is in the next answer"
    assert answer(line.human("pressed", "", leg=1)) == THANKS
    line.news("completed", leg=0)
    line.asks(line.call.caller_leg.route.step, "room")
    assert outcomes(line)[-1] == ("bridged", 0)


@pytest.mark.parametrize("heard", [False, True], ids=["closing line due", "caller on the way"])
def test_the_second_has_the_call_if_the_first_is_gone_before_the_caller_is_there(
    scene: Any, heard: bool
) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    if heard:
        closing(line)
        assert state(line) is HandoffState.BRIDGING
    line.news("completed", leg=0)
    assert state(line) is HandoffState.SCREENING
    if not heard:
        # The closing line is not said for the first any more.
        assert CancelResponse("r-1") in line(e.ResponseStarted("r-1", line.request_ids[-1]))
        line(e.ResponseEnded("r-1", "cancelled"))
    assert answer(line.human("pressed", "", leg=1)) == (JoinRoom("CA1", 1, leg=1),)
    assert line.sent(RingHuman)[3:] == [], "nobody is rung anew"
    line(e.RoomChanged(1, "joined", "CA-1-1"))
    if not heard:
        assert state(line) is HandoffState.CLOSING
        closing(line, "closing-2")
    assert state(line) is HandoffState.BRIDGING
    line(e.RoomChanged(1, "started"))
    assert line.call.phase is Phase.WITH_HUMAN
    line.news("completed", leg=1)
    line.asks(line.call.caller_leg.route.step, "room")
    assert outcomes(line) == [("cancelled", 2), ("human-gone", 0), ("bridged", 1)]
    assert line.call.record(line.now).disposition == "handed_off"


def test_a_caller_whose_room_was_that_of_the_first_waits_there_for_the_second(scene: Any) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    closing(line)
    step = line.call.caller_leg.route.step
    line(e.CallMoved(step))
    line(e.StreamStopped("MZ1", "stop"))
    line.news("completed", leg=0)
    assert answer(line.asks(step, "room")) == (JoinRoom("CA1", 1, step + 1),)
    line.human("pressed", "", leg=1)
    line(e.RoomChanged(1, "joined", "CA-1-1"))
    line(e.RoomChanged(1, "started"))
    assert line.call.phase is Phase.WITH_HUMAN


def test_if_the_news_that_the_second_came_is_lost_they_are_taken_for_there(scene: Any) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    line.news("completed", leg=0)
    line.human("pressed", "", leg=1)
    line.wait(WAIT_SECONDS + 10.0)
    assert state(line) is HandoffState.CLOSING


def test_who_only_listens_when_the_first_is_gone_is_asked_on(scene: Any) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.news("completed", leg=0)
    assert state(line) is HandoffState.SCREENING
    assert line.sent(MoveCall) == []
    assert answer(line.human("pressed", "1", leg=1)) == (JoinRoom("CA1", 1, leg=1),)
    assert state(line) is HandoffState.CLOSING  # type: ignore[comparison-overlap]


def test_who_only_listens_and_then_declines_too_leaves_nobody(scene: Any) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.news("completed", leg=0)
    line.human("pressed", "2", leg=1)
    assert state(line) is HandoffState.IDLE
    assert outcomes(line) == [("cancelled", 2), ("human-gone", 0), ("declined", 1)]


def test_of_two_who_wait_the_one_who_has_waited_for_longer_comes(scene: Any) -> None:
    line = placed(scene, 0, 1, 2)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=2)
    line.now += 1.0
    line.human("pressed", "1", leg=1)
    line.now += 1.0
    line.human("pressed", "", leg=2)
    line.news("completed", leg=0)
    legs = line.call.handoff.legs
    assert [legs.find(1, leg).state for leg in (1, 2)] == [LegState.WAITING, LegState.JOINING]
    line.news("completed", leg=2)
    assert legs.find(1, 1).state is LegState.JOINING, "and then the other one"
    assert outcomes(line) == [("human-gone", 0), ("failed", 2)]
    assert answer(line.human("pressed", "", leg=1)) == (JoinRoom("CA1", 1, leg=1),)


def test_who_accepts_while_the_second_is_on_the_way_waits_too(scene: Any) -> None:
    line = placed(scene, 0, 1, 2)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    line.news("completed", leg=0)
    assert answer(line.human("pressed", "1", leg=2)) == waits(2)
    line.human("pressed", "", leg=1)
    line(e.RoomChanged(1, "joined", "CA-1-1"))
    assert state(line) is HandoffState.CLOSING


@pytest.mark.parametrize("how", ["presses 2", "hangs up"])
def test_who_waits_may_leave(scene: Any, how: str) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    if how == "hangs up":
        line.news("completed", leg=1)
    else:
        assert answer(line.human("pressed", "2", leg=1)) == (HangUp(),)
    assert state(line) is HandoffState.CLOSING
    line.news("completed", leg=0)
    assert state(line) is HandoffState.IDLE  # type: ignore[comparison-overlap]
    assert [name for name, _ in outcomes(line)][-1] == "human-gone"


def test_a_caller_who_is_gone_leaves_nobody_waiting(scene: Any) -> None:
    line = placed(scene, 0, 1, 2)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    ends = line(e.CallCompleted())
    assert {each.leg_sid for each in ends if isinstance(each, EndLeg)} == {
        "CA-1-0",
        "CA-1-1",
        "CA-1-2",
    }
    assert answer(line.human("pressed", "", leg=1)) == (Speak(prompts.NO_CALLER), HangUp())


def test_a_first_who_leaves_after_they_have_met_is_followed_by_nobody(scene: Any) -> None:
    line = placed(scene, 0, 1)
    line.human("pressed", "1", leg=0)
    line.human("pressed", "1", leg=1)
    closing(line)
    line(e.RoomChanged(1, "started"))
    line.news("completed", leg=0)
    assert answer(line.human("pressed", "", leg=1)) == THANKS
    assert state(line) is HandoffState.WITH_HUMAN


def test_the_agent_announces_the_caller_to_one_human_only(scene: Any) -> None:
    """In a consult the agent talks with each: who has not decided is let go at once."""
    line = scene(HandoffPlan(targets=(ANNA, BEN), manner="consult", order="ring"))
    line.reach()
    for leg in (0, 1):
        line.placed(leg=leg)
        line.human("answered", leg=leg)
    assert EndLeg("CA-1-1") in line(e.ConsultDecided("CA-1-0", "connect"))


# --- legs that the caller's own leg has dialled -----------------------------------------------


def dialled(scene: Any) -> Any:
    """Two humans have answered on the legs that the carrier dials, and hear who calls."""
    plan = HandoffPlan(targets=(ANNA, BEN), accept="press-1", order="ring")
    line = scene(plan).moved()
    for leg in (0, 1):
        line(e.LegChanged(f"CA-1-{leg}", "answered", 2))
        line.human("answered", leg=leg)
    assert answer(line.human("pressed", "1", leg=0)) == (Bridge(),)
    return line


def test_a_second_on_a_dialled_leg_waits_and_has_the_call_if_they_are_asked_again(
    scene: Any,
) -> None:
    """The carrier would have ended the second leg if it had bridged the first."""
    line = dialled(scene)
    assert answer(line.human("pressed", "1", leg=1)) == waits(1)
    assert answer(line.human("pressed", "1", leg=1)) == waits(1), "a webhook that comes twice"
    line.now += WAIT_SECONDS + A_BIT
    assert answer(line.human("pressed", "", leg=1)) == (Bridge(),)
    assert answer(line.human("pressed", "", leg=1)) == (Bridge(),), "asked twice"
    line.asks(2, "dial", "bridged")
    assert outcomes(line) == [("human-gone", 0), ("bridged", 1)]
    assert line.call.handoff.attempts[-1].seconds_to_human >= WAIT_SECONDS


def test_where_the_first_is_known_to_be_gone_the_second_has_the_call_at_once(scene: Any) -> None:
    line = dialled(scene)
    line(e.LegChanged("CA-1-0", "completed", 2))
    assert answer(line.human("pressed", "1", leg=1)) == (Bridge(),)
    line.asks(2, "dial", "bridged")
    assert outcomes(line) == [("human-gone", 0), ("bridged", 1)]


def test_where_nobody_follows_the_first_the_caller_is_back_and_the_agent_knows(scene: Any) -> None:
    line = dialled(scene)
    line(e.LegChanged("CA-1-0", "completed", 2))
    assert line.human("pressed", "2", leg=1) == [AnswerCarrier((HangUp(),))]
    line.asks(2, "dial", "no-answer")
    assert outcomes(line) == [("human-gone", 0)]
    assert line.call.phase is Phase.RINGING


def test_the_end_of_a_talk_on_a_dialled_leg_is_no_news_of_a_second(scene: Any) -> None:
    line = dialled(scene)
    assert line(e.LegChanged("CA-1-1", "completed", 2)) == []
    line.now += 60.0
    assert line(e.LegChanged("CA-1-0", "completed", 2)) == []
    line.asks(2, "dial", "bridged")
    assert outcomes(line) == [("bridged", 0)]
    assert line.call.phase is Phase.ENDING
