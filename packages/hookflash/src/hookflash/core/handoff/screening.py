"""A human answers: they hear the whisper, and take the call or decline it.

Functions of (handoff, event, step). However a leg ends, it has one outcome, and the outcome has one
next step. No leg is left over.
"""

from __future__ import annotations

from hookflash.core import events as e
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
from hookflash.core.handoff import bridging, outcome
from hookflash.core.handoff.cancelling import cancel_other_legs
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.legs import Leg, LegState
from hookflash.core.handoff.limits import (
    CHARACTER_SECONDS,
    JOIN_SECONDS,
    KEY_SECONDS,
    WAIT_SECONDS,
)
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.handoff.whisper import whisper
from hookflash.core.phases import Phase

_TRIES = 3
"""How often a human is asked for a key."""


# --- how a leg goes on, and ends ------------------------------------------------------------------


def leg_placed(handoff: Handoff, event: e.LegPlaced, step: s.Step) -> None:
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None:
        step.do(EndLeg(event.leg_sid))
    else:
        step.do(*handoff.legs.sid_known(leg, event.leg_sid))


def leg_refused(handoff: Handoff, event: e.LegRefused, step: s.Step) -> None:
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or leg.sid:
        return
    # If the carrier placed it all the same, it is ended as soon as its SID is known.
    handoff.legs.end(leg)
    # The carrier's reason is only logged: it may contain a number, which the model must not see.
    _leg_over(handoff, leg, "refused", "", step)


def leg_changed(handoff: Handoff, event: e.LegChanged, step: s.Step) -> None:
    """The state of a leg that Hookflash placed has changed."""
    leg = handoff.legs.find(event.step, event.leg)
    if leg is None:
        if event.status != "completed":
            step.do(EndLeg(event.leg_sid))
        return
    if event.status != "completed":
        step.do(*handoff.legs.sid_known(leg, event.leg_sid))
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
            bridging.human_gone(handoff, leg, step)
        case LegState.ASKED if event.outcome != "machine":
            _leg_over(handoff, leg, "declined", "", step)
        case _:
            _leg_over(handoff, leg, event.outcome or "failed", "", step)


def dialled_leg_changed(handoff: Handoff, signal: s.DialledLegChanged, step: s.Step) -> None:
    """A leg that the caller's own leg dials rings, or was answered."""
    if signal.status == "ringing":
        handoff.fire(Trigger.RANG, step.now)
    elif signal.status == "completed":
        _dialled_leg_over(handoff, signal)
    elif not handoff.legs.live and handoff.bridged(step.now):
        step.tell(s.CallerBridged())


def _dialled_leg_over(handoff: Handoff, signal: s.DialledLegChanged) -> None:
    """The human who accepted is gone.

    Whether they talked is known when the carrier asks what is next for the caller. If they did not,
    somebody else may still accept.
    """
    leg = handoff.legs.by_sid(signal.leg_sid)
    if leg is not None and leg is handoff.legs.taken:
        handoff.legs.over(leg)


def dial_over(handoff: Handoff, signal: s.DialOver, step: s.Step) -> None:
    """The caller's dial is over: the human hung up, or was never reached."""
    if signal.outcome == "bridged":
        handoff.human_at = handoff.human_at or step.now
        outcome.human_done(handoff, step)
        return
    rung = [leg for leg in handoff.legs.live if leg.dialled]
    result, target = signal.outcome, rung[0].target if len(rung) == 1 else None
    taker = handoff.legs.taker(handoff.wave)
    if taker is not None:
        # They accepted, and the carrier did not bridge them.
        result, target = "human-gone", taker
    for leg in rung:
        handoff.legs.over(leg)
    handoff.record_attempt(result, step.now, target=target)
    outcome.nobody_reached(handoff, result, "", step)


def _leg_over(handoff: Handoff, leg: Leg, result: str, note: str, step: s.Step) -> None:
    """A leg ended without taking the call: others may still ring, or the next wave begins."""
    closing = handoff.state in (HandoffState.CLOSING, HandoffState.BRIDGING)
    if leg.dialled or leg.wave != handoff.wave or not (handoff.reaching or closing):
        return
    handoff.record_attempt(result, step.now, target=leg.target, note=note)
    others = handoff.legs.live
    if handoff.legs.chosen is not None:
        # Another human has the call.
        return
    if not others:
        outcome.nobody_reached(handoff, result, note, step)
    elif handoff.joining_seconds and bridging.replace_human(handoff, step):
        # The human who was joining is gone; another one joins, or is still asked.
        return
    elif not any(each.state is LegState.ASKED for each in others):
        handoff.fire(Trigger.PUT_DOWN, step.now)


