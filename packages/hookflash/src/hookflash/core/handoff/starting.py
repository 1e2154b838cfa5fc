"""Somebody asks for a human, and the hand-off starts, or is refused.

Functions of (handoff, ..., step). The model, a key, a supervisor or a policy asks. If the
destination has opening hours, or its owner knows who is free, that is checked first, and the tool
call waits. Then the agent says its last words (cold), or the human is rung while the agent stays
(warm, consult).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import CheckTargets, HangUp, RefuseTarget, Speak
from hookflash.core.handoff import ringing
from hookflash.core.handoff.handoff import Handoff, Request
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.handoff_plan import Destination
from hookflash.core.phases import Phase

NOT_PERMITTED = "a target may not be rung: no dial prefix permits its number"
"""The note of an attempt whose free targets were all refused."""

_LAST_WORDS = prompts.tool_status(
    "accepted", "The caller is moved to the human as soon as they have heard your last words."
)


# --- who asks -------------------------------------------------------------------------------------


def handoff_wanted(handoff: Handoff, signal: s.HandoffWanted, step: s.Step) -> None:
    """Start a hand-off, unless one is running."""
    to = handoff.find(signal.destination)
    if signal.plan is not None:
        to = Destination(key=str(signal.destination), when="", plan=signal.plan)
    if to is None:
        keys = ", ".join(each.key for each in handoff.setup.destinations) or "none"
        refusal = f"destination must be one of: {keys}; got {signal.destination!r}."
        answer_tool(signal.call_id, "refused", f"{refusal} Choose one of these.", step)
        return
    request = Request(
        destination=to,
        reason=signal.reason,
        summary=signal.summary,
        source=signal.source,
        asked_at=step.now,
        call_id=signal.call_id,
        spoke=signal.spoke,
        manner=_manner(handoff, to),
    )
    if not handoff.ask(request):
        answer_tool(signal.call_id, "already under way", handoff.state.value, step)
        return
    _report_refused(handoff, step)
    if request.destination.checked:
        handoff.fire(Trigger.CHECK, step.now)
        handoff.checks += 1
        step.do(CheckTargets(handoff.checks, to.key))
    else:
        begin(handoff, step)


def _manner(handoff: Handoff, to: Destination) -> str:
    by_sip = handoff.info.caller.lower().startswith(("sip:", "sips:"))
    return "cold" if to.plan.manner == "refer" and not by_sip else to.plan.manner


def begin_fallback(handoff: Handoff, reason: str, step: s.Step) -> bool:
    """Start a hand-off to the fallback destination, without last words. False: it cannot start."""
    key = handoff.setup.fallback
    to = handoff.find(key) if key is not None else None
    if to is None:
        return False
    handoff.fire(Trigger.STREAM, step.now)
    request = Request(
        destination=to, reason=reason, summary="", source="failure", asked_at=step.now
    )
    return handoff.ask(request) and _has_permitted_wave(handoff, step)


def begin_brought(handoff: Handoff, step: s.Step) -> None:
    """Ring a human for a call that came for nothing else. Its own leg dials, without an agent."""
    brought = handoff.setup.brought
    to = handoff.find(brought.destination) if brought is not None else None
    assert brought is not None and to is not None
    handoff.fire(Trigger.STREAM, step.now)
    manner = _manner(handoff, to)
    request = Request(
        destination=to,
        reason=brought.reason,
        summary=brought.summary,
        source="application",
        asked_at=step.now,
        manner="refer" if manner == "refer" else "cold",
    )
    handoff.ask(request)
    if _has_permitted_wave(handoff, step):
        ringing.dial(handoff, step)
        return
    # Its only targets are this line itself, or may not be rung.
    handoff.record_attempt("closed", step.now, note=NOT_PERMITTED)
    step.tell(s.ReturnCaller(say="", known=""))


def _has_permitted_wave(handoff: Handoff, step: s.Step) -> bool:
    _report_refused(handoff, step)
    return handoff.has_next_wave(step.now)


def _report_refused(handoff: Handoff, step: s.Step) -> None:
    for number in handoff.refused_targets:
        step.do(RefuseTarget(handoff.destination.key, number))


# --- how it starts --------------------------------------------------------------------------------


def targets_checked(handoff: Handoff, event: e.TargetsChecked, step: s.Step) -> None:
    if handoff.state is not HandoffState.CHECKING or event.check != handoff.checks:
        return
    if event.targets is not None:
        refused = handoff.refused_targets
        handoff.compute_targets(event.targets)
        for number in sorted({*handoff.refused_targets} - {*refused}):
            step.do(RefuseTarget(handoff.destination.key, number))
    handoff.set_targets(event.free)
    if event.open and handoff.has_next_wave(step.now):
        begin(handoff, step)
    else:
        _closed(handoff, event, step)


def begin(handoff: Handoff, step: s.Step) -> None:
    """Ring the human while the agent stays (warm, consult), or begin the last words (cold)."""
    request = handoff.request
    assert request is not None
    to = request.destination
    if not handoff.has_next_wave(step.now):
        # Its only targets are this line itself, or may not be rung.
        _closed(handoff, e.TargetsChecked(handoff.checks), step)
        return
    if handoff.stays:
        ringing.ring(handoff, step, Trigger.REACH)
        told = prompts.ringing(to)
        if request.call_id is None:
            step.tell(s.TellAgent(known=told, company=True))
        else:
            output = prompts.tool_status("ringing", told)
            step.tell(s.AnswerTool(call_id=request.call_id, output=output, company=True))
        return
    handoff.fire(Trigger.GOODBYE, step.now)
    answer = None
    if request.call_id is not None:
        answer = s.AnswerTool(call_id=request.call_id, output=_LAST_WORDS)
    step.tell(
        s.LastWordsDue(
            purpose="hand-off",
            text=prompts.farewell(to),
            spoke=request.spoke,
            protected=not to.plan.interruptible,
            answer=answer,
        )
    )


def _closed(handoff: Handoff, event: e.TargetsChecked, step: s.Step) -> None:
    """The destination is closed, or nobody is free: tell the agent so."""
    request = handoff.request
    assert request is not None
    to = request.destination
    note = NOT_PERMITTED if handoff.refused_targets and event.open else event.opens
    handoff.record_attempt("closed", step.now, note=note)
    handoff.fire(Trigger.CLOSED, step.now)
    told = prompts.closed(to, event.opens, event.open)
    if request.call_id is not None:
        answer_tool(request.call_id, "closed", told, step)
        return
    say = prompts.say_closed(to, event.opens, event.open)
    step.tell(s.TellAgent(known=told, say=say))


def without_agent(handoff: Handoff, signal: s.AgentGone, step: s.Step) -> None:
    """There is no agent: bring the caller to a human, or say the apology and hang up."""
    if handoff.reaching:
        # A human is rung already: the caller waits for them with music.
        ringing.wait_in_room(handoff, step)
        return
    if handoff.state is HandoffState.CHECKING and not handoff.has_next_wave(step.now):
        # Its only targets are this line itself, or may not be rung.
        handoff.record_attempt("closed", step.now)
        handoff.fire(Trigger.CLOSED, step.now)
    if handoff.state is HandoffState.CHECKING:
        handoff.make_cold()
    elif handoff.setup.consult is not None or not begin_fallback(handoff, signal.reason, step):
        handoff.failed = True
        sentence = (Speak(handoff.setup.apology), HangUp())
        step.tell(s.MoveCaller(instructions=sentence, phase=Phase.ENDING))
        return
    ringing.dial(handoff, step)


def answer_tool(call_id: str | None, status: str, detail: str, step: s.Step) -> None:
    """Answer the tool call that waits, if there is one."""
    if call_id is not None:
        step.tell(s.AnswerTool(call_id=call_id, output=prompts.tool_status(status, detail)))
