"""A call as its owner's hooks see it, at one moment."""

from __future__ import annotations

from hookflash.agents.view import CallView
from hookflash.core.call import Call


def view_of(call: Call, now: float, said: str = "") -> CallView:
    """Return a call as plain facts; `said` is what the caller has just said."""
    facts = call.facts
    return CallView(
        call_sid=facts.call_sid,
        agent=call.setup.agent,
        caller=facts.caller,
        called=facts.called,
        seconds=round(now - facts.arrived_at, 3),
        transcript=call.conversation.transcript.utterances(facts.arrived_at),
        said=said,
        failed_tools=sum(use.failed for use in call.conversation.tool_uses),
        barge_ins=call.conversation.barge_ins,
    )