def wave_over(handoff: Handoff, step: s.Step) -> None:
    """The time of the wave is over: end every leg that has not accepted."""
    coming = [leg for leg in handoff.legs.live if leg.state is LegState.JOINING]
    if coming:
        # They must be in the room by now: the webhook was lost.
        _takes(handoff, coming[0], step)
        return
    for leg in handoff.legs.live:
        result = "machine" if leg.state is LegState.ASKED else "no-answer"
        handoff.record_attempt(result, step.now, target=leg.target)
        step.do(*handoff.legs.end(leg))
    outcome.nobody_reached(handoff, handoff.attempts[-1].outcome, "", step)


# --- a human answers ------------------------------------------------------------------------------


def human_asked(handoff: Handoff, event: e.HumanAsked, step: s.Step) -> None:
    """The carrier asks what a human's leg is to do; there is always an answer."""
    leg = handoff.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or handoff.leg.phase is Phase.ENDED:
        if leg is not None:
            leg.sid = leg.sid or event.leg_sid
            leg.ended = True
        talked = leg is not None and leg.wave == handoff.wave and handoff.human_at is not None
        phrases = handoff.setup.phrases
        text = phrases.taken if handoff.legs.taken or talked else phrases.no_caller
        step.do(AnswerCarrier((Speak(text), HangUp())))
        return
    handoff.legs.sid_known(leg, event.leg_sid)
    if leg.state is LegState.JOINING and event.point in ("left", "parting"):
        _declined(handoff, leg, "human-gone", step)
    elif event.point in ("left", "parting"):
        bridging.human_left(handoff, leg, event, step)
    elif leg.state in (LegState.TAKEN, LegState.JOINING):
        step.do(AnswerCarrier(_joins(handoff, leg)))
    elif event.point == "pressed":
        _pressed(handoff, leg, event.digit, step)
    elif event.answered_by == "machine":
        _declined(handoff, leg, "machine", step)
    else:
        _answered(handoff, leg, event, step)


def _answered(handoff: Handoff, leg: Leg, event: e.HumanAsked, step: s.Step) -> None:
    """A human has picked up: consult, ask for a key, or let them take the call."""
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
    """Whether the human must press a key.

    With "human-detected", a key is needed if the carrier could not tell. It is also needed on a
    dialled leg, where the carrier knows too late.
    """
    acceptance = handoff.plan.acceptance
    if acceptance == "human-detected":
        return leg.dialled or leg.unsure
    return acceptance == "press-1"


def _pressed(handoff: Handoff, leg: Leg, digit: str, step: s.Step) -> None:
    if digit == "2":
        _declined(handoff, leg, "declined", step)
        return
    if digit == "1" or leg.state is LegState.WAITING:
        _accepted(handoff, leg, step)
        return
    leg.tries += not digit
    if leg.tries >= _TRIES:
        _declined(handoff, leg, "machine", step)
    else:
        _ask(handoff, leg, step)


def _declined(handoff: Handoff, leg: Leg, result: str, step: s.Step) -> None:
    handoff.legs.end(leg, by_answer=True)
    step.do(AnswerCarrier((HangUp(),)))
    _leg_over(handoff, leg, result, "", step)


def consult_decided(handoff: Handoff, event: e.ConsultDecided, step: s.Step) -> None:
    """The agent and a human have decided; the human's leg follows that by itself."""
    leg = handoff.legs.by_sid(event.leg_sid)
    if leg is None or leg.state is not LegState.ASKED:
        if leg is None or leg.state is not LegState.TAKEN:
            step.do(EndLeg(event.leg_sid))
        return
    if event.decision != "connect":
        result = "declined" if event.decision == "decline" else "machine"
        step.do(*handoff.legs.end(leg))
        _leg_over(handoff, leg, result, event.reason, step)
    else:
        _takes(handoff, leg, step)


