"""Sessions with the model are opened in time, and replaced when one is lost or too old.

Functions of (conversation, event, step). After a loss, the caller gets another session that knows
the conversation. Without one, they get a human, or at least hear a sentence.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import CloseModel, OpenModel
from hookflash.core.conversation import changing_agents, fillers, interruptions, speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import ConversationState, KeysState, SessionState, TurnState

CLOSE = CloseModel()


def first_words(talk: Conversation, signal: s.ReturnCaller) -> Request:
    """Return the request for what a caller hears first who comes (back) to the agent."""
    if signal.say is not None:
        return Request(Kind.OPENING, signal.say)
    return talk.opening or Request(Kind.OPENING, prompts.CUT_OFF)


def stream_opened(talk: Conversation, step: s.Step) -> None:
    """The caller is on a stream: send the sound that waits, and let the agent speak."""
    talk.streams += 1
    if talk.keys.state is KeysState.SENT:
        talk.report_keys(step, pressed=True)
    talk.settle(step.now)
    talk.state = ConversationState.LIVE
    if talk.model.state is SessionState.CLOSED:
        # The call was recovered after the carrier got the order to open this stream.
        talk.opening = talk.opening or Request(Kind.OPENING, prompts.CUT_OFF)
        _open(talk, step)
    step.do(*talk.consent.stream_opened(step.now), *talk.playout.start(step.now))
    step.do(*talk.length.resume(step.now, step.now - talk.info.arrived_at))
    speaking.speak_first(talk, step)
    if talk.streams > 1:
        # The caller may have heard nothing since the last stream.
        fillers.answer_is_late(talk, step)
    if talk.stalled:
        talk.stalled = False
        fillers.play_filler(talk, step)


def model_ready(talk: Conversation, event: e.ModelReady, step: s.Step) -> None:
    if talk.model.state is SessionState.OPENING:
        talk.model.ready(step.now)
        speaking.speak_first(talk, step)


def model_lost(talk: Conversation, event: e.ModelLost, step: s.Step) -> None:
    lose(talk, event, step)


def lose(talk: Conversation, event: e.ModelLost, step: s.Step, close: CloseModel = CLOSE) -> None:
    """The session is lost: open another one, or go on without a model.

    `close` has the reason if the call gives it up.
    """
    if talk.model.state in (SessionState.CLOSED, SessionState.DEAD):
        return
    if talk.before is not None and talk.live:
        changing_agents.give_back(talk, step, close)
        return
    cut_off = talk.requests.answering and (talk.requests.spoke or talk.requests.answers)
    waits = talk.owes_answer or talk.requests.caller_speaking or event.unheard
    unanswered = waits or cut_off or talk.requests.asked_to_continue
    # No session will report the end of their turn. If they go on, the next session hears it.
    talk.turn.enter(TurnState.OVER, step.now)
    if talk.requests.caller_speaking:
        interruptions.turn_ended(talk, step)
    talk.requests.lost(step.now)
    talk.tools.orphan_all()
    talk.foreign |= talk.playout.end_all()
    talk.consent.model_lost()
    says_nothing = talk.farewell.purpose is None and not talk.requests.asks
    if unanswered and says_nothing and talk.opening is None:
        talk.opening = Request(Kind.OPENING, prompts.CUT_OFF)
    talk.owes_answer = unanswered
    step.do(close)
    if talk.model.lost(hopeless=event.remedy == "none", now=step.now):
        reopen(talk, step)
    else:
        without_model(talk, "the agent is not available", step)


def reopen(talk: Conversation, step: s.Step) -> None:
    """Open another session, if the pause after the loss is over."""
    if talk.model.state is SessionState.WAITING and talk.model.due(step.now):
        _open(talk, step)


def roll_over(talk: Conversation, step: s.Step) -> None:
    """Replace a session that is close to its time limit, in a pause of the conversation.

    What the caller says meanwhile waits for the next session.
    """
    talk.requests.lost(step.now)
    talk.turn.enter(TurnState.OVER, step.now)
    talk.tools.orphan_all()
    talk.model.close(step.now)
    step.do(CloseModel())
    _open(talk, step)


def without_model(talk: Conversation, reason: str, step: s.Step) -> None:
    """No session can be opened: end the last words, or report that there is no agent."""
    if talk.farewell.purpose is not None:
        speaking.farewell_over(talk, step)
    else:
        step.tell(s.AgentGone(reason=reason))


def shutdown_requested(talk: Conversation, event: e.ShutdownRequested, step: s.Step) -> None:
    """The process stops: bring the caller to a human, or say a sentence."""
    if talk.state is not ConversationState.AWAY:
        without_model(talk, "the agent is not available", step)


def tokens_used(talk: Conversation, event: e.TokensUsed, step: s.Step) -> None:
    talk.tokens += event.tokens


def _open(talk: Conversation, step: s.Step) -> None:
    talk.model.open(step.now)
    step.do(OpenModel(talk.transcript.history()))
