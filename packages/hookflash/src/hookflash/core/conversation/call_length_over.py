"""The agent's time with a caller runs out: it tells the caller, then says goodbye and hangs up.

When the time is over, the agent finishes its sentence, and the caller has a while to finish theirs.
While a human is rung or asked, the goodbye waits. If the human takes the call, there is none.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.conversation import speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import LengthState


def review(talk: Conversation, step: s.Step) -> None:
    """If a goodbye is due, find out whether it can be said now."""
    waits = talk.length.state in (LengthState.OVER, LengthState.LATE)
    if waits and _may_say_goodbye(talk):
        talk.length.enter(LengthState.GOODBYE, step.now)


def expire(talk: Conversation, step: s.Step) -> None:
    """Act if a part of the time is used up: tell the caller, or say goodbye."""
    length = talk.length
    if not length.expired(step.now):
        return
    match length.state:
        case LengthState.RUNNING:
            _warn(talk, step)
            return
        case LengthState.OVER:
            length.enter(LengthState.LATE, step.now)
        case _:
            # The time is used up, or somebody spoke again before the goodbye.
            length.enter(LengthState.OVER, step.now)
    if _may_say_goodbye(talk):
        _say_goodbye(talk, step)


def _warn(talk: Conversation, step: s.Step) -> None:
    length = talk.length
    length.warned = True
    left = max(0, round(length.left(step.now)))
    length.enter(LengthState.WARNED, step.now)
    if _free(talk) and left:
        known, say = prompts.almost_over(left)
        talk.tell(known, step)
        talk.ask(Request(Kind.ALMOST_OVER, say, "none"), step)


def _free(talk: Conversation) -> bool:
    """Whether only the agent and the caller are in the call, and it is not ending."""
    return talk.live and talk.farewell.purpose is None and not talk.handoff.running


def _may_say_goodbye(talk: Conversation) -> bool:
    speaks = talk.requests.caller_speaking or talk.cut is not None
    if not _free(talk) or talk.requests.pending(Kind.HANDOFF):
        # A caller who waited for a human is told first that nobody took the call.
        return False
    return talk.length.state is LengthState.LATE or (talk.answering and not speaks)


def _say_goodbye(talk: Conversation, step: s.Step) -> None:
    talk.length.enter(LengthState.SAID, step.now)
    talk.length.ended = True
    speaking.last_words_due(
        talk,
        s.LastWordsDue(purpose="hang-up", text=prompts.TIME_OVER, own_line=True, protected=True),
        step,
    )
    if talk.farewell.purpose is not None and talk.playout.playing():
        # The agent finishes its sentence first.
        talk.farewell.sounding(talk.playout.quiet_at(), step.now)
