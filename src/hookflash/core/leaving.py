"""Every way on and off the stream: arriving, moving to a human, coming back, ending.

Functions of (call, event, now) that couple the machines. One principle runs through them: when
the carrier asks what is next, there is always an answer that leaves the caller with somebody, or
with a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import events as e
from hookflash.core import handoff, lines, losing, talking
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    CloseModel,
    ConnectAgent,
    HangUp,
    Instruction,
    Message,
    OpenModel,
    RequestResponse,
    Speak,
)
from hookflash.core.handoff_plan import Destination
from hookflash.core.phases import Phase

if TYPE_CHECKING:
    from hookflash.core.call import Call

_STREAM_TRIES = 4
"""So many streams in a row that never opened, and the caller is brought to a human instead."""

BROKEN_SECONDS = 15.0
"""How long the carrier may take to ask what is next after a road has broken."""

_TALK_SECONDS = 4 * 3600.0 + 600.0
"""Twilio's longest call, and a little."""


# --- arriving ---------------------------------------------------------------------------------


def call_arrived(call: Call, event: e.CallArrived, now: float) -> list[AnyCommand]:
    facts = call.facts
    if facts.call_sid:
        return _asked_again(call, now)
    facts.call_sid, facts.caller, facts.called = event.call_sid, event.caller, event.called
    facts.arrived_at = now
    opening = RequestResponse(lines.greeting(call.setup.greeting))
    return _to_agent(call, 0, "", opening, None, now)


def _asked_again(call: Call, now: float) -> list[AnyCommand]:
    """The first webhook again: a retry, or the carrier's fallback because it has lost its way."""
    if call.phase is Phase.TALKING and call.facts.stream_sid is None:
        return _resume(call, call.route.step, "", now)
    if call.phase is Phase.ENDED:
        return [AnswerCarrier((HangUp(),))]
    call.route.asked()
    return [AnswerCarrier(call.route.in_force)]


def _to_agent(
    call: Call,
    step: int,
    leg_sid: str,
    opening: RequestResponse | None,
    note: str | None,
    now: float,
) -> list[AnyCommand]:
    """Answer the carrier with a stream to the agent, and have a model ready when it opens."""
    instructions = (ConnectAgent(call.route.next_step()),)
    call.route.answer(step, leg_sid, instructions)
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
    return [*close, OpenModel(call.transcript.history()), AnswerCarrier(instructions)]


# --- the carrier asks what is next ------------------------------------------------------------


