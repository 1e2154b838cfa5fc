"""What the agent says: first words, news of the hand-off, last words; and what waits for silence.

Functions of (conversation, step). `after_heard` is called whenever the caller may have heard
something to its end.
"""

from __future__ import annotations

from hookflash.core import signals as s
from hookflash.core.commands import (
    AddMessage,
    CancelResponse,
    HangUp,
    JoinRoom,
    Message,
    ReportConsult,
)
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import CalleeState, KeysState
from hookflash.core.conversation.transcript import Line
from hookflash.core.events import ConsultDecided
from hookflash.core.phases import Phase


def speak_first(talk: Conversation, step: s.Step) -> None:
    """The stream and the session are both open: the agent speaks first, the consent line before."""
    if not talk.answering or talk.consent.awaits_playout or talk.mailbox_greets:
        return
    consent = talk.consent.ask()
    if consent is not None:
        talk.requests.protected = True
        step.do(*talk.requests.ask(Request(Kind.CONSENT, consent, "none"), step.now))
        return
    if talk.opening is not None:
        opening, talk.opening = talk.opening, None
        unheard = not talk.transcript.agent_was_heard or opening == talk.greeting()
        first = talk.streams == 1 and unheard
        talk.requests.protected = first and not talk.setup.greeting_interruptible
        talk.requests.put(opening)
    step.do(*talk.requests.send_next(step.now))


def stop(talk: Conversation, step: s.Step) -> None:
    """Drop everything that the agent has not begun to say."""
    talk.requests.drop_all(step.now)
    if not talk.requests.spoke:
        drop_cancelled(talk, talk.requests.cancel(), step)


def drop_cancelled(talk: Conversation, cancelled: list[CancelResponse], step: s.Step) -> None:
    """Cancel these responses, and drop their sound that is still to come."""
    for each in cancelled:
        talk.playout.drop(each.response_id)
        talk.requests.cancelled(step.now)
    step.do(*cancelled)


def settle(talk: Conversation, settled: Settled, step: s.Step) -> Line:
    """Write down what was heard of an item. Tell it to a session that did not say it itself."""
    line = talk.transcript.agent_heard(settled, step.now)
    talk.consent.settled(settled.response_id, cut=settled.cut)
    if settled.item_id in talk.foreign:
        talk.foreign.discard(settled.item_id)
        if line.text and talk.model.listening:
            step.do(AddMessage(Message("assistant", line.text)))
    return line


# --- news of the hand-off -------------------------------------------------------------------------


def tell_agent(talk: Conversation, signal: s.TellAgent, step: s.Step) -> None:
    """Tell the model about the hand-off, and ask the agent to speak about it."""
    talk.tell(signal.known, step)
    if signal.company:
        talk.ask(Request(Kind.COMPANY, None, "none"), step)
        return
    drop_cancelled(talk, talk.requests.supersede(Kind.COMPANY), step)
    talk.ask(Request(Kind.HANDOFF, signal.say), step)


def answer_tool(talk: Conversation, signal: s.AnswerTool, step: s.Step) -> None:
    """Answer the call of a built-in tool; then the model goes on."""
    kind = Kind.COMPANY if signal.company else Kind.TOOL
    answer_own_tool(talk, signal.call_id, signal.output, step, kind)


def answer_own_tool(
    talk: Conversation, call_id: str, output: str, step: s.Step, kind: Kind = Kind.TOOL
) -> None:
    """Answer the call of a built-in tool; the model goes on, or says its last words."""
    talk.answer_tool(call_id, output, step)
    if talk.farewell.purpose is not None:
        after_heard(talk, step)
    else:
        talk.ask(Request(kind), step)


def press_keys(talk: Conversation, step: s.Step) -> None:
    """Have the other side hear the tones; the conversation goes on after them."""
    assert talk.press is not None
    talk.keys.enter(KeysState.SENT, step.now)
    step.tell(s.KeysDue(digits=talk.press[1]))


# --- last words -----------------------------------------------------------------------------------


