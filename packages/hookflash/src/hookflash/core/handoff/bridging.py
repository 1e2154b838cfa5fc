"""The caller and a human are bridged in a room, talk, and part again.

Functions of (handoff, ..., step). The human is in the room first. When the human leaves, the room
is over, and the carrier asks what the caller's leg is to do. So no caller stays alone in a room.

Why the human left is known a moment later, from their own leg. Either it is over, or they pressed
`*` and are asked whether to give the caller back. Until then the caller is on hold.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import AnswerCarrier, HangUp, Hold, JoinRoom, Screen, Speak
from hookflash.core.handoff import outcome, ringing
from hookflash.core.handoff.cancelling import cancel_other_legs
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.legs import Leg, LegState
from hookflash.core.handoff.limits import JOIN_SECONDS, NEWS_SECONDS, WAIT_SECONDS
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.phases import Phase

_WITH_AGENT = (Phase.RINGING, Phase.TALKING)


# --- bridging -------------------------------------------------------------------------------------


def say_closing_line(handoff: Handoff, step: s.Step) -> None:
    """A human has accepted: the agent says the closing line, and then the caller joins the room.

    A caller who waits in the room already is bridged at once. One who waits in the room of an
    earlier wave is moved.
    """
    handoff.fire(Trigger.ACCEPTED, step.now)
    if handoff.leg.phase not in _WITH_AGENT:
        if handoff.leg.room_wave == handoff.wave:
            handoff.fire(Trigger.LET_IN, step.now)
        else:
            let_in(handoff, step)
        return
    text = prompts.closing(handoff.destination)
    step.tell(s.LastWordsDue(purpose="hand-off", text=text, own_line=True, protected=True))


def let_in(handoff: Handoff, step: s.Step) -> None:
    """The closing line was heard: move the caller to the room."""
    handoff.fire(Trigger.LET_IN, step.now)
    ringing.wait_in_room(handoff, step)


def room_began(handoff: Handoff, step: s.Step) -> None:
    """Both are in the room and hear each other."""
    if handoff.state is HandoffState.BRIDGING:
        step.tell(s.CallerInRoom(wave=handoff.wave))
    bridged(handoff, step)


def bridged(handoff: Handoff, step: s.Step) -> None:
    """Note that both were in the room together, if that is new."""
    if handoff.state is HandoffState.BRIDGING and handoff.bridged(step.now):
        cancel_other_legs(handoff, step)
        step.tell(s.CallerBridged())
        if handoff.legs.taken is None:
            # The webhook is late: the human has left already, and the carrier asks what is next.
            _human_leaves(handoff, step)


def replace_human(handoff: Handoff, step: s.Step) -> bool:
    """The human who took the call is gone before the caller was bridged with them.

    The next human who accepted joins. If there is none, those who answered are still asked. Return
    False if nobody is left.
    """
    if not any(leg.state in (LegState.ASKED, LegState.WAITING) for leg in handoff.legs.live):
        return False
    following = handoff.legs.waiting
    handoff.joining_seconds = 0.0
    if following is not None:
        following.state = LegState.JOINING
        handoff.joining_seconds = WAIT_SECONDS + JOIN_SECONDS
    if not handoff.fire(Trigger.REPLACED, step.now):
        handoff.renew(step.now)
    return True


# --- the human leaves -----------------------------------------------------------------------------


def human_gone(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """The leg of the human who took the call is over."""
    match handoff.state:
        case HandoffState.CLOSING:
            step.tell(s.LastWordsOff())
            handoff.record_attempt("human-gone", step.now, target=leg.target)
            if not replace_human(handoff, step):
                outcome.nobody_reached(handoff, "human-gone", "", step)
        case HandoffState.BRIDGING if not handoff.talked and replace_human(handoff, step):
            handoff.record_attempt("human-gone", step.now, target=leg.target)
        case HandoffState.BRIDGING | HandoffState.WITH_HUMAN | HandoffState.PARTING:
            # The carrier asks what is next for the caller. If it does not, the caller is moved.
            _human_leaves(handoff, step)


def human_left(handoff: Handoff, leg: Leg, event: e.HumanAsked, step: s.Step) -> None:
    """The human has pressed `*`, or has answered what is to happen to the caller."""
    if event.point == "parting":
        _parted(handoff, leg, event.digit, step)
        return
    if not handoff.plan.give_back or handoff.state not in (
        HandoffState.WITH_HUMAN,
        HandoffState.PARTING,
    ):
        step.do(AnswerCarrier((HangUp(),)), *handoff.legs.end(leg, by_answer=True))
        human_gone(handoff, leg, step)
        return
    handoff.fire(Trigger.LEFT, step.now)
    language = handoff.plan.language
    asks = Screen(leg.wave, leg.number, handoff.setup.phrases.parting, "parting", language)
    step.do(AnswerCarrier((asks,)))


def _parted(handoff: Handoff, leg: Leg, digit: str, step: s.Step) -> None:
    state = handoff.state
    if digit == "1" and state in (HandoffState.PARTING, HandoffState.BRIDGING):
        handoff.human_leaves = False
        handoff.fire(Trigger.TALK_ON, step.now)
        room = JoinRoom(handoff.info.call_sid, leg.wave, leg=leg.number)
        step.do(AnswerCarrier((room,)))
        return
    handoff.legs.end(leg, by_answer=True)
    thanks = Speak(handoff.setup.phrases.given_back, handoff.plan.language)
    step.do(AnswerCarrier((thanks, HangUp())))
    if state is HandoffState.PARTING:
        # The carrier asks next for the caller on hold, who then goes to the agent.
        handoff.record_attempt("bridged", step.now, target=leg.target)
        handoff.awaits_caller = True
        handoff.fire(Trigger.BACK, step.now)


def _human_leaves(handoff: Handoff, step: s.Step) -> None:
    if not handoff.human_leaves:
        handoff.human_leaves = True
        handoff.renew(step.now)


# --- the caller's leg afterwards ------------------------------------------------------------------


def room_over(handoff: Handoff, signal: s.RoomOver, step: s.Step) -> None:
    """The caller's room or hold is over."""
    taken = handoff.legs.taken
    if signal.point == "room" and signal.outcome != "failed":
        # A room that is over had begun, even if that webhook is late or lost.
        bridged(handoff, step)
    state = handoff.state
    asks = taken is not None and handoff.plan.give_back and not _talk_time_over(handoff, step)
    if state is HandoffState.WITH_HUMAN and asks:
        _human_leaves(handoff, step)
        if not handoff.expired(step.now):
            _hold(handoff, step)
            return
    elif state is HandoffState.PARTING and taken is not None:
        _hold(handoff, step)
        return
    waits = state in (HandoffState.RINGING, HandoffState.SCREENING, HandoffState.CLOSING)
    if waits or (state is HandoffState.BRIDGING and taken is not None):
        ringing.wait_in_room(handoff, step)
    else:
        outcome.human_done(handoff, step)


def _talk_time_over(handoff: Handoff, step: s.Step) -> bool:
    """Whether the carrier has ended the talk after `talk_seconds`, and not the human.

    The carrier counts from the join, a little earlier than its webhook about the bridge.
    """
    most, since = handoff.plan.talk_seconds, handoff.human_at
    return most is not None and since is not None and step.now - since >= most - NEWS_SECONDS


def _hold(handoff: Handoff, step: s.Step) -> None:
    hold = Hold(0, handoff.setup.phrases.on_hold)
    step.tell(s.MoveCaller(instructions=(hold,), phase=Phase.WITH_HUMAN))


def not_bridged(handoff: Handoff, step: s.Step) -> None:
    """The time in which the caller and the human should have been bridged is over."""
    if handoff.legs.taken is None and handoff.talked:
        outcome.human_done(handoff, step)
    elif handoff.legs.taken is None:
        handoff.record_attempt("human-gone", step.now)
        outcome.nobody_reached(handoff, "human-gone", "", step)
    elif handoff.leg.moving_until is not None:
        # The caller may still be on the way.
        handoff.renew(step.now)
    else:
        # Both were sent to the room, and nobody has left it: the webhook was lost.
        bridged(handoff, step)
