"""Another agent takes the call: a session of its own is opened with what was heard so far.

    the agent asks --BringAgent--> brought --> a new session --has spoken--> it has the call
                                |                  +-- lost before --> the first agent has it back
                                +-- missing: the agent that asked goes on

The sound that the first agent has sent is heard to its end. Until the new agent speaks, a prepared
line or a tone is played.

Functions of (conversation, ..., step).
"""

from __future__ import annotations

from typing import Any

import msgspec

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import BringAgent, CloseModel, Message, OpenModel
from hookflash.core.conversation import fillers, interruptions, speaking
from hookflash.core.conversation.conversation import AgentChange, Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import TurnState
from hookflash.core.record import AgentTransfer
from hookflash.core.setup import CallSetup

_MOST_CHANGES = 10
"""How often a call may change agents. Two that send each other every caller are a mistake."""


def agent_wanted(talk: Conversation, call_id: str, arguments: dict[str, Any], step: s.Step) -> None:
    """The model wants another agent to take the call."""
    key = str(arguments.get("agent", ""))
    refusal = ""
    if talk.farewell.purpose is not None or talk.handoff.running or talk.change is not None:
        refusal = "The call is about to go elsewhere already."
    elif key not in talk.setup.colleagues:
        known = ", ".join(talk.setup.colleagues) or "none"
        refusal = f"There is no agent {key!r}; agents: {known}."
    elif len(talk.transfers) >= _MOST_CHANGES:
        refusal = "The call has changed agents too often. Help the caller yourself."
    if refusal:
        output = prompts.tool_status("not now", refusal)
        speaking.answer_own_tool(talk, call_id, output, step)
        return
    reason, summary = (str(arguments.get(name, ""))[:1000] for name in ("reason", "summary"))
    talk.change = AgentChange(key, call_id, reason, summary)
    step.do(BringAgent(key))


def agent_refused(talk: Conversation, event: e.AgentRefused, step: s.Step) -> None:
    """The other agent cannot take the call: the one that asked goes on."""
    change, talk.change = talk.change, None
    if change is None or not talk.live:
        return
    output = prompts.tool_status("failed", "The other agent is not available.")
    speaking.answer_own_tool(talk, change.call_id, output, step)


def agent_prepared(talk: Conversation, event: e.AgentPrepared, step: s.Step) -> None:
    """The other agent takes the call."""
    change, talk.change = talk.change, None
    if change is None or not talk.live or talk.farewell.purpose is not None:
        return
    old = talk.setup
    brought = msgspec.convert(event.setup, CallSetup)
    # What was agreed with the caller, and the limits of the call, stay.
    setup = msgspec.structs.replace(
        brought,
        record=old.record,
        consent=old.consent,
        max_call_seconds=old.max_call_seconds,
        outbound=old.outbound,
    )
    talk.transfers.append(
        AgentTransfer(
            from_agent=old.agent,
            to_agent=setup.agent,
            reason=change.reason,
            started_at=step.now,
        )
    )
    known, say = prompts.agent_took_over(old.agent, change.reason, change.summary)
    _change(talk, setup, known, say, step, CloseModel())
    talk.before = old


def give_back(talk: Conversation, step: s.Step, close: CloseModel) -> None:
    """The session of the new agent is lost before it has spoken: the one before has the call."""
    before, talk.before = talk.before, None
    assert before is not None
    failed = talk.transfers[-1]
    talk.transfers[-1] = msgspec.structs.replace(failed, outcome="failed")
    known, say = prompts.agent_unreachable(failed.to_agent)
    _change(talk, before, known, say, step, close)


def _change(
    talk: Conversation, setup: CallSetup, known: str, say: str, step: s.Step, close: CloseModel
) -> None:
    """Replace the session by one of another agent, which speaks first."""
    if talk.requests.caller_speaking:
        # The old session will not report the end of their turn. The new one hears what follows.
        talk.turn.enter(TurnState.OVER, step.now)
        interruptions.turn_ended(talk, step)
    talk.requests.lost(step.now)
    talk.requests.drop_all(step.now)
    talk.tools.orphan_all()
    talk.foreign |= talk.playout.end_all()
    talk.consent.model_lost()
    talk.owes_answer = False
    talk.fillers = 0
    talk.transcript.note(Message("system", known))
    talk.opening = Request(Kind.OPENING, say)
    talk.model.close(step.now)
    step.do(close)
    step.tell(s.AgentChanged(setup=setup))
    talk.model.open(step.now)
    step.do(OpenModel(talk.transcript.history()))
    if not talk.playout.playing():
        fillers.answer_is_late(talk, step)