def last_words_due(talk: Conversation, signal: s.LastWordsDue, step: s.Step) -> None:
    """Begin the last words, which come before the caller's leg moves or hangs up."""
    talk.farewell.begin(
        signal.purpose,
        signal.text,
        spoke=signal.spoke,
        now=step.now,
        own_line=signal.own_line,
        earlier=None if signal.answer is not None else talk.requests.response_id,
    )
    if not signal.own_line and talk.playout.playing():
        talk.farewell.sounding(talk.playout.quiet_at(), step.now)
        talk.farewell.spoke = signal.spoke
    talk.requests.protected = signal.protected
    if signal.answer is not None:
        talk.answer_tool(signal.answer.call_id, signal.answer.output, step)
    if signal.own_line and signal.protected:
        stop(talk, step)
    else:
        drop_cancelled(talk, talk.requests.supersede(Kind.COMPANY), step)
    after_heard(talk, step)


def last_words_off(talk: Conversation, step: s.Step) -> None:
    """Cancel the last words of a hand-off: the conversation goes on."""
    if talk.farewell.purpose == "hand-off":
        talk.farewell.end(step.now)
        talk.requests.protected = False
        drop_cancelled(talk, talk.requests.supersede(Kind.LAST_WORDS), step)


def farewell_over(talk: Conversation, step: s.Step) -> None:
    """The last words were heard, or awaited long enough: carry out what they lead to."""
    purpose = talk.farewell.purpose
    talk.farewell.end(step.now)
    if talk.machine == "machine" and talk.callee.state is CalleeState.SERVED:
        talk.machine = "message_left"
    if purpose == "consulted":
        _consult_settled(talk, step)
    else:
        assert purpose is not None
        step.tell(s.LastWordsHeard(purpose=purpose))


def _consult_settled(talk: Conversation, step: s.Step) -> None:
    """The human has heard the last words: report the decision, and move or end their leg."""
    consult, decision = talk.setup.consult, talk.decision
    assert consult is not None and decision is not None
    decided = ConsultDecided(talk.info.call_sid, decision, talk.decision_reason)
    step.do(ReportConsult(consult.parent_sid, decided))
    room = JoinRoom(consult.parent_sid, consult.wave, leg=consult.leg)
    goes = room if decision == "connect" else HangUp()
    step.tell(s.MoveCaller(instructions=(goes,), phase=Phase.ENDING))


# --- what waits for silence -----------------------------------------------------------------------


def after_heard(talk: Conversation, step: s.Step) -> None:
    """Close the items that were heard to their end. If the agent is silent, go on."""
    for settled in talk.playout.heard():
        settle(talk, settled, step)
    if talk.consent.awaits_playout and not talk.playout.has_unheard(talk.consent.response_id):
        step.do(*talk.consent.heard(step.now))
    busy = talk.requests.busy and talk.model.listening
    if talk.live and talk.playout.idle() and not busy and talk.cut is None:
        _quiet(talk, step)


def _quiet(talk: Conversation, step: s.Step) -> None:
    """The agent is silent and nothing is pending: do what waited for that."""
    now = step.now
    if talk.keys.state is KeysState.DUE:
        press_keys(talk, step)
        return
    step.do(*talk.consent.heard(now))
    if talk.farewell.purpose is None:
        talk.requests.protected = False
        speak_first(talk, step)
    elif not talk.farewell.spoke and not talk.farewell.asked_for_line and talk.model.listening:
        talk.farewell.wait_for_line(now)
        talk.ask(Request(Kind.LAST_WORDS, talk.farewell.text, "none"), step)
    else:
        farewell_over(talk, step)


def caller_returned(talk: Conversation, signal: s.CallerReturned, step: s.Step) -> None:
    """The stream ended, not by a command, and the caller is still there."""
    if talk.farewell.purpose is not None:
        farewell_over(talk, step)
    elif signal.may_connect:
        step.tell(s.ReturnCaller())
    else:
        step.tell(s.AgentGone(reason="the agent could not be connected"))
