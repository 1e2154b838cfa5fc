"""What a caller hears while they wait and the agent says nothing.

A caller is owed an answer from the end of their turn until the agent is heard. They also wait while
a tool runs, while a request is pending, and before the last words that lead to a human. While a
tool waits for digits, it is the caller's turn.

    NOTHING --owed, and quiet--> AWAITED --> LATE --> FILLING --played--> FILLED --> ...
       ^                            |          |                            |
       +------ the agent is heard --+----------+----------------------------+

    AWAITED   the model has a moment to answer; then it is asked to
    LATE      then a prepared line or a tone is played, which needs no model
    FILLED    this repeats; after the second one the session is replaced

A tool may have lines of its own (`CallSetup.tool_fillers`). They are played instead of the agent's
fillers, and the first of them sooner: a moment after the tool was called (`ToolLineState`).

While a human is rung and nobody speaks, the caller hears soft ringing (RUNG, RINGING). From time to
time the agent says that it still rings.

Functions of (conversation, step). `review` is called whenever what is owed may have changed.
"""

from __future__ import annotations

from typing import Literal

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import ClearAudio, PlayPrepared
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.playout import PREPARED
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import OwedState, SessionState, ToolLineState

_ROUNDS = 2
"""How many fillers are played before the session is replaced."""

_RINGINGS = 3
"""How often ringing is played before the agent says that it still rings."""

_RINGING = f"{PREPARED}ringing"

_OWED = (OwedState.AWAITED, OwedState.LATE, OwedState.FILLING, OwedState.FILLED)
_RUNG = (OwedState.RUNG, OwedState.RINGING)


def review(talk: Conversation, step: s.Step) -> None:
    """Enter the states that fit: is the caller owed something, and is it quiet?"""
    _review_owed(talk, step)
    waits = talk.owed.state in (OwedState.AWAITED, OwedState.LATE)
    told = talk.fillers or talk.farewell.purpose or talk.collection.open
    due = waits and talk.tools.line_is_due and not told
    wanted = ToolLineState.DUE if due else ToolLineState.NONE
    if talk.tool_line.state is not wanted:
        talk.tool_line.enter(wanted, step.now)


def _review_owed(talk: Conversation, step: s.Step) -> None:
    state = talk.owed.state
    if not talk.live or talk.playout.playing() or talk.requests.caller_speaking:
        wanted = OwedState.NOTHING
    elif is_owed(talk):
        if state in _OWED:
            return
        wanted = OwedState.FILLED if talk.fillers else OwedState.AWAITED
        if state in _RUNG or (talk.before is not None and wanted is OwedState.AWAITED):
            # The caller has heard no speech for a while already, or waits for another agent.
            wanted = OwedState.LATE
    elif talk.handoff.rung is not None:
        wanted = OwedState.RUNG
        if state in _RUNG:
            return
    else:
        wanted = OwedState.NOTHING
    if state is not wanted:
        talk.owed.enter(wanted, step.now)


def is_owed(talk: Conversation) -> bool:
    """Whether the caller waits for the agent to say something."""
    return (
        talk.owes_answer
        or talk.requests.owes
        or talk.opening is not None
        or talk.change is not None
        or (talk.tools.awaited and not talk.collection.open)
        or talk.farewell.purpose in ("hand-off", "voicemail")
        # The line is asked for when the cancelled response has ended, not before.
        or talk.farewell.line_is_due
        or (talk.handoff.running and talk.handoff.rung is None)
    )


def expire(talk: Conversation, step: s.Step) -> bool:
    """Act if a state has lasted too long. Return whether the session has to be replaced."""
    if talk.tool_line.expired(step.now):
        talk.tool_line.enter(ToolLineState.NONE, step.now)
        play_filler(talk, step)
        return False
    if not talk.owed.expired(step.now):
        return False
    match talk.owed.state:
        case OwedState.AWAITED:
            talk.owed.enter(OwedState.LATE, step.now)
            looks_up = talk.handoff.running and talk.handoff.rung is None
            waits = talk.tools.running or looks_up or talk.cut is not None
            if talk.answering and talk.owes_answer and not talk.requests.busy and not waits:
                step.do(*talk.requests.ask(Request(Kind.OWED), step.now))
        case OwedState.LATE:
            play_filler(talk, step)
        case OwedState.FILLING:
            talk.owed.enter(OwedState.FILLED, step.now)
        case OwedState.FILLED:
            replace = talk.fillers >= _ROUNDS and _model_owes(talk)
            play_filler(talk, step)
            return replace
        case OwedState.RUNG:
            _play_ringing(talk, step)
        case _:
            talk.owed.enter(OwedState.RUNG, step.now)
    return False


