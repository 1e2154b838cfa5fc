"""The caller and a human meet in a room, talk, and part again.

Functions of (call, event, now) that couple the machines. The human is in the room first. The room
is over when the human leaves it, and then the carrier asks what the caller's leg is to do, so that
no caller is ever alone in a room for long. Why the human has left is known a moment later, from
their own leg: it is over, or they pressed `*` and are asked whether to give the caller back. Until
then the caller is on hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import events as e
from hookflash.core import leaving, lines, reaching, talking
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    HangUp,
    Hold,
    Instruction,
    JoinRoom,
    RequestResponse,
    Screen,
    Speak,
)
from hookflash.core.handoff import Trigger
from hookflash.core.handoff_table import State
from hookflash.core.legs import Leg
from hookflash.core.phases import Phase

if TYPE_CHECKING:
    from hookflash.core.call import Call

MEET_SECONDS = 15.0
"""How long both may take to be in the room; the carrier's word that they are may be lost."""

ASK_SECONDS = 2.0
"""How soon the carrier asks for a caller whose human is gone, if they were in one room."""

NEWS_SECONDS = 6.0
"""How long the news of why a human has left may take."""

PART_SECONDS = 20.0
"""How long a human may take to say what becomes of the caller on hold."""


# --- to the human -----------------------------------------------------------------------------


def close(call: Call, now: float) -> list[AnyCommand]:
    """A human has accepted: the agent says one line, it is heard, and the caller is let in.

    A caller who waits in the room already meets the human there.
    """
    call.handoff.until = None
    call.handoff.comfort_at = None
    if call.phase not in (Phase.RINGING, Phase.TALKING):
        call.handoff.fire(Trigger.LET_IN)
        call.handoff.until = now + MEET_SECONDS
        return []
    call.farewell.begin("hand-off", spoke=False, now=now, own_line=True)
    call.floor.protected = True
    return [*talking.stop(call), *talking.after_heard(call, now)]


def let_in(call: Call, asked: leaving.Asked, now: float) -> list[AnyCommand]:
    """The closing line was heard: the caller goes where the human is."""
    call.handoff.fire(Trigger.LET_IN)
    call.handoff.until = now + MEET_SECONDS
    return leaving.bring(call, (reaching.waiting(call),), Phase.HANDING_OFF, asked, now)


def room_changed(call: Call, event: e.RoomChanged, now: float) -> list[AnyCommand]:
    """The room began: both are in it and hear each other."""
    if event.change != "started" or event.wave != call.handoff.wave:
        return []
    if call.handoff.state is State.BRIDGING and call.route.to_room:
        # The caller is there, whatever REST says of the move.
        call.route.asked()
    return _met(call, now)


def _met(call: Call, now: float) -> list[AnyCommand]:
    if call.handoff.state is State.BRIDGING and call.handoff.met(now):
        call.enter(Phase.WITH_HUMAN, now + leaving.TALK_SECONDS)
        if call.legs.taken is None:
            # The news is late: the human has left already, and the carrier asks for the caller.
            call.handoff.until = now + ASK_SECONDS
    return []


# --- the human leaves -------------------------------------------------------------------------


def human_gone(call: Call, leg: Leg, now: float) -> list[AnyCommand]:
    """The leg of the human who took the call is over."""
    match call.handoff.state:
        case State.CLOSING:
            call.farewell.end()
            call.floor.protected = False
        case State.BRIDGING:
            # If they had met already, the carrier asks for the caller now.
            call.handoff.until = now + ASK_SECONDS
            return []
        case State.WITH_HUMAN | State.PARTING:
            # The carrier asks for the caller now; if it does not, we do not wait for it.
            call.handoff.until = now + NEWS_SECONDS
            return []
        case _:
            return []
    call.handoff.keep("human-gone", now, target=leg.target)
    return reaching.nobody(call, "human-gone", "", now)


def human_left(call: Call, leg: Leg, event: e.HumanAsked, now: float) -> list[AnyCommand]:
    """The human has pressed `*`, or answers what becomes of the caller."""
    if event.point == "parting":
        return _parted(call, leg, event.digit, now)
    state = call.handoff.state
    if state not in (State.WITH_HUMAN, State.PARTING) or not call.handoff.plan.give_back:
        ends = call.legs.drop(leg, told=True)
        return [*_answer(HangUp()), *ends, *human_gone(call, leg, now)]
    if call.handoff.fire(Trigger.LEFT):
        call.handoff.until = now + PART_SECONDS
    language = call.handoff.plan.language
    return _answer(Screen(leg.wave, leg.number, lines.PARTING, "parting", language))


