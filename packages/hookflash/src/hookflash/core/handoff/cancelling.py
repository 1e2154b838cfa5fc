"""A hand-off, or a human's leg that still rings, is cancelled.

Functions of (handoff, ..., step). A hand-off can be cancelled until the caller is on their way to
the human. Cancelling it ends every leg. When one human takes the call, the other legs end.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.handoff import outcome
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.legs import LegState
from hookflash.core.handoff.starting import answer_tool
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.phases import Phase

_CAN_BE_CANCELLED = frozenset(
    {
        HandoffState.CHECKING,
        HandoffState.FAREWELL,
        HandoffState.RINGING,
        HandoffState.SCREENING,
        HandoffState.CLOSING,
    }
)


def handoff_unwanted(handoff: Handoff, signal: s.HandoffUnwanted, step: s.Step) -> None:
    """The agent's tool, or the caller by interrupting the last words, cancels the hand-off."""
    if signal.quiet and handoff.state is HandoffState.MESSAGE:
        handoff.fire(Trigger.STREAM, step.now)
        return
    state = handoff.state.value
    off = cancel(handoff, step)
    if signal.call_id is None:
        return
    if off:
        answer_tool(signal.call_id, "cancelled", prompts.cancelled(""), step)
    else:
        answer_tool(signal.call_id, "nothing to cancel", state, step)


def cancelled(handoff: Handoff, event: e.HandoffCancelled, step: s.Step) -> None:
    """Somebody other than the model cancels the hand-off."""
    if handoff.leg.phase is Phase.HANDING_OFF:
        outcome.give_back(handoff, step)
    elif cancel(handoff, step):
        # The agent drops what it was about to say about the hand-off.
        step.tell(s.TellAgent(known=prompts.cancelled(event.by), say=prompts.SAY_CANCELLED))


def cancel(handoff: Handoff, step: s.Step) -> bool:
    """Cancel the hand-off and end every leg. Return False if it cannot be cancelled now."""
    if handoff.state not in _CAN_BE_CANCELLED:
        return False
    request = handoff.request
    if handoff.state is HandoffState.CHECKING and request is not None and request.call_id:
        output = prompts.tool_status("cancelled", prompts.cancelled(""))
        step.tell(s.AnswerTool(call_id=request.call_id, output=output))
    elif handoff.state in (HandoffState.FAREWELL, HandoffState.CLOSING):
        step.tell(s.LastWordsOff())
    handoff.record_attempt("cancelled", step.now)
    handoff.fire(Trigger.CANCELLED, step.now)
    step.do(*handoff.legs.end_all())
    return True


def cancel_other_legs(handoff: Handoff, step: s.Step, *, but_answered: bool = False) -> None:
    """One human takes the call: end every other leg, ringing or not.

    `but_answered`: the legs of humans who have answered go on. They may be needed until the caller
    is bridged with the first.
    """
    answered = (LegState.ASKED, LegState.WAITING)
    for leg in handoff.legs.live:
        if leg is handoff.legs.chosen or (but_answered and leg.state in answered):
            continue
        handoff.record_attempt("cancelled", step.now, target=leg.target)
        # The carrier is about to ask again about a human who waits, and they are thanked then.
        step.do(*handoff.legs.end(leg, by_answer=leg.state is LegState.WAITING))