def _model_owes(talk: Conversation) -> bool:
    """Whether the session could answer and does not."""
    waits = talk.requests.paused or talk.tools.awaited or talk.handoff.running
    return talk.model.state is SessionState.READY and not waits


def play_filler(talk: Conversation, step: s.Step) -> None:
    """Play a prepared line first, then a tone, and so on in turn.

    A tool's own lines come before the agent's. A tool that is to have none has a tone each time.
    """
    in_tool = talk.tools.awaited and talk.farewell.purpose is None and not talk.collection.open
    tone = talk.fillers % 2 or (in_tool and talk.tools.tone_only)
    line: Literal["filler", "tone"] = "tone" if tone else "filler"
    tool = talk.tools.take_line() if in_tool and line == "filler" else ""
    talk.fillers += 1
    talk.owed.enter(OwedState.FILLING, step.now)
    _play_prepared(talk, line, step, tool)


def _play_ringing(talk: Conversation, step: s.Step) -> None:
    rung = talk.handoff.rung
    talk.ringings += 1
    if rung is not None and talk.ringings > _RINGINGS and talk.answering:
        talk.ringings = 0
        talk.owed.enter(OwedState.NOTHING, step.now)
        talk.ask(Request(Kind.COMPANY, prompts.still_ringing(rung), "none"), step)
        return
    talk.owed.enter(OwedState.RINGING, step.now)
    _play_prepared(talk, "ringing", step)


def _play_prepared(
    talk: Conversation,
    line: Literal["filler", "tone", "ringing"],
    step: s.Step,
    tool: str = "",
) -> None:
    talk.prepared_count += 1
    talk.prepared_id = f"{PREPARED}{line}:{talk.prepared_count}"
    step.do(PlayPrepared(line, talk.prepared_id, tool))


def prepared_audio(talk: Conversation, event: e.PreparedAudio, step: s.Step) -> None:
    """A prepared sound is loaded: play it if the caller still hears nothing."""
    item_id = event.item_id
    wanted = item_id == talk.prepared_id and talk.owed.state in (
        OwedState.FILLING,
        OwedState.RINGING,
    )
    if not wanted:
        return
    if event.text:
        talk.transcript.agent_says(item_id, event.text, step.now)
    step.do(
        *talk.playout.add(item_id, item_id, event.payload, event.size, step.now),
        *talk.playout.end_item(item_id),
    )
    if talk.farewell.purpose is not None:
        # The filler replaces last words that the model was asked for and does not say.
        talk.farewell.sounding(talk.playout.quiet_at(), step.now)


def stop_ringing(talk: Conversation, now: float) -> list[ClearAudio]:
    """Somebody speaks: stop the ringing at once."""
    if not talk.prepared_id.startswith(_RINGING):
        return []
    return talk.playout.withdraw(talk.prepared_id, now)


def turn_ended(talk: Conversation, step: s.Step) -> None:
    """The caller's turn has ended: an answer is owed. A response that runs already is none."""
    talk.owes_answer = talk.live
    talk.not_an_answer = talk.requests.response_id


def answer_is_late(talk: Conversation, step: s.Step) -> None:
    """The caller has waited for a while already: play a filler soon."""
    talk.owed.enter(OwedState.LATE, step.now)


def heard(talk: Conversation, response_id: str) -> None:
    """The agent is heard: a response that can be an answer ends what is owed."""
    talk.fillers = 0
    if response_id != talk.not_an_answer and talk.requests.answers:
        talk.owes_answer = False
