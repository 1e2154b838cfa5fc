"""What the agent says: first words, announcements, last words; and what waits for silence.

Functions of (conversation, step). `after_heard` is where the conversation goes on whenever
something may have been heard to its end.
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
from hookflash.core.conversation.transcript import Line
from hookflash.core.events import ConsultDecided
from hookflash.core.phases import Phase


def open_talk(talk: Conversation, step: s.Step) -> None:
    """Stream and model are both there: the agent speaks first, what must be said before all."""
    if not talk.answering:
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
    step.do(*talk.requests.grant(step.now))


def stop(talk: Conversation, step: s.Step) -> None:
    """What the agent is about to say, and has not begun to, is not said any more."""
    talk.requests.drop_all(step.now)
    if not talk.requests.spoke:
        drop_cancelled(talk, talk.requests.cancel(), step)


def drop_cancelled(talk: Conversation, cancelled: list[CancelResponse], step: s.Step) -> None:
    """Sound of a response that was cancelled may be on its way: it comes too late."""
    for each in cancelled:
        talk.playout.drop(each.response_id)
        talk.requests.cancelled(step.now)
    step.do(*cancelled)


def settle(talk: Conversation, fate: Settled, step: s.Step) -> Line:
    """The ledger has spoken its last word on an item: the transcript has what was heard of it, and
    so has a session that did not say it itself."""
    line = talk.transcript.agent_heard(fate, step.now)
    if fate.item_id in talk.foreign:
        talk.foreign.discard(fate.item_id)
        if line.text and talk.model.listening:
            step.do(AddMessage(Message("assistant", line.text)))
    return line


# --- what the hand-off wants said -----------------------------------------------------------------


def tell_agent(talk: Conversation, signal: s.TellAgent, step: s.Step) -> None:
    """The agent gets to know something, and says something about it."""
    talk.tell(signal.known, step)
    if signal.company:
        talk.ask(Request(Kind.COMPANY, None, "none"), step)
        return
    drop_cancelled(talk, talk.requests.supersede(Kind.COMPANY), step)
    talk.ask(Request(Kind.HANDOFF, signal.say), step)


def answer_tool(talk: Conversation, signal: s.AnswerTool, step: s.Step) -> None:
    """One of our own tools is answered, and the model goes on."""
    kind = Kind.COMPANY if signal.company else Kind.TOOL
    answer_own_tool(talk, signal.call_id, signal.output, step, kind)


def answer_own_tool(
    talk: Conversation, call_id: str, output: str, step: s.Step, kind: Kind = Kind.TOOL
) -> None:
    """Answer one of our own tools; the model goes on, or with its last words."""
    talk.answer_tool(call_id, output, step)
    if talk.farewell.purpose is not None:
        after_heard(talk, step)
    else:
        talk.ask(Request(kind), step)


# --- last words -----------------------------------------------------------------------------------


def last_words_due(talk: Conversation, signal: s.LastWordsDue, step: s.Step) -> None:
    """The agent is to say its last words, before the caller's leg moves."""
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
    """What the last words of a hand-off led to is not wanted any more."""
    if talk.farewell.purpose == "hand-off":
        talk.farewell.end(step.now)
        talk.requests.protected = False
        drop_cancelled(talk, talk.requests.supersede(Kind.LAST_WORDS), step)


def farewell_over(talk: Conversation, step: s.Step) -> None:
    """The last words were heard, or waited for long enough: what they lead to is carried out."""
    purpose = talk.farewell.purpose
    talk.farewell.end(step.now)
    if purpose == "consulted":
        _consult_settled(talk, step)
    else:
        assert purpose is not None
        step.tell(s.LastWordsHeard(purpose=purpose))


def _consult_settled(talk: Conversation, step: s.Step) -> None:
    """The last words to the human were heard: tell the caller's call, and go where it was said."""
    consult, decision = talk.setup.consult, talk.decision
    assert consult is not None and decision is not None
    decided = ConsultDecided(talk.facts.call_sid, decision, talk.decision_reason)
    step.do(ReportConsult(consult.parent_sid, decided))
    room = JoinRoom(consult.parent_sid, consult.wave, leg=consult.leg)
    goes = room if decision == "connect" else HangUp()
    step.tell(s.MoveCaller(instructions=(goes,), phase=Phase.ENDING))


# --- what waits for silence -----------------------------------------------------------------------


def after_heard(talk: Conversation, step: s.Step) -> None:
    """Something may have been heard to its end: close its lines, and let go what waited for it."""
    for fate in talk.playout.heard():
        settle(talk, fate, step)
    busy = talk.requests.busy and talk.model.listening
    if talk.live and talk.playout.idle() and not busy and talk.cut is None:
        _quiet(talk, step)


def _quiet(talk: Conversation, step: s.Step) -> None:
    """Nothing is said, and nothing will be: what waited for that happens now."""
    now = step.now
    step.do(*talk.consent.heard(now))
    if talk.farewell.purpose is None:
        talk.requests.protected = False
        open_talk(talk, step)
    elif not talk.farewell.spoke and not talk.farewell.asked_for_line and talk.model.listening:
        talk.farewell.wait_for_line(now)
        talk.ask(Request(Kind.LAST_WORDS, talk.farewell.text, "none"), step)
    else:
        farewell_over(talk, step)


def caller_returned(talk: Conversation, signal: s.CallerReturned, step: s.Step) -> None:
    """The stream ended without our doing and the caller is still there."""
    if talk.farewell.purpose is not None:
        farewell_over(talk, step)
    elif signal.may_connect:
        step.tell(s.ReturnCaller())
    else:
        step.tell(s.AgentGone(reason="the agent could not be connected"))
