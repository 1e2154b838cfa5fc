"""Every way on and off the stream: arriving, moving to a human, coming back, ending.

Functions of (call, event, now) that couple the machines. One principle runs through them: when
the carrier asks what is next, there is always an answer that leaves the caller with somebody, or
with a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import (
    asking,
    consulting,
    lines,
    losing,
    meeting,
    reaching,
    taking_message,
    talking,
)
from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    CloseModel,
    CloseStream,
    ConnectAgent,
    HangUp,
    Instruction,
    KeepInQueue,
    LeaveQueue,
    Message,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
)
from hookflash.core.handoff_table import State
from hookflash.core.phases import Phase
from hookflash.core.record import CallRecord
from hookflash.core.route import Where

if TYPE_CHECKING:
    from hookflash.core.call import Call

_STREAM_TRIES = 4
"""So many streams in a row that never opened, and the caller is brought to a human instead."""

BROKEN_SECONDS = 15.0
"""How long the carrier may take to ask what is next after a road has broken."""

_MESSAGE_SECONDS = 300.0
"""The longest message, and what its webhooks may take."""

TALK_SECONDS = 4 * 3600.0 + 600.0
"""Twilio's longest call, and a little."""

Asked = tuple[int, str] | None
"""The question of the carrier's that has to be answered: the step and the leg's SID that it names.
None where it has not asked: then the caller's leg is moved."""


# --- arriving ---------------------------------------------------------------------------------


def call_arrived(call: Call, event: e.CallArrived, now: float) -> list[AnyCommand]:
    facts = call.facts
    if facts.call_sid:
        return _asked_again(call, now)
    facts.call_sid, facts.caller, facts.called = event.call_sid, event.caller, event.called
    facts.arrived_at = now
    return to_agent(call, (0, ""), greeting(call), None, now)


def greeting(call: Call) -> RequestResponse:
    """Return the first words of a call, those before which nothing has to be said."""
    consult = call.setup.consult
    if consult is not None:
        return RequestResponse(lines.briefing(consult.briefing))
    return RequestResponse(lines.greeting(call.setup.greeting))


def _asked_again(call: Call, now: float) -> list[AnyCommand]:
    """The first webhook again: a retry, or the carrier's fallback because it has lost its way."""
    if call.phase is Phase.TALKING and call.facts.stream_sid is None:
        return _resume(call, call.route.step, "", now)
    if call.phase is Phase.ENDED:
        return [AnswerCarrier((HangUp(),))]
    call.route.asked()
    return [AnswerCarrier(call.route.in_force)]


def to_agent(
    call: Call, asked: Asked, opening: RequestResponse | None, note: str | None, now: float
) -> list[AnyCommand]:
    """Give the caller's leg a stream to the agent, and have a model ready when it opens."""
    instructions = (ConnectAgent(call.route.next_step()),)
    where = _where(call)
    call.enter(Phase.RINGING, now + call.setup.stream_seconds)
    close: list[AnyCommand] = [CloseModel()] if call.model.listening else []
    # The carrier knows it first that a stream is over: our end may not have noticed yet.
    call.facts.stream_sid = None
    close_lines(call, now)
    call.facts.stream_tries += 1
    call.opening = opening
    if note is not None:
        call.transcript.note(Message("system", note))
    call.model.open(now)
    go = _send(call, instructions, asked, now, where=where)
    return [*close, OpenModel(call.transcript.history()), *go]


def _send(
    call: Call,
    instructions: tuple[Instruction, ...],
    asked: Asked,
    now: float,
    *,
    where: Where,
) -> list[AnyCommand]:
    """Answer the carrier's question, or take the caller's leg off what it does now."""
    if asked is not None:
        call.route.answer(*asked, instructions)
        return [AnswerCarrier(instructions)]
    moves = call.route.move(instructions, now, where=where)
    if any(isinstance(each, CloseStream) for each in moves):
        # A move that is still under way may end it, too: it says nothing about the newest step.
        call.facts.stream_sid = None
    return [*moves]


