"""A human answers: they are told who calls and asked whether they take the call.

Functions of (handoff, event, step). However a leg ends, it is one outcome with one next step, and
no leg is left over.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import (
    AnswerCarrier,
    Bridge,
    EndLeg,
    HangUp,
    Instruction,
    JoinRoom,
    OpenConsult,
    Screen,
    Speak,
)
from hookflash.core.handoff import meeting, outcome
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.legs import Leg, LegState
from hookflash.core.handoff.states import Trigger
from hookflash.core.handoff.whisper import whisper
from hookflash.core.phases import Phase

_CHARACTER_SECONDS = 0.09
"""How long a carrier's voice takes for a character, at its slowest."""

_JOIN_SECONDS = 6.0
_KEY_SECONDS = 30.0

_TRIES = 3
"""How often a human is asked for a key."""


# --- what becomes of a leg ------------------------------------------------------------------------


def leg_placed(handoff: Handoff, event: e.LegPlaced, step: s.Step) -> None:
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None:
        step.do(EndLeg(event.leg_sid))
    else:
        step.do(*handoff.legs.named(leg, event.leg_sid))


def leg_refused(handoff: Handoff, event: e.LegRefused, step: s.Step) -> None:
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or leg.sid:
        return
    # It may have been placed all the same: then it is ended as soon as its SID is known.
    handoff.legs.drop(leg)
    # What the carrier says about it is logged: it is not for the model, and may hold a number.
    _leg_over(handoff, leg, "refused", "", step)


def leg_changed(handoff: Handoff, event: e.LegChanged, step: s.Step) -> None:
    """News of a leg that we have placed."""
    leg = handoff.legs.find(event.step, event.leg)
    if leg is None:
        if event.status != "completed":
            step.do(EndLeg(event.leg_sid))
        return
    if event.status != "completed":
        step.do(*handoff.legs.named(leg, event.leg_sid))
        if leg.live and leg.wave == handoff.wave and event.status in ("initiated", "ringing"):
            handoff.rang(step.now)
        if event.status == "ringing" and leg.live:
            handoff.fire(Trigger.RANG, step.now)
        return
    was = leg.state
    handoff.legs.over(leg)
    match was:
        case LegState.OVER:
            return
        case LegState.TAKEN:
            meeting.human_gone(handoff, leg, step)
        case LegState.ASKED if event.outcome != "machine":
            _leg_over(handoff, leg, "declined", "", step)
        case _:
            _leg_over(handoff, leg, event.outcome or "failed", "", step)


def dialled_leg_changed(handoff: Handoff, signal: s.DialledLegChanged, step: s.Step) -> None:
    """News of a leg that the caller's own leg is ringing."""
    if signal.status == "ringing":
        handoff.fire(Trigger.RANG, step.now)
    elif not handoff.legs.live and handoff.met(step.now):
        step.tell(s.CallerMet())


def dial_over(handoff: Handoff, signal: s.DialOver, step: s.Step) -> None:
    """A dialled human hung up, or was never reached: the outcome has one next step."""
    if signal.outcome == "bridged":
        handoff.human_at = handoff.human_at or step.now
        outcome.done(handoff, step)
        return
    rung = [leg for leg in handoff.legs.live if leg.dialled]
    target = rung[0].target if len(rung) == 1 else None
    for leg in rung:
        handoff.legs.over(leg)
    handoff.keep(signal.outcome, step.now, target=target)
    outcome.nobody(handoff, signal.outcome, "", step)


def _leg_over(handoff: Handoff, leg: Leg, result: str, note: str, step: s.Step) -> None:
    """A leg that nobody took is over: others may still ring, or it is the next one's turn."""
    if leg.dialled or leg.wave != handoff.wave or not handoff.reaching:
        return
    handoff.keep(result, step.now, target=leg.target, note=note)
    others = handoff.legs.live
    if not others:
        outcome.nobody(handoff, result, note, step)
    elif not any(each.state is LegState.ASKED for each in others):
        handoff.fire(Trigger.PUT_DOWN, step.now)


def wave_over(handoff: Handoff, step: s.Step) -> None:
    """The wave has had its time: whoever has not accepted by now does not."""
    coming = [leg for leg in handoff.legs.live if leg.state is LegState.COMING]
    if coming:
        # They must be in the room by now: the news was lost.
        _takes(handoff, coming[0], step)
        return
    for leg in handoff.legs.live:
        result = "machine" if leg.state is LegState.ASKED else "no-answer"
        handoff.keep(result, step.now, target=leg.target)
        step.do(*handoff.legs.drop(leg))
    outcome.nobody(handoff, handoff.attempts[-1].outcome, "", step)


# --- a human answers ------------------------------------------------------------------------------


def human_asked(handoff: Handoff, event: e.HumanAsked, step: s.Step) -> None:
    """The carrier asks what a human's leg is to do; there is always an answer."""
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or handoff.leg.phase is Phase.ENDED:
        if leg is not None:
            leg.sid = leg.sid or event.leg_sid
            leg.ended = True
        text = lines.TAKEN if handoff.legs.taken else lines.NO_CALLER
        step.do(AnswerCarrier((Speak(text), HangUp())))
        return
    handoff.legs.named(leg, event.leg_sid)
    if leg.state is LegState.COMING and event.point in ("left", "parting"):
        _declined(handoff, leg, "human-gone", step)
    elif event.point in ("left", "parting"):
        meeting.human_left(handoff, leg, event, step)
    elif leg.state in (LegState.TAKEN, LegState.COMING):
        step.do(AnswerCarrier(_joins(handoff, leg)))
    elif event.point == "pressed":
        _pressed(handoff, leg, event.digit, step)
    elif event.answered_by == "machine":
        _declined(handoff, leg, "machine", step)
    else:
        _answered(handoff, leg, event, step)