def _accepted(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """The first human to accept takes the call. Anybody later waits until the caller is bridged.

    If the first is gone before that, the next takes the call; otherwise they are thanked.
    """
    greeted = _greeting(handoff, leg)
    chosen = handoff.legs.chosen
    if leg.dialled:
        _accepted_on_dialled_leg(handoff, leg, greeted, step)
    elif chosen is not None and chosen.wave == leg.wave and not handoff.consults:
        _wait_for_first(handoff, leg, step)
    elif handoff.reaching:
        step.do(AnswerCarrier((*greeted, *_joins(handoff, leg))))
        if greeted:
            _joins_unasked(handoff, leg, greeted[0].text, step)
        else:
            _takes(handoff, leg, step)
    else:
        handoff.legs.end(leg, by_answer=True)
        step.do(AnswerCarrier((Speak(handoff.setup.phrases.taken), HangUp())))


def _accepted_on_dialled_leg(
    handoff: Handoff, leg: Leg, greeted: tuple[Speak, ...], step: s.Step
) -> None:
    first = handoff.legs.taken
    # The carrier ends the other legs as soon as it has bridged one. If it asks about this one
    # again, the first human was gone before the bridge, even if that webhook is still to come.
    waited = leg.state is LegState.WAITING and step.now - leg.waits_since >= WAIT_SECONDS
    if first is not None and not waited:
        _wait_for_first(handoff, leg, step)
        return
    if first is not None:
        handoff.legs.over(first)
    before = handoff.legs.taker(leg.wave)
    if before is not None:
        handoff.record_attempt("human-gone", step.now, target=before)
        handoff.human_at = None
    handoff.bridged(step.now)
    handoff.human_at = handoff.human_at or step.now
    handoff.legs.take(leg)
    step.tell(s.CallerBridged())
    step.do(AnswerCarrier((*greeted, Bridge())))


def _wait_for_first(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """Let a human wait who accepted after another, in case that one is gone before the bridge."""
    if leg.state is not LegState.WAITING:
        leg.state = LegState.WAITING
        leg.waits_since = step.now
    hold = Screen(leg.wave, leg.number, handoff.setup.phrases.on_hold, seconds=WAIT_SECONDS)
    step.do(AnswerCarrier((hold,)))


def _takes(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """This human takes the call: the other legs end, and the caller is moved to them."""
    handoff.joining_seconds = 0.0
    handoff.legs.take(leg)
    # While the agent consults two humans, both would be promised the caller: end the other call.
    cancel_other_legs(handoff, step, but_answered=not handoff.consults)
    bridging.say_closing_line(handoff, step)


def _joins_unasked(handoff: Handoff, leg: Leg, text: str, step: s.Step) -> None:
    """A human takes the call without a key, and hears the whisper first.

    The caller stays with the agent until the human is in the room.
    """
    leg.state = LegState.JOINING
    cancel_other_legs(handoff, step)
    handoff.joining_seconds = len(text) * CHARACTER_SECONDS + JOIN_SECONDS
    handoff.renew(step.now)


def joined(handoff: Handoff, event: e.RoomChanged, step: s.Step) -> None:
    """A human has joined the room; one who heard the whisper first takes the call now."""
    leg = handoff.legs.by_sid(event.leg_sid)
    if leg is not None and leg.state is LegState.JOINING and handoff.reaching:
        _takes(handoff, leg, step)


def _greeting(handoff: Handoff, leg: Leg) -> tuple[Speak, ...]:
    """Return what a human hears who need not press a key."""
    plan = handoff.plan
    if _needs_key(handoff, leg) or (leg.dialled and not plan.whisper):
        return ()
    return (Speak(whisper(handoff), plan.language),)


def _joins(handoff: Handoff, leg: Leg) -> tuple[Instruction, ...]:
    if leg.dialled:
        return (Bridge(),)
    return (JoinRoom(handoff.info.call_sid, leg.wave, leg=leg.number),)


def _ask(handoff: Handoff, leg: Leg, step: s.Step) -> None:
    """Play the whisper and ask for a key. The time for it begins now."""
    plan = handoff.plan
    text = f"{whisper(handoff)} {plan.accept_prompt}"
    step.do(AnswerCarrier((Screen(leg.wave, leg.number, text, language=plan.language),)))
    handoff.renew(step.now)
    if leg.dialled:
        step.tell(s.CallerWaits(seconds=len(text) * CHARACTER_SECONDS + KEY_SECONDS))