def _where(call: Call) -> Where:
    """Say what the caller's leg is taken off. Without a stream, and not with humans either, the
    carrier is just about to ask, or has not even answered the call."""
    if call.phase not in (Phase.RINGING, Phase.TALKING):
        return "leaving" if call.facts.stream_sid is not None else "elsewhere"
    return "stream" if call.facts.stream_sid is not None else "between"


# --- the carrier asks what is next ------------------------------------------------------------


def instructions_asked(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    if call.phase is Phase.ENDED and not call.facts.completed and call.route.to_room:
        # We had given the call up, and its human; the caller is there all the same.
        call.route.in_force = ()
        return _resume(call, event.step, event.leg_sid, now)
    known = call.route.known_answer(event.step, event.leg_sid)
    if known is not None:
        return [AnswerCarrier(known)]
    call.route.asked()
    if event.point == "voicemail":
        return taking_message.recorded(call, event, now)
    if call.facts.completed or call.phase is Phase.ENDING:
        late: list[AnyCommand] = []
        now_over = event.step == call.route.step and event.outcome == "bridged"
        if now_over and call.handoff.met_after_all():
            # They had spoken with a human: that their leg is over was only told first.
            late = [StoreRecord(record(call, now))]
        return [*late, AnswerCarrier((HangUp(),))]
    if event.point == "connect" or call.phase not in (Phase.HANDING_OFF, Phase.WITH_HUMAN):
        return _resume(call, event.step, event.leg_sid, now)
    if event.point in ("room", "hold"):
        return meeting.caller_asks(call, event, now)
    return _human_is_done(call, event, now)


def _resume(call: Call, step: int, leg_sid: str, now: float) -> list[AnyCommand]:
    """The stream ended without our doing and the caller is still there."""
    asked = (step, leg_sid)
    if call.farewell.purpose is not None:
        return farewell_over(call, now, asked)
    if call.facts.stream_tries < _STREAM_TRIES:
        opening = call.opening or RequestResponse(lines.CUT_OFF)
        return to_agent(call, asked, opening, None, now)
    if call.setup.consult is None and losing.request_fallback(
        call, "the agent could not be connected", now
    ):
        return bring(call, (reaching.dial(call, now),), Phase.HANDING_OFF, asked, now)
    call.facts.failed = True
    call.route.next_step()
    return bring(call, (Speak(call.setup.apology), HangUp()), Phase.ENDING, asked, now)


def _human_is_done(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    """A dialled human hung up, or was never reached: the outcome has one next step."""
    outcome = event.outcome or "failed"
    asked = (event.step, event.leg_sid)
    if outcome == "caller-gone":
        gone = losing.call_completed(call, e.CallCompleted(), now)
        return [*gone, AnswerCarrier((HangUp(),))]
    if outcome == "bridged":
        call.handoff.human_at = call.handoff.human_at or now
        return meeting.done(call, asked, now)
    rung = [leg for leg in call.legs.live if leg.dialled]
    target = rung[0].target if len(rung) == 1 else None
    for leg in rung:
        call.legs.over(leg)
    call.handoff.keep(outcome, now, target=target)
    return reaching.nobody(call, outcome, "", now, asked)


def bring(
    call: Call,
    instructions: tuple[Instruction, ...],
    phase: Phase,
    asked: Asked,
    now: float,
) -> list[AnyCommand]:
    """Bring the caller's leg to something that is not the agent."""
    where = _where(call)
    if not any(hasattr(each, "step") for each in instructions):
        call.route.next_step()
    # The phase comes first: the `stop` that follows must find it.
    commands = leave(call, phase, now)
    return [*commands, *_send(call, instructions, asked, now, where=where)]


def queue_asked(call: Call, event: e.QueueAsked, now: float) -> list[AnyCommand]:
    """A caller waits in a queue: their place, how long it takes, and the key out of it."""
    request = call.handoff.request
    if request is None or call.phase is not Phase.HANDING_OFF or event.step != call.route.step:
        return [AnswerCarrier((LeaveQueue(),))]
    plan = request.destination.plan
    late = now >= request.asked_at + plan.total_seconds
    if late or (plan.queue_leave_key and event.digit == plan.queue_leave_key):
        return [AnswerCarrier((LeaveQueue(),))]
    place = lines.position(event.position, event.average_seconds)
    text = place + lines.leave_queue(plan.queue_leave_key)
    seconds = plan.queue_announce_seconds
    return [AnswerCarrier((KeepInQueue(event.step, text, seconds, plan.language),))]


# --- to a human -------------------------------------------------------------------------------


def record(call: Call, now: float) -> CallRecord:
    return call.facts.record(
        agent=call.setup.agent,
        transcript=call.transcript,
        attempts=call.handoff.attempts,
        recorded_since=call.consent.since,
        now=now,
    )


def hang_up_requested(call: Call, event: e.HangUpRequested, now: float) -> list[AnyCommand]:
    if call.phase is not Phase.TALKING or call.farewell.purpose is not None:
        return []
    ends = asking.call_off(call, now) or []
    call.farewell.begin("hang-up", spoke=False, now=now)
    return [*ends, *talking.after_heard(call, now)]


def farewell_over(call: Call, now: float, asked: Asked = None) -> list[AnyCommand]:
    """The last words were heard, or waited for long enough: the caller's leg moves."""
    purpose = call.farewell.purpose
    call.farewell.end()
    match purpose:
        case "hand-off" if call.handoff.state is State.CLOSING:
            return meeting.let_in(call, asked, now)
        case "hand-off":
            return bring(call, (reaching.dial(call, now),), Phase.HANDING_OFF, asked, now)
        case "voicemail":
            return bring(call, (taking_message.take(call),), Phase.ENDING, asked, now)
        case "consulted":
            return consulting.settled(call, asked, now)
    return bring(call, (HangUp(),), Phase.ENDING, asked, now)


def leave(call: Call, phase: Phase, now: float) -> list[AnyCommand]:
    """The agent's part is over for now: its model is not needed, and nothing more is heard."""
    until = now + BROKEN_SECONDS * 4
    if phase is Phase.HANDING_OFF:
        ring_seconds = call.handoff.plan.ring_seconds
        queued = any(target.kind == "queue" for target in call.handoff.plan.targets)
        until = now + (TALK_SECONDS if queued else ring_seconds + BROKEN_SECONDS * 2)
        if call.handoff.stays:
            # The humans' legs have times of their own.
            until = now + call.handoff.plan.total_seconds + BROKEN_SECONDS * 8
    elif phase is Phase.WITH_HUMAN:
        until = now + TALK_SECONDS
    elif phase is Phase.ENDING and call.handoff.state is State.MESSAGE:
        until = now + _MESSAGE_SECONDS
    call.enter(phase, until)
    close_lines(call, now)
    call.farewell.end()
    call.opening = None
    return [CloseModel()]


def settle(call: Call, now: float) -> None:
    """The stream is over: what was heard on it was heard, and no more."""
    for fate in call.playout.stop(now):
        call.transcript.agent_heard(fate, now)


def close_lines(call: Call, now: float) -> None:
    """Stream and model are let go: what is unheard stays so, what was asked is asked no more."""
    settle(call, now)
    call.floor.forget()
    call.floor.protected = False
    call.handoff.comfort_at = None
    call.keypad.take()
    call.tools.orphan_all()
    call.consent.interrupt()
    call.model.close()


def call_moved(call: Call, event: e.CallMoved, now: float) -> list[AnyCommand]:
    return [*call.route.accepted(event.step, now, fixed=_fixed(call))]


def carrier_refused(call: Call, event: e.CarrierRefused, now: float) -> list[AnyCommand]:
    if event.gone:
        return losing.over(call, now)
    return [*call.route.refused(event.step, now, fixed=_fixed(call))]


def _fixed(call: Call) -> bool:
    """Whether it is known where the caller's leg is: an open stream is that of the newest step."""
    return call.facts.stream_sid is not None or call.phase is Phase.ENDED
