"""The caller and a human meet in a room, talk, and part again.

Functions of (handoff, ..., step). The human is in the room first. The room is over when the human
leaves it, and then the carrier asks what the caller's leg is to do, so that no caller is ever alone
in a room for long. Why the human has left is known a moment later, from their own leg: it is over,
or they pressed `*` and are asked whether to give the caller back. Until then the caller is on hold.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import AnswerCarrier, HangUp, Hold, JoinRoom, Screen, Speak
from hookflash.core.handoff import outcome, ringing
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.legs import Leg
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.phases import Phase

_WITH_AGENT = (Phase.RINGING, Phase.TALKING)


# --- to the human ---------------------------------------------------------------------------------


def close(handoff: Handoff, step: s.Step) -> None:
    """A human has accepted: the agent says one line, it is heard, and the caller is let in.

    A caller who waits in the room already meets the human there.
    """
    handoff.fire(Trigger.ACCEPTED, step.now)
    if handoff.leg.phase not in _WITH_AGENT:
        handoff.fire(Trigger.LET_IN, step.now)
        return
    text = lines.closing(handoff.destination)
    step.tell(s.LastWordsDue(purpose="hand-off", text=text, own_line=True, protected=True))


def let_in(handoff: Handoff, step: s.Step) -> None:
    """The closing line was heard: the caller goes where the human is."""
    handoff.fire(Trigger.LET_IN, step.now)
    ringing.wait_in_room(handoff, step)


def room_began(handoff: Handoff, step: s.Step) -> None:
    """Both are in the room and hear each other."""
    if handoff.state is HandoffState.BRIDGING:
        step.tell(s.CallerInRoom())
    met(handoff, step)


def met(handoff: Handoff, step: s.Step) -> None:
    """Both have been in the room together."""
    if handoff.state is HandoffState.BRIDGING and handoff.met(step.now):
        step.tell(s.CallerMet())
        if handoff.legs.taken is None:
            # The news is late: the human has left already, and the carrier asks for the caller.
            _human_leaves(handoff, step)


# --- the human leaves -----------------------------------------------------------------------------


def human_gone(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """The leg of the human who took the call is over."""
    match handoff.state:
        case HandoffState.CLOSING:
            step.tell(s.LastWordsOff())
            handoff.keep("human-gone", step.now, target=leg.target)
            outcome.nobody(handoff, "human-gone", "", step)
        case HandoffState.BRIDGING | HandoffState.WITH_HUMAN | HandoffState.PARTING:
            # The carrier asks for the caller now; if it does not, they are fetched.
            _human_leaves(handoff, step)


def human_left(handoff: Handoff, leg: Leg, event: e.HumanAsked, step: s.Step) -> None:
    """The human has pressed `*`, or answers what becomes of the caller."""
    if event.point == "parting":
        _parted(handoff, leg, event.digit, step)
        return
    if not handoff.plan.give_back or handoff.state not in (
        HandoffState.WITH_HUMAN,
        HandoffState.PARTING,
    ):
        step.do(AnswerCarrier((HangUp(),)), *handoff.legs.drop(leg, told=True))
        human_gone(handoff, leg, step)
        return
    handoff.fire(Trigger.LEFT, step.now)
    language = handoff.plan.language
    asks = Screen(leg.wave, leg.number, lines.PARTING, "parting", language)
    step.do(AnswerCarrier((asks,)))


def _parted(handoff: Handoff, leg: Leg, digit: str, step: s.Step) -> None:
    state = handoff.state
    if digit == "1" and state in (HandoffState.PARTING, HandoffState.BRIDGING):
        handoff.human_leaves = False
        handoff.fire(Trigger.TALK_ON, step.now)
        room = JoinRoom(handoff.facts.call_sid, leg.wave, leg=leg.number)
        step.do(AnswerCarrier((room,)))
        return
    handoff.legs.drop(leg, told=True)
    thanks = Speak(lines.GIVEN_BACK, handoff.plan.language)
    step.do(AnswerCarrier((thanks, HangUp())))
    if state is HandoffState.PARTING:
        # The caller on hold is asked for next, and goes to the agent.
        handoff.keep("bridged", step.now, target=leg.target)
        handoff.awaits_caller = True
        handoff.fire(Trigger.BACK, step.now)


def _human_leaves(handoff: Handoff, step: s.Step) -> None:
    if not handoff.human_leaves:
        handoff.human_leaves = True
        handoff.renew(step.now)


# --- what the caller's leg does next --------------------------------------------------------------


def room_over(handoff: Handoff, signal: s.RoomOver, step: s.Step) -> None:
    """The caller's room is over, or the moment on hold is."""
    taken = handoff.legs.taken
    if signal.point == "room" and signal.outcome != "failed":
        # It is over, so it had begun, even where the news of that is late or lost.
        met(handoff, step)
    state = handoff.state
    if state is HandoffState.WITH_HUMAN and taken is not None and handoff.plan.give_back:
        _human_leaves(handoff, step)
        if not handoff.late(step.now):
            _hold(step)
            return
    elif state is HandoffState.PARTING and taken is not None:
        _hold(step)
        return
    waits = state in (HandoffState.RINGING, HandoffState.SCREENING, HandoffState.CLOSING)
    if waits or (state is HandoffState.BRIDGING and taken is not None):
        ringing.wait_in_room(handoff, step)
    else:
        outcome.done(handoff, step)


def _hold(step: s.Step) -> None:
    hold = Hold(0, lines.ON_HOLD)
    step.tell(s.MoveCaller(instructions=(hold,), phase=Phase.WITH_HUMAN))


def not_met(handoff: Handoff, step: s.Step) -> None:
    """The caller and the human were to be in the room by now."""
    if handoff.legs.taken is None and handoff.talked:
        outcome.done(handoff, step)
    elif handoff.legs.taken is None:
        handoff.keep("human-gone", step.now)
        outcome.nobody(handoff, "human-gone", "", step)
    elif handoff.leg.moving_until is not None:
        # The caller is still on the way, as far as anybody knows.
        handoff.renew(step.now)
    else:
        # Both were sent to the room, and nobody has come out of it: the news was lost.
        met(handoff, step)