def _answered(handoff: Handoff, leg: Leg, event: e.HumanAsked, step: s.Step) -> None:
    """A human has picked up, and is asked for the first time."""
    if leg.state is not LegState.ASKED:
        leg.state = LegState.ASKED
        if not handoff.fire(Trigger.PICKED_UP, step.now):
            handoff.renew(step.now)
    leg.unsure = event.answered_by == "unknown"
    if handoff.consults:
        step.do(
            OpenConsult(
                wave=leg.wave,
                leg=leg.number,
                leg_sid=leg.sid,
                briefing=whisper(handoff),
                destination=handoff.destination.key,
            )
        )
    elif _needs_key(handoff, leg):
        _ask(handoff, leg, step)
    else:
        _accepted(handoff, leg, step)


def _needs_key(handoff: Handoff, leg: Leg) -> bool:
    """Whether an answer counts only with a key. Where a human is to be detected, a key is asked for
    if the carrier could not tell, and on a leg that it dials by itself: there it knows too late."""
    acceptance = handoff.plan.acceptance
    if acceptance == "human-detected":
        return leg.dialled or leg.unsure
    return acceptance == "press-1"


def _pressed(handoff: Handoff, leg: Leg, digit: str, step: s.Step) -> None:
    if digit == "1":
        _accepted(handoff, leg, step)
        return
    if digit == "2":
        _declined(handoff, leg, "declined", step)
        return
    leg.tries += not digit
    if leg.tries >= _TRIES:
        _declined(handoff, leg, "machine", step)
    else:
        _ask(handoff, leg, step)


def _declined(handoff: Handoff, leg: Leg, result: str, step: s.Step) -> None:
    handoff.legs.drop(leg, told=True)
    step.do(AnswerCarrier((HangUp(),)))
    _leg_over(handoff, leg, result, "", step)


def consult_decided(handoff: Handoff, event: e.ConsultDecided, step: s.Step) -> None:
    """What the agent and a human have settled on the human's leg, which sees to itself."""
    leg = handoff.legs.by_sid(event.leg_sid)
    if leg is None or leg.state is not LegState.ASKED:
        if leg is None or leg.state is not LegState.TAKEN:
            step.do(EndLeg(event.leg_sid))
        return
    if event.decision != "connect":
        result = "declined" if event.decision == "decline" else "machine"
        step.do(*handoff.legs.drop(leg))
        _leg_over(handoff, leg, result, event.reason, step)
    else:
        _takes(handoff, leg, step)


def _accepted(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """The first human to accept has the call; whoever comes after is thanked."""
    greeted = _greeted(handoff, leg)
    if leg.dialled:
        if handoff.met(step.now) or handoff.legs.taken is None:
            # The first, or one who waits behind a first who is gone before they were bridged.
            handoff.legs.take(leg)
            step.tell(s.CallerMet())
            step.do(AnswerCarrier((*greeted, Bridge())))
        else:
            handoff.legs.drop(leg, told=True)
            step.do(AnswerCarrier((HangUp(),)))
    elif handoff.reaching:
        step.do(AnswerCarrier((*greeted, *_joins(handoff, leg))))
        if greeted:
            _comes(handoff, leg, greeted[0].text, step)
        else:
            _takes(handoff, leg, step)
    else:
        handoff.legs.drop(leg, told=True)
        step.do(AnswerCarrier((Speak(lines.TAKEN), HangUp())))


def _takes(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """This human has the call: nobody else is rung, and the caller is brought to them."""
    handoff.coming_seconds = 0.0
    handoff.legs.take(leg)
    _let_others_go(handoff, leg, step)
    meeting.close(handoff, step)


def _let_others_go(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    for other in handoff.legs.live:
        if other is not leg:
            handoff.keep("canceled", step.now, target=other.target)
            step.do(*handoff.legs.drop(other))


def _comes(handoff: Handoff, leg: Leg, text: str, step: s.Step) -> None:
    """A human takes the call unasked, and hears first who calls: the caller stays with the agent
    until they are in the room."""
    leg.state = LegState.COMING
    _let_others_go(handoff, leg, step)
    handoff.coming_seconds = len(text) * _CHARACTER_SECONDS + _JOIN_SECONDS
    handoff.renew(step.now)


def joined(handoff: Handoff, event: e.RoomChanged, step: s.Step) -> None:
    """A human who was coming is in the room."""
    leg = handoff.legs.by_sid(event.leg_sid)
    if leg is not None and leg.state is LegState.COMING and handoff.reaching:
        _takes(handoff, leg, step)


def _greeted(handoff: Handoff, leg: Leg) -> tuple[Speak, ...]:
    """What a human hears who need not press a key."""
    plan = handoff.plan
    if _needs_key(handoff, leg) or (leg.dialled and not plan.whisper):
        return ()
    return (Speak(whisper(handoff), plan.language),)


def _joins(handoff: Handoff, leg: Leg) -> tuple[Instruction, ...]:
    if leg.dialled:
        return (Bridge(),)
    return (JoinRoom(handoff.facts.call_sid, leg.wave, leg=leg.number),)


def _ask(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """Tell a human who calls and ask for a key: from now on they have a while for it."""
    plan = handoff.plan
    text = f"{whisper(handoff)} {plan.accept_prompt}"
    step.do(AnswerCarrier((Screen(leg.wave, leg.number, text, language=plan.language),)))
    handoff.renew(step.now)
    if leg.dialled:
        step.tell(s.CallerWaits(seconds=len(text) * _CHARACTER_SECONDS + _KEY_SECONDS))
