"""Interruptions: whether what the caller has said over the agent was one.

    NONE --the caller speaks over it--> SPEECH --silent again--> JUDGING --> an interruption, or not
                                          ^                        |
                                          +--- speaks again -------+

The agent is silent at once. Where it matters whether that was right (last words are being said, or
the agent has `resume_false_interruption`), what was not heard is kept until the caller's words are
known: then it is left, or said on.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import DeleteItem, TruncateItem
from hookflash.core.conversation import speaking
from hookflash.core.conversation.backchannel import is_backchannel, words
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.cut import Cut
from hookflash.core.conversation.playout import PREPARED, Settled
from hookflash.core.conversation.requests import Kind
from hookflash.core.conversation.states import JudgeState

_COUGH_SECONDS = 0.6
"""A sound without words that lasts no longer is nothing: who means something says more."""


def barge_in(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks over the agent: silence first, then the model learns what was heard, the
    right item, to the millisecond."""
    judged = talk.farewell.purpose is not None or talk.setup.interruption.resume_false_interruption
    pieces = talk.playout.unheard_pieces(step.now) if judged else []
    clear, fates = talk.playout.cut(step.now)
    step.do(*clear)
    speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    text = ""
    for fate in fates:
        prepared = fate.item_id.startswith(PREPARED)
        foreign = _foreign(talk, fate)
        text = f"{text} {speaking.settle(talk, fate, step).cut}"
        talk.barge_ins += fate.cut and not prepared
        if foreign or not fate.cut or not talk.model.listening:
            continue
        step.do(unsaid(fate))
    if judged and talk.cut is None:
        talk.farewell.hold(step.now)
        talk.cut = Cut(began_at=step.now, item_id=item_id, pieces=pieces, text=text.strip())
        talk.judge.enter(JudgeState.SPEECH, step.now)


def _foreign(talk: Conversation, fate: Settled) -> bool:
    """Whether the session of now does not have this item."""
    return fate.item_id.startswith(PREPARED) or fate.item_id in talk.foreign


def unsaid(fate: Settled) -> DeleteItem | TruncateItem:
    """Return how the model learns what was not heard of an item."""
    if fate.heard_ms == 0 and fate.ended:
        return DeleteItem(fate.item_id)
    return TruncateItem(fate.item_id, fate.heard_ms)


def speaks_over_last_words(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks before the last words are heard, or have begun."""
    speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    if talk.cut is None:
        talk.farewell.hold(step.now)
        talk.cut = Cut(began_at=step.now, item_id=item_id)
    talk.judge.enter(JudgeState.SPEECH, step.now)


def turn_ended(talk: Conversation, step: s.Step) -> None:
    """The caller is silent again: what they said is waited for."""
    if talk.cut is not None:
        talk.cut.ended_at = step.now
        # An answer that the model begins is heard once it is known whether it answers something.
        talk.playout.hold()
        talk.judge.enter(JudgeState.JUDGING, step.now, talk)


def speaks_on(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks again before it was known what they have said."""
    if talk.cut is not None:
        talk.cut.item_id = item_id
        talk.judge.enter(JudgeState.SPEECH, step.now)


def transcribed(talk: Conversation, item_id: str, text: str, step: s.Step) -> None:
    """What the caller has said is known."""
    if talk.cut is None or talk.cut.item_id != item_id:
        return
    if talk.judge.state is JudgeState.JUDGING:
        _judge(talk, talk.cut, text, step)


def expire(talk: Conversation, step: s.Step) -> None:
    """Nobody has said what it was."""
    if talk.cut is None or not talk.judge.expired(step.now):
        return
    seconds = talk.cut.ended_at - talk.cut.began_at
    resumes = talk.setup.interruption.resume_false_interruption
    if resumes or seconds < _COUGH_SECONDS:
        _go_on(talk, talk.cut, step)
    else:
        _leave(talk, talk.cut, step)


def _judge(talk: Conversation, cut: Cut, text: str, step: s.Step) -> None:
    choice = talk.setup.interruption
    seconds = cut.ended_at - cut.began_at
    few = len(words(text)) < choice.min_words or seconds < choice.min_duration
    if few or is_backchannel(text):
        _go_on(talk, cut, step)
    else:
        _leave(talk, cut, step)


def _go_on(talk: Conversation, cut: Cut, step: s.Step) -> None:
    """It was nothing: an answer to it is not said, and the agent says on what was not heard."""
    own_words = talk.farewell.purpose is not None and not cut.pieces
    for fate in talk.playout.cut(step.now)[1] if not own_words else ():
        known = not _foreign(talk, fate)
        speaking.settle(talk, fate, step)
        if known and talk.model.listening:
            step.do(unsaid(fate))
    if not own_words:
        speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    forget(talk, step)
    talk.owes_answer = False
    talk.requests.drop(Kind.OWED)
    talk.farewell.release(step.now)
    if cut.pieces:
        talk.fetched += 1
        item_id = f"{PREPARED}on:{talk.fetched}"
        talk.foreign.add(item_id)
        talk.transcript.agent_says(item_id, cut.text, step.now)
        for payload, size in cut.pieces:
            step.do(*talk.playout.add(item_id, item_id, payload, size, step.now))
        step.do(*talk.playout.end_item(item_id))
        if talk.farewell.purpose is not None:
            talk.farewell.sounding(talk.playout.quiet_at(), step.now)
    speaking.after_heard(talk, step)


def _leave(talk: Conversation, cut: Cut, step: s.Step) -> None:
    """The caller has interrupted: the rest is not said, and what it led to does not happen."""
    forget(talk, step)
    if talk.farewell.purpose is not None:
        take_back(talk, step)
    speaking.after_heard(talk, step)


def take_back(talk: Conversation, step: s.Step) -> None:
    """The caller speaks over the last words: what they lead to does not happen."""
    handing_off = talk.farewell.purpose == "hand-off"
    if talk.farewell.purpose in ("hand-off", "voicemail"):
        step.tell(s.HandoffUnwanted(quiet=True))
    talk.farewell.end(step.now)
    talk.requests.drop(Kind.LAST_WORDS)
    talk.tell(lines.STAYED if handing_off else lines.STAYED_ON, step)


def forget(talk: Conversation, step: s.Step) -> None:
    """Nothing is to be judged any more."""
    talk.cut = None
    step.do(*talk.playout.release(step.now))
    talk.judge.enter(JudgeState.NONE, step.now)
