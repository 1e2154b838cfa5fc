"""What the hand-off does about each event, and when a state has lasted for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.handoff import asking, meeting, outcome, ringing, screening
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.states import HandoffState, Trigger


def _room_changed(handoff: Handoff, event: e.RoomChanged, step: s.Step) -> None:
    """Somebody has come into the room of a wave, or both are in it."""
    if event.wave == handoff.wave and event.change == "joined":
        screening.joined(handoff, event, step)
    elif event.wave == handoff.wave and event.change == "started":
        meeting.room_began(handoff, step)


def _give_back(handoff: Handoff, event: e.GiveBackRequested, step: s.Step) -> None:
    outcome.give_back(handoff, step)


HANDLERS: dict[type, Callable[[Handoff, Any, s.Step], None]] = {
    e.TargetsChecked: asking.targets_checked,
    e.HandoffCancelled: asking.cancelled,
    e.LegPlaced: screening.leg_placed,
    e.LegRefused: screening.leg_refused,
    e.HumanAsked: screening.human_asked,
    e.ConsultDecided: screening.consult_decided,
    e.RoomChanged: _room_changed,
    e.GiveBackRequested: _give_back,
}


def last_words_heard(handoff: Handoff, step: s.Step) -> None:
    """The agent has announced the human: the caller goes to them."""
    if handoff.state is HandoffState.CLOSING:
        meeting.let_in(handoff, step)
    else:
        ringing.dial(handoff, step)


def caller_on_stream(handoff: Handoff, step: s.Step) -> None:
    """The agent has the caller."""
    handoff.fire(Trigger.STREAM, step.now)


def caller_said(handoff: Handoff, signal: s.CallerSaid, step: s.Step) -> None:
    """What a caller says while they wait is told to the human."""
    request = handoff.request
    if request is not None and signal.started_at >= request.asked_at:
        handoff.said.append((signal.started_at, signal.text))


def caller_gone(handoff: Handoff, signal: s.CallerGone, step: s.Step) -> None:
    """The caller is gone: every leg that was for them ends, whatever it was doing."""
    state = handoff.state
    if handoff.talked:
        handoff.keep("bridged", step.now, target=handoff.legs.taker(handoff.wave))
    elif state is HandoffState.MESSAGE:
        handoff.unanswered = True
    elif handoff.running and state is not HandoffState.RETURNING:
        handoff.keep("caller-gone", step.now)
    handoff.failed = handoff.failed or signal.given_up
    handoff.fire(Trigger.GONE, step.now)
    step.do(*handoff.legs.drop_all())


def met_after_all(handoff: Handoff, step: s.Step) -> None:
    """The caller's leg had a human when it ended: so says the carrier, after it told of the end."""
    if handoff.met_after_all():
        step.tell(s.RecordChanged())


def expire(handoff: Handoff, step: s.Step) -> None:
    """The hand-off has waited for something for long enough. Early or late calls are harmless."""
    if not handoff.late(step.now):
        return
    match handoff.state:
        case HandoffState.CHECKING:
            asking.go(handoff, step)
        case HandoffState.RINGING | HandoffState.SCREENING:
            screening.wave_over(handoff, step)
        case HandoffState.BRIDGING:
            meeting.not_met(handoff, step)
        case _:
            outcome.done(handoff, step)
