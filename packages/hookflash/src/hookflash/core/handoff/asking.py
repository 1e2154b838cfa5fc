"""A human is wanted: by the model, a key, a supervisor, a policy. Whether, how, and calling it off.

Functions of (handoff, ..., step). Where hours or presence have to be looked up, that comes first,
and the tool call that asked waits for the answer; then the hand-off begins with the agent's last
words (cold), or the human is rung while the agent stays (warm, consult).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import CheckTargets, HangUp, Speak
from hookflash.core.handoff import outcome, ringing
from hookflash.core.handoff.handoff import Handoff, Request
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.handoff_plan import Destination
from hookflash.core.phases import Phase

_CAN_BE_CALLED_OFF = frozenset(
    {
        HandoffState.CHECKING,
        HandoffState.FAREWELL,
        HandoffState.RINGING,
        HandoffState.SCREENING,
        HandoffState.CLOSING,
    }
)

_LAST_WORDS = lines.tool_status(
    "accepted", "The caller is moved to the human as soon as they have heard your last words."
)


# --- who asks -------------------------------------------------------------------------------------


def wanted(handoff: Handoff, signal: s.HandoffWanted, step: s.Step) -> None:
    """Begin a hand-off, unless one is on the way already."""
    to = handoff.find(signal.destination)
    if signal.plan is not None:
        to = Destination(key=str(signal.destination), when="", plan=signal.plan)
    if to is None:
        keys = ", ".join(each.key for each in handoff.setup.destinations) or "none"
        refusal = f"destination must be one of: {keys}; got {signal.destination!r}."
        _answer(signal.call_id, "refused", f"{refusal} Choose one of these.", step)
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
        _answer(signal.call_id, "already under way", handoff.state.value, step)
    elif request.destination.checked:
        handoff.fire(Trigger.CHECK, step.now)
        handoff.checks += 1
        step.do(CheckTargets(handoff.checks, to.key))
    else:
        go(handoff, step)


def _manner(handoff: Handoff, to: Destination) -> str:
    by_sip = handoff.facts.caller.lower().startswith(("sip:", "sips:"))
    return "cold" if to.plan.manner == "refer" and not by_sip else to.plan.manner


def fallback(handoff: Handoff, reason: str, step: s.Step) -> bool:
    """Ask for the human of last resort. There is no goodbye, for there is nobody to say it."""
    key = handoff.setup.fallback
    to = handoff.find(key) if key is not None else None
    if to is None:
        return False
    handoff.fire(Trigger.STREAM, step.now)
    request = Request(
        destination=to, reason=reason, summary="", source="failure", asked_at=step.now
    )
    return handoff.ask(request) and handoff.more(step.now)


# --- how it begins --------------------------------------------------------------------------------


def targets_checked(handoff: Handoff, event: e.TargetsChecked, step: s.Step) -> None:
    if handoff.state is not HandoffState.CHECKING or event.check != handoff.checks:
        return
    handoff.set_targets(event.free)
    if event.open and handoff.more(step.now):
        go(handoff, step)
    else:
        _closed(handoff, event, step)


def go(handoff: Handoff, step: s.Step) -> None:
    """The human is rung while the agent stays, or the agent's last words begin."""
    request = handoff.request
    assert request is not None
    to = request.destination
    if not handoff.more(step.now):
        # Its only targets are this line itself.
        _closed(handoff, e.TargetsChecked(handoff.checks), step)
        return
    if handoff.stays:
        ringing.ring(handoff, step, Trigger.REACH)
        told = lines.ringing(to)
        if request.call_id is None:
            step.tell(s.TellAgent(known=told, company=True))
        else:
            output = lines.tool_status("ringing", told)
            step.tell(s.AnswerTool(call_id=request.call_id, output=output, company=True))
        return
    handoff.fire(Trigger.GOODBYE, step.now)
    answer = None
    if request.call_id is not None:
        answer = s.AnswerTool(call_id=request.call_id, output=_LAST_WORDS)
    step.tell(
        s.LastWordsDue(
            purpose="hand-off",
            text=lines.farewell(to),
            spoke=request.spoke,
            protected=not to.plan.interruptible,
            answer=answer,
        )
    )