def instructions_asked(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    known = call.route.known_answer(event.step, event.leg_sid)
    if known is not None:
        return [AnswerCarrier(known)]
    call.route.asked()
    if call.facts.completed or call.phase is Phase.ENDING:
        return [AnswerCarrier((HangUp(),))]
    if event.point == "connect" or call.phase not in (Phase.HANDING_OFF, Phase.WITH_HUMAN):
        return _resume(call, event.step, event.leg_sid, now)
    return _human_is_done(call, event, now)


def _resume(call: Call, step: int, leg_sid: str, now: float) -> list[AnyCommand]:
    """The stream ended without our doing and the caller is still there."""
    farewell = call.farewell.purpose
    if farewell == "hand-off":
        call.farewell.end()
        return _answer_with_human(call, step, leg_sid, now)
    if farewell == "hang-up":
        call.farewell.end()
        return _answer_and_end(call, step, leg_sid, (HangUp(),), now)
    if call.facts.stream_tries < _STREAM_TRIES:
        opening = call.opening or RequestResponse(lines.CUT_OFF)
        return _to_agent(call, step, leg_sid, opening, None, now)
    if losing.request_fallback(call, "the agent could not be connected", now):
        return _answer_with_human(call, step, leg_sid, now)
    call.facts.failed = True
    farewell_lines = (Speak(call.setup.apology), HangUp())
    return _answer_and_end(call, step, leg_sid, farewell_lines, now)


def _human_is_done(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    """A dialled human hung up, or was never reached: the outcome has one next step."""
    outcome = event.outcome or "failed"
    plan, to = call.handoff.plan, call.handoff.destination
    next_step = call.handoff.ended(outcome, now)
    if outcome == "caller-gone":
        gone = losing.call_completed(call, e.CallCompleted(), now)
        return [*gone, AnswerCarrier((HangUp(),))]
    if next_step == "next-target":
        return _answer_with_human(call, event.step, event.leg_sid, now)
    if next_step == "return" and not _came_from_failure(call):
        after = lines.after_human(to) if outcome == "bridged" else lines.came_back(to, outcome)
        return _to_agent(call, event.step, event.leg_sid, RequestResponse(after[1]), after[0], now)
    ending: tuple[Instruction, ...] = (HangUp(),)
    if outcome != "bridged":
        call.facts.failed = True
        ending = (Speak(plan.sorry), HangUp())
    return _answer_and_end(call, event.step, event.leg_sid, ending, now)


def _came_from_failure(call: Call) -> bool:
    """Whether there is no agent to come back to."""
    return call.handoff.request is not None and call.handoff.request.source == "failure"


def _answer_with_human(call: Call, step: int, leg_sid: str, now: float) -> list[AnyCommand]:
    instructions = (call.handoff.ring(call.route.next_step(), now),)
    call.route.answer(step, leg_sid, instructions)
    return [*leave(call, Phase.HANDING_OFF, now), AnswerCarrier(instructions)]


def _answer_and_end(
    call: Call, step: int, leg_sid: str, instructions: tuple[Instruction, ...], now: float
) -> list[AnyCommand]:
    call.route.next_step()
    call.route.answer(step, leg_sid, instructions)
    return [*leave(call, Phase.ENDING, now), AnswerCarrier(instructions)]


# --- to a human -------------------------------------------------------------------------------


def destination(call: Call, key: object) -> Destination | None:
    return next((each for each in call.setup.destinations if each.key == key), None)


def begin_handoff(
    call: Call,
    to: Destination,
    reason: str,
    summary: str,
    source: str,
    *,
    spoke: bool,
    now: float,
) -> bool:
    """Start a hand-off with its farewell. Return False if one is on the way already."""
    request = handoff.Request(
        destination=to, reason=reason, summary=summary, source=source, asked_at=now
    )
    if not call.handoff.ask(request):
        return False
    call.farewell.begin("hand-off", spoke=spoke, now=now)
    if call.playout.playing():
        call.farewell.sounding(call.playout.quiet_at())
        call.farewell.spoke = spoke
    call.floor.protected = not to.plan.interruptible
    return True


def handoff_requested(call: Call, event: e.HandoffRequested, now: float) -> list[AnyCommand]:
    to = destination(call, event.destination)
    if call.phase is not Phase.TALKING or to is None or call.farewell.purpose is not None:
        return []
    begun = begin_handoff(call, to, event.reason, event.summary, event.source, spoke=False, now=now)
    return talking.after_heard(call, now) if begun else []


def hang_up_requested(call: Call, event: e.HangUpRequested, now: float) -> list[AnyCommand]:
    if call.phase is not Phase.TALKING or call.farewell.purpose is not None:
        return []
    call.farewell.begin("hang-up", spoke=False, now=now)
    return talking.after_heard(call, now)


def farewell_over(call: Call, now: float) -> list[AnyCommand]:
    """The last words were heard, or waited for long enough: the caller's leg moves."""
    purpose = call.farewell.purpose
    call.farewell.end()
    if purpose == "hand-off":
        return move_to_human(call, now)
    return move_and_end(call, (HangUp(),), now)


def move_to_human(call: Call, now: float) -> list[AnyCommand]:
    streaming = call.facts.stream_sid is not None
    instructions = (call.handoff.ring(call.route.next_step(), now),)
    # The phase comes first: the `stop` that follows must find it.
    commands = leave(call, Phase.HANDING_OFF, now)
    return [*commands, *call.route.move(instructions, now, streaming=streaming)]


def move_and_end(call: Call, instructions: tuple[Instruction, ...], now: float) -> list[AnyCommand]:
    streaming = call.facts.stream_sid is not None
    call.route.next_step()
    commands = leave(call, Phase.ENDING, now)
    return [*commands, *call.route.move(instructions, now, streaming=streaming)]


def leave(call: Call, phase: Phase, now: float) -> list[AnyCommand]:
    """The agent's part is over for now: its model is not needed, and nothing more is heard."""
    until = now + BROKEN_SECONDS * 4
    if phase is Phase.HANDING_OFF:
        ring_seconds = call.handoff.plan.ring_seconds
        queued = any(target.kind == "queue" for target in call.handoff.plan.targets)
        until = now + (_TALK_SECONDS if queued else ring_seconds + BROKEN_SECONDS * 2)
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
    call.keypad.take()
    call.tools.orphan_all()
    call.model.close()


def leg_changed(call: Call, event: e.LegChanged, now: float) -> list[AnyCommand]:
    if call.phase is not Phase.HANDING_OFF or event.step != call.route.step:
        # Late news of a leg that is no longer rung must not take the caller from the agent.
        return []
    if event.status == "ringing":
        call.handoff.ringing()
    elif event.status == "answered" and call.handoff.answered(now):
        call.enter(Phase.WITH_HUMAN, now + _TALK_SECONDS)
    return []


def call_moved(call: Call, event: e.CallMoved, now: float) -> list[AnyCommand]:
    call.route.accepted(event.step)
    return []


def carrier_refused(call: Call, event: e.CarrierRefused, now: float) -> list[AnyCommand]:
    if event.gone:
        return losing.over(call, now)
    return [*call.route.refused(event.step, now)]
