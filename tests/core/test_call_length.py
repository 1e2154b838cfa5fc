"""A call that has reached its longest time: the caller is told, and the agent says goodbye."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AddMessage,
    CancelResponse,
    HangUp,
    LimitCall,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
)
from hookflash.core.conversation.call_length import CallLength
from hookflash.core.conversation.limits import (
    CARRIER_LIMIT_SECONDS,
    LENGTH_LIMITS,
    LENGTH_NOTICE_SECONDS,
    LONGEST_CARRIER_LIMIT_SECONDS,
)
from hookflash.core.conversation.states import LengthState
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import Consult

from .times import FILLS

LONGEST = 600.0
A_BIT = 0.5
GRACE = LENGTH_LIMITS[LengthState.OVER].seconds  # type: ignore[union-attr]
KNOWN, SAY = prompts.almost_over(60)
WARNING = [AddMessage(Message("system", KNOWN)), RequestResponse(SAY, "none")]
GOODBYE = RequestResponse(prompts.TIME_OVER, "none")
WARM = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm")


def greeted(scene: Any, plan: HandoffPlan | None = None, **setup: Any) -> Any:
    """A call with a limit of ten minutes, of which the greeting has taken a second."""
    return scene(plan, **({"max_call_seconds": LONGEST} | setup)).greet()


def warned(scene: Any, plan: HandoffPlan | None = None) -> Any:
    """A call of nine minutes whose caller was told that it ends."""
    line = greeted(scene, plan)
    line.wait(LONGEST - LENGTH_NOTICE_SECONDS - 1.0 + A_BIT)
    heard(line, "warning")
    return line


def heard(line: Any, item: str, ms: int = 1000) -> list[Any]:
    """The model says what it was asked for, and it is heard."""
    line.say(item, f"r-{item}", ms, asked=True)
    line.now += ms / 1000
    return line.returned()  # type: ignore[no-any-return]


def rung(scene: Any) -> Any:
    """A human is rung five seconds before the time is over."""
    line = warned(scene, WARM)
    line.wait(LENGTH_NOTICE_SECONDS - 5.0)
    line(e.ResponseStarted("r-transfer"))
    line.transfer()
    line(e.ResponseEnded("r-transfer", "completed"))
    line.placed()
    heard(line, "company", 500)
    return line


def state(line: Any) -> LengthState:
    return line.call.conversation.length.state  # type: ignore[no-any-return]


def requests(line: Any) -> list[str | None]:
    return [each.instructions for each in line.sent(RequestResponse)]


def limits(line: Any) -> list[int]:
    return [each.seconds for each in line.sent(LimitCall)]


# --- the agent ends it ------------------------------------------------------------------------


def test_a_caller_is_told_before_the_time_is_over(scene: Any) -> None:
    line = greeted(scene)
    assert line.wait(LONGEST - LENGTH_NOTICE_SECONDS - 1.0 - A_BIT) == []
    assert line.wait(2 * A_BIT) == WARNING
    assert "one minute left" in SAY


def test_when_it_is_over_the_agent_says_goodbye_and_the_call_ends(scene: Any) -> None:
    line = warned(scene)
    assert line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT) == []
    assert line.wait(2 * A_BIT) == [GOODBYE]
    assert line.sent(MoveCall) == []
    heard(line, "goodbye")
    assert line.sent(MoveCall)[-1].instructions == (HangUp(),)
    assert line.call.phase is Phase.ENDING
    line(e.CallCompleted())
    assert line.record.disposition == "time_limit"


def test_without_a_limit_nothing_of_it_happens(scene: Any) -> None:
    line = scene().greet()
    line.wait(20_000.0)
    assert limits(line) == []
    assert len(requests(line)) == 1, "the greeting"


def test_a_short_call_is_warned_of_when_half_of_it_is_over(scene: Any) -> None:
    line = greeted(scene, max_call_seconds=80.0)
    assert line.wait(39.0 - A_BIT) == []
    known, say = prompts.almost_over(40)
    assert line.wait(2 * A_BIT) == [
        AddMessage(Message("system", known)),
        RequestResponse(say, "none"),
    ]
    assert "40 seconds" in say


def test_a_caller_cannot_take_the_goodbye_back(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS)
    line.say("goodbye", "r-goodbye", 2000, asked=True)
    line.speaks()
    line.now += 2.0
    line.returned()
    assert line.call.phase is Phase.ENDING


def test_the_agent_ends_its_sentence_first(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line.say("story", "r-story", 9000)
    line.wait(8.9)
    assert prompts.TIME_OVER not in requests(line)
    line.now += 0.2
    assert line.returned() == [GOODBYE]
    heard(line, "goodbye")
    assert line.call.phase is Phase.ENDING


def test_what_the_agent_has_not_begun_is_not_said(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line(e.ResponseStarted("r-thinks"))
    commands = line.wait(2 * A_BIT)
    assert CancelResponse("r-thinks") in commands
    assert line(e.ResponseEnded("r-thinks", "cancelled"))[-1:] == [GOODBYE]


def test_a_caller_who_waits_for_an_answer_waits_no_longer_for_the_goodbye(scene: Any) -> None:
    """The goodbye replaces the answer: what the caller is owed has been owed since their turn."""
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - FILLS)
    line.speaks()
    line.pauses()
    line(e.ResponseStarted("r-thinks"))
    assert line.wait(FILLS - A_BIT)[-1:] == [CancelResponse("r-thinks")]
    assert line.fetched == []
    line.wait(1.5 * A_BIT)
    assert line.fetched == ["filler"]
    line.prepared(1000)
    assert line(e.ResponseEnded("r-thinks", "cancelled")) == []
    line.now += 1.0
    assert line.returned() == [GOODBYE], "a filler does not replace a goodbye that can be said"
    heard(line, "goodbye")
    assert line.call.phase is Phase.ENDING


def test_the_caller_may_end_their_sentence(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line.speaks()
    line.wait(5.0)
    assert state(line) is LengthState.OVER
    assert prompts.TIME_OVER not in requests(line)
    line.pauses()
    assert state(line) is LengthState.GOODBYE
    assert GOODBYE in line.wait(1.0)


def test_a_caller_who_does_not_end_their_sentence_hears_the_goodbye_all_the_same(
    scene: Any,
) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line.speaks()
    line.wait(GRACE - A_BIT)
    assert prompts.TIME_OVER not in requests(line)
    assert GOODBYE in line.wait(3 * A_BIT)


def test_a_caller_who_speaks_again_at_once_is_waited_for(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line.speaks()
    line.wait(5.0)
    line.pauses()
    line.speaks("c2")
    line.wait(1.0)
    assert state(line) is LengthState.OVER
    assert prompts.TIME_OVER not in requests(line)
    line.pauses("c2")
    assert GOODBYE in line.wait(1.0)


def test_nobody_who_says_goodbye_already_is_told(scene: Any) -> None:
    line = greeted(scene)
    line.wait(LONGEST - LENGTH_NOTICE_SECONDS - 1.0 - A_BIT)
    line(e.HangUpRequested())
    line.wait(2 * A_BIT)
    assert SAY not in requests(line)
    assert state(line) is LengthState.WARNED


def test_the_goodbye_is_said_by_a_session_that_is_there(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line(e.ModelLost("gone"))
    line.wait(2 * A_BIT)
    assert state(line) is LengthState.OVER
    line(e.ModelReady("S2"))
    assert GOODBYE in line.wait(1.0)


def test_a_call_whose_stream_breaks_when_it_is_over_ends_on_the_next_one(scene: Any) -> None:
    line = warned(scene)
    line.wait(LENGTH_NOTICE_SECONDS - 1.0 - 2 * A_BIT)
    line(e.StreamStopped("MZ1"))
    line.asks(1)
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    heard(line, "back", 300)
    line.wait(1.0)
    assert GOODBYE in line.sent(RequestResponse)


# --- where the caller is not with the agent ---------------------------------------------------


def test_the_limit_does_not_apply_to_the_talk_with_a_human(scene: Any) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm", afterwards="return")
    line = scene(plan, max_call_seconds=LONGEST).met()
    assert state(line) is LengthState.OFF
    assert line.wait(3 * LONGEST) == []
    line.news("completed")
    line.asks(line.call.caller_leg.route.step, "room")
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    heard(line, "back")
    assert state(line) is LengthState.RUNNING
    line.wait(LONGEST - LENGTH_NOTICE_SECONDS - 10.0)
    assert SAY not in requests(line)
    line.wait(10.0)
    assert SAY in requests(line)
    heard(line, "warning")
    line.wait(LENGTH_NOTICE_SECONDS)
    assert GOODBYE in line.sent(RequestResponse)


def test_a_human_who_is_rung_is_waited_for(scene: Any) -> None:
    line = rung(scene)
    line.news("ringing")
    line.wait(10.0)
    assert state(line) is LengthState.OVER
    line.wait(GRACE)
    assert state(line) is LengthState.LATE  # type: ignore[comparison-overlap]
    assert prompts.TIME_OVER not in requests(line)
    line.human("answered")
    line.human("pressed", "1")
    assert line.call.handoff.state is HandoffState.CLOSING


def test_if_nobody_takes_the_call_the_agent_says_so_and_then_goodbye(scene: Any) -> None:
    line = rung(scene)
    line.wait(6.0)
    assert state(line) is LengthState.OVER
    line.news("completed", "busy")
    line.wait(1.0)
    assert "could not reach billing" in (requests(line)[-1] or "")
    heard(line, "back", 900)
    line.wait(1.0)
    assert requests(line)[-1] == prompts.TIME_OVER


def test_a_caller_who_is_asked_on_when_a_human_is_rung_hears_no_warning(scene: Any) -> None:
    line = greeted(scene, WARM)
    line.wait(LONGEST - LENGTH_NOTICE_SECONDS - 1.0 - A_BIT)
    line(e.ResponseStarted("r-transfer"))
    line.transfer()
    line(e.ResponseEnded("r-transfer", "completed"))
    line.wait(2 * A_BIT)
    assert SAY not in requests(line)
    assert state(line) is LengthState.WARNED


def test_the_talk_with_a_human_belongs_to_the_callers_call(scene: Any) -> None:
    consult = Consult(parent_sid="CA0", wave=1, leg=0, destination="billing", briefing="x")
    line = greeted(scene, consult=consult)
    assert limits(line) == []
    assert state(line) is LengthState.OFF


# --- the carrier's own limit ------------------------------------------------------------------


def test_the_carrier_is_given_a_limit_that_is_later_than_the_goodbye(scene: Any) -> None:
    line = greeted(scene)
    (limit,) = limits(line)
    most = GRACE + 60.0 + 2.0
    assert LONGEST + most < limit < LONGEST + 180.0


def test_the_carriers_limit_is_removed_for_a_human_and_set_again_afterwards(
    scene: Any,
) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm", afterwards="return")
    line = scene(plan, max_call_seconds=LONGEST).met()
    assert limits(line)[1:] == [CARRIER_LIMIT_SECONDS]
    line.wait(1000.0)
    line.news("completed")
    line.asks(line.call.caller_leg.route.step, "room")
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert len(limits(line)) == 3
    lasted = line.now - line.call.info.arrived_at
    assert limits(line)[2] > lasted + LONGEST - 10.0


def test_a_stream_that_is_replaced_soon_needs_no_other_limit() -> None:
    length = CallLength(LONGEST)
    assert len(length.resume(100.0, 0.0)) == 1
    length.pause(110.0)
    assert length.resume(112.0, 12.0) == []
    length.pause(120.0)
    (later,) = length.resume(300.0, 200.0)
    assert later.seconds > 200.0 + LONGEST - 18.0


def test_a_limit_that_was_lifted_is_not_lifted_again_and_none_is_not_lifted() -> None:
    length = CallLength(LONGEST)
    assert length.lift_limit() == []
    length.resume(100.0, 0.0)
    assert length.lift_limit() == [LimitCall(CARRIER_LIMIT_SECONDS)]
    assert length.lift_limit() == []
    assert CallLength(None).lift_limit() == []


@pytest.mark.parametrize("seconds", [5 * 3600.0, 24 * 3600.0])
def test_a_call_that_may_take_longer_than_twilios_own_limit_is_never_shortened(
    seconds: float,
) -> None:
    length = CallLength(seconds)
    (limit,) = length.resume(0.0, 0.0)
    assert seconds <= limit.seconds <= LONGEST_CARRIER_LIMIT_SECONDS
    assert length.lift_limit() == []


def test_only_time_with_the_agent_is_used() -> None:
    length = CallLength(LONGEST)
    length.resume(0.0, 0.0)
    length.resume(50.0, 50.0)
    assert length.left(60.0) == LONGEST - 60.0
    length.pause(100.0)
    length.pause(200.0)
    assert length.left(500.0) == LONGEST - 100.0
    length.resume(500.0, 500.0)
    assert length.left(501.0) == LONGEST - 101.0
    assert length.state is LengthState.RUNNING


def test_a_call_that_is_recovered_goes_on_with_the_rest_of_its_time(scene: Any) -> None:
    line = greeted(scene)
    line.wait(100.0)
    line(e.CallRecovered())
    assert state(line) is LengthState.OFF
    line.asks(1)
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert len(line.sent(OpenModel)) == 2
    assert line.call.conversation.length.left(line.now) == pytest.approx(LONGEST - 101.0)