def _closed(handoff: Handoff, event: e.TargetsChecked, step: s.Step) -> None:
    """A destination that nobody answers now is a clear answer to whoever asked."""
    request = handoff.request
    assert request is not None
    to = request.destination
    handoff.keep("closed", step.now, note=event.opens)
    handoff.fire(Trigger.CLOSED, step.now)
    told = lines.closed(to, event.opens, event.open)
    if request.call_id is not None:
        _answer(request.call_id, "closed", told, step)
        return
    say = lines.say_closed(to, event.opens, event.open)
    step.tell(s.TellAgent(known=told, say=say))


def without_agent(handoff: Handoff, signal: s.AgentGone, step: s.Step) -> None:
    """There is no agent: a human, or a sentence."""
    if handoff.reaching:
        # A human is rung already: the caller waits for them with music.
        ringing.wait_in_room(handoff, step)
        return
    if handoff.state is HandoffState.CHECKING and not handoff.more(step.now):
        # Its only targets are this line itself.
        handoff.keep("closed", step.now)
        handoff.fire(Trigger.CLOSED, step.now)
    if handoff.state is HandoffState.CHECKING:
        handoff.no_company()
    elif handoff.setup.consult is not None or not fallback(handoff, signal.reason, step):
        handoff.failed = True
        sentence = (Speak(handoff.setup.apology), HangUp())
        step.tell(s.MoveCaller(instructions=sentence, phase=Phase.ENDING))
        return
    ringing.dial(handoff, step)


# --- calling it off -------------------------------------------------------------------------------


def unwanted(handoff: Handoff, signal: s.HandoffUnwanted, step: s.Step) -> None:
    """The agent, or the caller by speaking, calls it off."""
    if signal.quiet and handoff.state is HandoffState.MESSAGE:
        handoff.fire(Trigger.STREAM, step.now)
        return
    state = handoff.state.value
    off = call_off(handoff, step)
    if signal.call_id is None:
        return
    if off:
        _answer(signal.call_id, "cancelled", lines.cancelled(""), step)
    else:
        _answer(signal.call_id, "nothing to cancel", state, step)


def cancelled(handoff: Handoff, event: e.HandoffCancelled, step: s.Step) -> None:
    """Somebody other than the model calls it off."""
    if handoff.leg.phase is Phase.HANDING_OFF:
        outcome.give_back(handoff, step)
    elif call_off(handoff, step):
        # What it was about to say of the hand-off it says no more.
        step.tell(s.TellAgent(known=lines.cancelled(event.by), say=lines.SAY_CANCELLED))


def call_off(handoff: Handoff, step: s.Step) -> bool:
    """Drop a hand-off that has not come to its human, and every leg of it; False if none runs."""
    if handoff.state not in _CAN_BE_CALLED_OFF:
        return False
    request = handoff.request
    if handoff.state is HandoffState.CHECKING and request is not None and request.call_id:
        output = lines.tool_status("cancelled", lines.cancelled(""))
        step.tell(s.AnswerTool(call_id=request.call_id, output=output))
    elif handoff.state in (HandoffState.FAREWELL, HandoffState.CLOSING):
        step.tell(s.LastWordsOff())
    handoff.keep("cancelled", step.now)
    handoff.fire(Trigger.CANCELLED, step.now)
    step.do(*handoff.legs.drop_all())
    return True


def _answer(call_id: str | None, status: str, detail: str, step: s.Step) -> None:
    """Answer the tool call that asks, if one does."""
    if call_id is not None:
        step.tell(s.AnswerTool(call_id=call_id, output=lines.tool_status(status, detail)))
