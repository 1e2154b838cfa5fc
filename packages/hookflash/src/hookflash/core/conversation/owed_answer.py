"""What a caller hears while something is owed to them and the agent says nothing.

    NOTHING --owed, and it is quiet--> AWAITED --> LATE --> FILLING --played--> FILLED --> ...
       ^                                  |          |                            |
       +-------------- the agent is heard +----------+----------------------------+

    AWAITED   the model may take a moment; then it is asked, if it has not begun to answer
    LATE      then a prepared line or a tone is played, which needs no model
    FILLED    and again, as long as it lasts; after the second one the session is replaced

While a human is rung and nobody speaks, soft ringing fills the gaps (RUNG, RINGING), and now and
then the agent says that it still rings.

Functions of (conversation, step). `review` finds out whether something is owed and changes the
state; it is called whenever that may have changed.
"""

from __future__ import annotations

from typing import Literal

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import ClearAudio, PlayPrepared
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.playout import PREPARED
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import OwedState, SessionState

_ROUNDS = 2
"""So many lines are played before the session that owes an answer is replaced."""

_RINGINGS = 3
"""So many times ringing is played before the agent says that it still rings."""

_RINGING = f"{PREPARED}ringing"

_OWED = (OwedState.AWAITED, OwedState.LATE, OwedState.FILLING, OwedState.FILLED)
_RUNG = (OwedState.RUNG, OwedState.RINGING)


def review(talk: Conversation, step: s.Step) -> None:
    """Look whether the caller is owed something and hears nothing."""
    state = talk.owed.state
    if not talk.live or talk.playout.playing() or talk.requests.caller_speaking:
        wanted = OwedState.NOTHING
    elif is_owed(talk):
        if state in _OWED:
            return
        wanted = OwedState.FILLED if talk.fills else OwedState.AWAITED
        if state in _RUNG:
            # They have heard nothing for a while already.
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
    """Whether the caller waits for something that the agent is to say."""
    return (
        talk.owes_answer
        or talk.requests.owes
        or talk.opening is not None
        or talk.tools.running
        or talk.farewell.purpose in ("hand-off", "voicemail")
        or (talk.handoff.running and talk.handoff.rung is None)
    )


def expire(talk: Conversation, step: s.Step) -> bool:
    """Something was waited for long enough. Return whether the session has to be replaced."""
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
            _fill(talk, step)
        case OwedState.FILLING:
            talk.owed.enter(OwedState.FILLED, step.now)
        case OwedState.FILLED:
            replace = talk.fills >= _ROUNDS and _model_owes(talk)
            _fill(talk, step)
            return replace
        case OwedState.RUNG:
            _ring(talk, step)
        case _:
            talk.owed.enter(OwedState.RUNG, step.now)
    return False


def _model_owes(talk: Conversation) -> bool:
    """Whether it is the session of now that has not answered, and not because it may not."""
    waits = talk.requests.paused or talk.tools.running or talk.handoff.running
    return talk.model.state is SessionState.READY and not waits


def _fill(talk: Conversation, step: s.Step) -> None:
    """Play something that needs no model: a line first, then in turn with a tone."""
    line: Literal["filler", "tone"] = "tone" if talk.fills % 2 else "filler"
    talk.fills += 1
    talk.owed.enter(OwedState.FILLING, step.now)
    _fetch(talk, line, step)


def _ring(talk: Conversation, step: s.Step) -> None:
    rung = talk.handoff.rung
    talk.ringings += 1
    if rung is not None and talk.ringings > _RINGINGS and talk.answering:
        talk.ringings = 0
        talk.owed.enter(OwedState.NOTHING, step.now)
        talk.ask(Request(Kind.COMPANY, lines.still_ringing(rung), "none"), step)
        return
    talk.owed.enter(OwedState.RINGING, step.now)
    _fetch(talk, "ringing", step)


def _fetch(talk: Conversation, line: Literal["filler", "tone", "ringing"], step: s.Step) -> None:
    talk.fetched += 1
    talk.fetching = f"{PREPARED}{line}:{talk.fetched}"
    step.do(PlayPrepared(line, talk.fetching))


def prepared_audio(talk: Conversation, event: e.PreparedAudio, step: s.Step) -> None:
    """A sound is there: it is played if the caller still hears nothing."""
    item_id = event.item_id
    wanted = item_id == talk.fetching and talk.owed.state in (OwedState.FILLING, OwedState.RINGING)
    if not wanted:
        return
    if event.text:
        talk.transcript.agent_says(item_id, event.text, step.now)
    step.do(
        *talk.playout.add(item_id, item_id, event.payload, event.size, step.now),
        *talk.playout.end_item(item_id),
    )
    if talk.farewell.purpose is not None:
        # It stands for the last words that the model does not say.
        talk.farewell.sounding(talk.playout.quiet_at(), step.now)
        talk.farewell.spoke = True


def stop_ringing(talk: Conversation, now: float) -> list[ClearAudio]:
    """Somebody speaks: ringing that is being played ends at once."""
    if not talk.fetching.startswith(_RINGING):
        return []
    return talk.playout.withdraw(talk.fetching, now)


def turn_ended(talk: Conversation, step: s.Step) -> None:
    """The caller has spoken: an answer is owed. What is being said already is none."""
    talk.owes_answer = talk.live
    talk.not_an_answer = talk.requests.response_id


def hurry(talk: Conversation, step: s.Step) -> None:
    """The caller has waited for a while already: what they are owed is late."""
    talk.owed.enter(OwedState.LATE, step.now)


def heard(talk: Conversation, response_id: str) -> None:
    """The agent speaks: what it owed is not missed any more."""
    talk.fills = 0
    if response_id != talk.not_an_answer and talk.requests.answers:
        talk.owes_answer = False