def _parted(call: Call, leg: Leg, digit: str, now: float) -> list[AnyCommand]:
    state = call.handoff.state
    if digit == "1" and state in (State.PARTING, State.BRIDGING):
        if call.handoff.fire(Trigger.TALK_ON):
            call.handoff.until = now + MEET_SECONDS
        return _answer(JoinRoom(call.facts.call_sid, leg.wave, leg=leg.number))
    call.legs.drop(leg, told=True)
    answer = _answer(Speak(lines.GIVEN_BACK, call.handoff.plan.language), HangUp())
    if state is State.PARTING:
        # The caller on hold is asked for next, and goes to the agent.
        call.handoff.keep("bridged", now, target=leg.target)
        call.handoff.fire(Trigger.BACK)
        call.handoff.until = now + NEWS_SECONDS
    return answer


# --- what the caller's leg does next ----------------------------------------------------------


def caller_asks(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    """The caller's room is over, or the moment on hold is."""
    asked = (event.step, event.leg_sid)
    taken = call.legs.taken
    if event.point == "room" and event.outcome != "failed":
        # It is over, so it had begun, even where the news of that is late or lost.
        _met(call, now)
    state = call.handoff.state
    if state is State.WITH_HUMAN and taken is not None and call.handoff.plan.give_back:
        if call.handoff.until is None:
            call.handoff.until = now + NEWS_SECONDS
        return _hold(call, asked, now) if now < call.handoff.until else done(call, asked, now)
    if state is State.PARTING and taken is not None:
        return _hold(call, asked, now)
    waits = state in (State.RINGING, State.SCREENING, State.CLOSING)
    if waits or (state is State.BRIDGING and taken is not None):
        instructions = (reaching.waiting(call),)
        return leaving.bring(call, instructions, Phase.HANDING_OFF, asked, now)
    return done(call, asked, now)


def _hold(call: Call, asked: leaving.Asked, now: float) -> list[AnyCommand]:
    instructions = (Hold(call.route.next_step(), lines.ON_HOLD),)
    return leaving.bring(call, instructions, Phase.WITH_HUMAN, asked, now)


def done(call: Call, asked: leaving.Asked, now: float) -> list[AnyCommand]:
    """The human is done with the caller: back to the agent, or the end, as the plan says."""
    handoff = call.handoff
    handoff.until = None
    ends = [*call.legs.drop_all()]
    back = handoff.state is State.RETURNING
    if not back:
        handoff.keep("bridged", now, target=call.legs.taker(handoff.wave))
    back = back or handoff.plan.afterwards == "return" or handoff.state is State.PARTING
    if not back or _no_agent(call):
        handoff.fire(Trigger.OVER)
        return [*ends, *leaving.bring(call, (HangUp(),), Phase.ENDING, asked, now)]
    handoff.fire(Trigger.BACK)
    known, wanted = lines.after_human(handoff.destination)
    return [*ends, *leaving.to_agent(call, asked, RequestResponse(wanted), known, now)]


def give_back(call: Call, now: float) -> list[AnyCommand]:
    """Somebody has the caller go back to the agent, wherever they are with humans."""
    handoff = call.handoff
    if call.phase not in (Phase.HANDING_OFF, Phase.WITH_HUMAN) or handoff.request is None:
        return []
    talked = handoff.state in (State.WITH_HUMAN, State.PARTING)
    handoff.until = None
    ends = [*call.legs.drop_all()]
    if handoff.fire(Trigger.BACK if talked else Trigger.COME_BACK):
        outcome = "bridged" if talked else "cancelled"
        handoff.keep(outcome, now, target=call.legs.taker(handoff.wave))
    known, wanted = lines.after_human(handoff.destination)
    if not talked:
        known, wanted = lines.came_back(handoff.destination, "canceled")
    return [*leaving.to_agent(call, None, RequestResponse(wanted), known, now), *ends]


def give_back_requested(call: Call, event: e.GiveBackRequested, now: float) -> list[AnyCommand]:
    return give_back(call, now)


def expire(call: Call, now: float) -> list[AnyCommand]:
    """What was waited for in a room has not come."""
    match call.handoff.state:
        case State.BRIDGING if call.legs.taken is not None and call.route.deadline is not None:
            # The caller is still on the way, as far as anybody knows.
            call.handoff.until = call.route.deadline + MEET_SECONDS
            return []
        case State.BRIDGING if call.legs.taken is not None:
            # Both were sent to the room, and nobody has come out of it: the news was lost.
            call.handoff.until = None
            return _met(call, now)
        case State.BRIDGING:
            call.handoff.keep("human-gone", now)
            return reaching.nobody(call, "human-gone", "", now)
    return done(call, None, now)


def _no_agent(call: Call) -> bool:
    return call.handoff.request is not None and call.handoff.request.source == "failure"


def _answer(*instructions: Instruction) -> list[AnyCommand]:
    return [AnswerCarrier(instructions)]
