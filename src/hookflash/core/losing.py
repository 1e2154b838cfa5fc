"""Losses, and the end: the model, the stream or the process goes; at last the caller does.

Functions of (call, event, now) that couple the machines. Each loss has a next step for the
caller: another session that knows the conversation, a human, or at least a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import asking, handoff, leaving, lines, meeting, reaching
from hookflash.core import events as e
from hookflash.core.commands import (
    AnyCommand,
    CloseModel,
    HangUp,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
)
from hookflash.core.handoff import Trigger
from hookflash.core.handoff_table import State
from hookflash.core.model_line import State as ModelState
from hookflash.core.phases import Phase

if TYPE_CHECKING:
    from hookflash.core.call import Call

_STOPPED_SECONDS = 5.0
"""How long the carrier may take to ask what is next after a `stop` that we did not cause."""


# --- losses -----------------------------------------------------------------------------------


def stream_stopped(call: Call, event: e.StreamStopped, now: float) -> list[AnyCommand]:
    """Expected when the call was moved; otherwise the caller hung up or the road broke, and the
    carrier says which by asking what is next, or by not asking."""
    if event.stream_sid != call.facts.stream_sid:
        return []
    call.facts.stream_sid = None
    if call.phase is not Phase.TALKING:
        return []
    leaving.close_lines(call, now)
    seconds = _STOPPED_SECONDS if event.reason == "stop" else leaving.BROKEN_SECONDS
    call.enter(Phase.TALKING, now + seconds)
    return [CloseModel(), *call.route.stopped(now)]


def model_lost(call: Call, event: e.ModelLost, now: float) -> list[AnyCommand]:
    """Another session with the conversation so far; without one, a human; without one, words."""
    if call.model.state in (ModelState.CLOSED, ModelState.DEAD):
        return []
    owed = call.floor.forget()
    call.tools.orphan_all()
    call.playout.end_all()
    call.consent.interrupt()
    if owed and call.opening is None and call.farewell.purpose is None:
        call.opening = RequestResponse(lines.CUT_OFF)
    if call.model.lost(hopeless=event.remedy == "none", now=now):
        return [CloseModel(), *_reopen(call, now)]
    return [CloseModel(), *_without_model(call, now)]


def _reopen(call: Call, now: float) -> list[AnyCommand]:
    if call.model.state is not ModelState.WAITING or not call.model.due(now):
        return []
    call.model.open(now)
    return [OpenModel(call.transcript.history())]


def _without_model(call: Call, now: float) -> list[AnyCommand]:
    if call.farewell.purpose is not None:
        return leaving.farewell_over(call, now)
    if call.handoff.reaching:
        # A human is rung already: the caller waits for them with music.
        waits = (reaching.waiting(call),)
        return leaving.bring(call, waits, Phase.HANDING_OFF, None, now)
    if call.handoff.state is State.CHECKING:
        call.handoff.no_company()
        to_human = (reaching.dial(call, now),)
        return leaving.bring(call, to_human, Phase.HANDING_OFF, None, now)
    if call.setup.consult is None and request_fallback(call, "the agent is not available", now):
        to_human = (reaching.dial(call, now),)
        return leaving.bring(call, to_human, Phase.HANDING_OFF, None, now)
    call.facts.failed = True
    ending = (Speak(call.setup.apology), HangUp())
    return leaving.bring(call, ending, Phase.ENDING, None, now)


def request_fallback(call: Call, reason: str, now: float) -> bool:
    """Ask for the human of last resort. There is no goodbye, for there is nobody to say it."""
    to = asking.destination(call, call.setup.fallback)
    if to is None:
        return False
    call.handoff.fire(Trigger.STREAM)
    return call.handoff.ask(
        handoff.Request(destination=to, reason=reason, summary="", source="failure", asked_at=now)
    )


def call_recovered(call: Call, event: e.CallRecovered, now: float) -> list[AnyCommand]:
    call.facts.stream_sid = None
    leaving.close_lines(call, now)
    call.tools.cancel_all()
    if call.phase in (Phase.RINGING, Phase.TALKING):
        call.enter(call.phase, now + leaving.BROKEN_SECONDS)
    return []


def shutdown_requested(call: Call, event: e.ShutdownRequested, now: float) -> list[AnyCommand]:
    """Nobody is dropped because we stop: a human, or a sentence."""
    if call.phase not in (Phase.RINGING, Phase.TALKING):
        return []
    return _without_model(call, now)


# --- the end ----------------------------------------------------------------------------------


def call_completed(call: Call, event: e.CallCompleted, now: float) -> list[AnyCommand]:
    call.facts.completed = True
    return over(call, now)


def expire(call: Call, now: float) -> list[AnyCommand]:
    commands: list[AnyCommand] = []
    last_words = call.farewell.deadline if call.facts.stream_sid is not None else None
    if last_words is not None and now >= last_words:
        commands += leaving.farewell_over(call, now)
    moves = call.route.expire(now)
    if moves is None:
        call.facts.failed = call.facts.failed or call.phase is Phase.HANDING_OFF
        commands += over(call, now)
    else:
        commands += moves
    if call.model.due(now):
        if call.model.state is ModelState.OPENING:
            commands += model_lost(call, e.ModelLost("no answer in time"), now)
        else:
            commands += _reopen(call, now)
    if call.handoff.until is not None and now >= call.handoff.until:
        commands += _handoff_late(call, now)
    if call.until is not None and now >= call.until:
        if call.route.deadline is not None and call.facts.stream_sid is None:
            # REST is down, and the caller hears music meanwhile: it is still being tried.
            call.until = call.route.deadline + leaving.BROKEN_SECONDS
        else:
            commands += over(call, now)
    return commands


def _handoff_late(call: Call, now: float) -> list[AnyCommand]:
    """The hand-off has waited for something for long enough."""
    call.handoff.until = None
    match call.handoff.state:
        case State.CHECKING:
            return asking.not_checked(call, now)
        case State.RINGING | State.SCREENING:
            return reaching.expire(call, now)
    return meeting.expire(call, now)


def over(call: Call, now: float) -> list[AnyCommand]:
    """The caller's leg is gone: let go of everything, and keep the record."""
    if call.phase is Phase.ENDED:
        return []
    ends = _abandon(call, now)
    call.route.asked()
    commands: list[AnyCommand] = [*call.tools.cancel_all(), *leaving.leave(call, Phase.ENDED, now)]
    call.until = None
    call.transcript.close()
    return [*commands, *ends, StoreRecord(leaving.record(call, now))]


def _abandon(call: Call, now: float) -> list[AnyCommand]:
    """The caller is gone: every leg that was for them ends, whatever it was doing."""
    state = call.handoff.state
    if state in (State.WITH_HUMAN, State.PARTING):
        call.handoff.keep("bridged", now, target=call.legs.taker(call.handoff.wave))
    elif state is State.MESSAGE:
        call.facts.unanswered = True
    elif state not in (State.IDLE, State.RETURNING, State.DONE, State.FAILED):
        call.handoff.keep("caller-gone", now)
    call.handoff.fire(Trigger.GONE)
    call.handoff.until = call.handoff.comfort_at = None
    return [*call.legs.drop_all()]
