"""The model's sessions: opened before the caller is there, replaced when one is lost.

Functions of (conversation, event, step). Each loss has a next step for the caller: another session
that knows the conversation, a human, or at least a sentence.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import CloseModel, OpenModel
from hookflash.core.conversation import interruptions, owed_answer, speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import ConversationState, SessionState, TurnState


def first_words(talk: Conversation, signal: s.ReturnCaller) -> Request:
    """Return what a caller hears first who comes (back) to the agent."""
    if signal.say is not None:
        return Request(Kind.OPENING, signal.say)
    return talk.opening or Request(Kind.OPENING, lines.CUT_OFF)


def stream_opened(talk: Conversation, step: s.Step) -> None:
    """The caller is on a stream: send what waits for them, and let the agent speak."""
    talk.streams += 1
    talk.settle(step.now)
    talk.state = ConversationState.LIVE
    if talk.model.state is SessionState.CLOSED:
        # The call was recovered after the carrier had been told to open this stream.
        talk.opening = talk.opening or Request(Kind.OPENING, lines.CUT_OFF)
        _open(talk, step)
    step.do(*talk.consent.stream_opened(step.now), *talk.playout.start(step.now))
    speaking.open_talk(talk, step)
    if talk.streams > 1:
        # The caller may have heard nothing since the stream before.
        owed_answer.hurry(talk, step)


def model_ready(talk: Conversation, event: e.ModelReady, step: s.Step) -> None:
    if talk.model.state is SessionState.OPENING:
        talk.model.ready(step.now)
        speaking.open_talk(talk, step)


def model_lost(talk: Conversation, event: e.ModelLost, step: s.Step) -> None:
    lose(talk, event, step)


def lose(talk: Conversation, event: e.ModelLost, step: s.Step) -> None:
    """Another session with the conversation so far; without one, a human; without one, words."""
    if talk.model.state in (SessionState.CLOSED, SessionState.DEAD):
        return
    cut_off = talk.requests.answering and (talk.requests.spoke or talk.requests.answers)
    waits = talk.owes_answer or talk.requests.caller_speaking or event.unheard
    unanswered = waits or cut_off
    if talk.requests.caller_speaking:
        # Nobody will tell that they are silent again; if they go on, the next session hears it.
        talk.turn.enter(TurnState.OVER, step.now)
        interruptions.turn_ended(talk, step)
    talk.requests.lost(step.now)
    talk.tools.orphan_all()
    talk.foreign |= talk.playout.end_all()
    talk.consent.interrupt()
    says_nothing = talk.farewell.purpose is None and not talk.requests.asks
    if unanswered and says_nothing and talk.opening is None:
        talk.opening = Request(Kind.OPENING, lines.CUT_OFF)
    talk.owes_answer = unanswered
    step.do(CloseModel())
    if talk.model.lost(hopeless=event.remedy == "none", now=step.now):
        reopen(talk, step)
    else:
        without_model(talk, "the agent is not available", step)


def reopen(talk: Conversation, step: s.Step) -> None:
    """Try another session, if it is time for that."""
    if talk.model.state is SessionState.WAITING and talk.model.due(step.now):
        _open(talk, step)


def roll_over(talk: Conversation, step: s.Step) -> None:
    """The session is about to reach its limit, and nothing is said: the next one takes its place.
    What the caller says meanwhile waits for it."""
    talk.requests.lost(step.now)
    talk.tools.orphan_all()
    talk.model.close(step.now)
    step.do(CloseModel())
    _open(talk, step)


def without_model(talk: Conversation, reason: str, step: s.Step) -> None:
    """No session can be had: the last words are over, or there is no agent any more."""
    if talk.farewell.purpose is not None:
        speaking.farewell_over(talk, step)
    else:
        step.tell(s.AgentGone(reason=reason))


def shutdown_requested(talk: Conversation, event: e.ShutdownRequested, step: s.Step) -> None:
    """Nobody is dropped because the process stops: a human, or a sentence."""
    if talk.state is not ConversationState.AWAY:
        without_model(talk, "the agent is not available", step)


def tokens_used(talk: Conversation, event: e.TokensUsed, step: s.Step) -> None:
    talk.tokens += event.tokens


def _open(talk: Conversation, step: s.Step) -> None:
    talk.model.open(step.now)
    step.do(OpenModel(talk.transcript.history()))
