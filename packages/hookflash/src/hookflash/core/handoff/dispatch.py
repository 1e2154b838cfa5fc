"""Which function of the hand-off takes each event, and what happens at a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.handoff import bridging, cancelling, outcome, ringing, screening, starting
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.states import HandoffState, Trigger


def _room_changed(handoff: Handoff, event: e.RoomChanged, step: s.Step) -> None:
    """Somebody has joined the room of a wave, or both are in it."""
    if event.leg_sid == handoff.info.call_sid and event.change == "joined":
        step.tell(s.CallerInRoom(wave=event.wave))
    elif event.wave == handoff.wave and event.change == "joined":
        screening.joined(handoff, event, step)
    elif event.wave == handoff.wave and event.change == "started":
        bridging.room_began(handoff, step)


def _give_back(handoff: Handoff, event: e.GiveBackRequested, step: s.Step) -> None:
    outcome.give_back(handoff, step)


HANDLERS: dict[type, Callable[[Handoff, Any, s.Step], None]] = {
    e.TargetsChecked: starting.targets_checked,
    e.HandoffCancelled: cancelling.cancelled,
    e.LegPlaced: screening.leg_placed,
    e.LegRefused: screening.leg_refused,
    e.HumanAsked: screening.human_asked,
    e.ConsultDecided: screening.consult_decided,
    e.RoomChanged: _room_changed,
    e.GiveBackRequested: _give_back,
}


def last_words_heard(handoff: Handoff, step: s.Step) -> None:
    """The caller has heard the agent's last words: they go to the human."""
    if handoff.state is HandoffState.CLOSING:
        bridging.let_in(handoff, step)
    else:
        ringing.dial(handoff, step)


def caller_on_stream(handoff: Handoff, step: s.Step) -> None:
    """The caller is on a stream to the agent."""
    handoff.fire(Trigger.STREAM, step.now)


def caller_said(handoff: Handoff, signal: s.CallerSaid, step: s.Step) -> None:
    """Keep what the caller says while they wait: the whisper tells it to the human."""
    request = handoff.request
    if request is not None and signal.started_at >= request.asked_at:
        handoff.caller_said.append((signal.started_at, signal.text))


def caller_gone(handoff: Handoff, signal: s.CallerGone, step: s.Step) -> None:
    """The caller is gone: end every human's leg."""
    state = handoff.state
    handoff.check_queue(step.now)
    if handoff.talked:
        handoff.record_attempt("bridged", step.now, target=handoff.legs.taker(handoff.wave))
    elif state is HandoffState.MESSAGE:
        handoff.hung_up_at_voicemail = True
    elif handoff.running and state is not HandoffState.RETURNING:
        handoff.record_attempt("caller-gone", step.now)
    handoff.failed = handoff.failed or signal.given_up
    handoff.fire(Trigger.GONE, step.now)
    step.do(*handoff.legs.end_all())


def bridged_after_all(handoff: Handoff, signal: s.BridgedAfterAll, step: s.Step) -> None:
    """The carrier says that the caller had been bridged before they were moved or hung up."""
    if handoff.bridged_after_all(signal.wave) and signal.recorded:
        step.tell(s.RecordChanged())


def never_bridged(handoff: Handoff, signal: s.NeverBridged, step: s.Step) -> None:
    """The carrier says that the caller hung up as the human answered, so they never met."""
    if handoff.never_bridged(signal.wave):
        step.tell(s.RecordChanged())


def expire(handoff: Handoff, step: s.Step) -> None:
    """Act if the state has lasted too long. Too early changes nothing."""
    if not handoff.expired(step.now):
        return
    match handoff.state:
        case HandoffState.CHECKING:
            starting.begin(handoff, step)
        case HandoffState.RINGING | HandoffState.SCREENING:
            screening.wave_over(handoff, step)
        case HandoffState.BRIDGING:
            bridging.not_bridged(handoff, step)
        case _:
            outcome.human_done(handoff, step)
