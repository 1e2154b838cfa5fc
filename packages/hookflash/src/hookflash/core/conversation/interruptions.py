"""Barge-in: the caller speaks over the agent, and whether that interrupts it.

    NONE --the caller speaks over it--> SPEECH --silent again--> JUDGING --> an interruption, or not
                                          ^                        |
                                          +--- speaks again -------+

The agent is silent at once. Its unheard speech is kept in two cases: it says its last words, or the
owner has set `resume_false_interruption`. When the caller's words are known, it is dropped or
played.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import DeleteItem, TruncateItem
from hookflash.core.conversation import speaking
from hookflash.core.conversation.backchannel_words import is_backchannel, words
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.cut_speech import CutSpeech
from hookflash.core.conversation.playout import PREPARED, Settled
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import JudgeState

_COUGH_SECONDS = 0.6
"""A sound without words that is not longer counts as a cough, not as an interruption."""


def barge_in(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks over the agent: clear the sound, then tell the model what was heard."""
    judged = talk.farewell.purpose is not None or talk.setup.interruption.resume_false_interruption
    pieces = talk.playout.unheard_pieces(step.now) if judged else []
    text = stop_speech(talk, step)
    if judged and talk.cut is None:
        talk.farewell.hold(step.now)
        talk.cut = CutSpeech(began_at=step.now, item_id=item_id, pieces=pieces, text=text)
        talk.judge.enter(JudgeState.SPEECH, step.now)


def stop_speech(talk: Conversation, step: s.Step) -> str:
    """Clear the agent's sound and tell the model what was heard. Return the unheard words."""
    clear, all_settled = talk.playout.cut(step.now)
    step.do(*clear)
    speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    text = ""
    for settled in all_settled:
        prepared = settled.item_id.startswith(PREPARED)
        foreign = _is_foreign(talk, settled)
        text = f"{text} {speaking.settle(talk, settled, step).cut}"
        talk.barge_ins += settled.cut and not prepared
        if foreign or not settled.cut or not talk.model.listening:
            continue
        step.do(truncation(settled))
    return text.strip()


def _is_foreign(talk: Conversation, settled: Settled) -> bool:
    """Whether the session does not know this item."""
    return settled.item_id.startswith(PREPARED) or settled.item_id in talk.foreign


def truncation(settled: Settled) -> DeleteItem | TruncateItem:
    """Return the command that removes the unheard part of an item from the model's conversation."""
    if settled.heard_ms == 0 and settled.ended:
        return DeleteItem(settled.item_id)
    return TruncateItem(settled.item_id, settled.heard_ms)


def speaks_over_last_words(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks before the last words are heard, or have begun."""
    speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    if talk.cut is None:
        talk.farewell.hold(step.now)
        talk.cut = CutSpeech(began_at=step.now, item_id=item_id)
    talk.judge.enter(JudgeState.SPEECH, step.now)


def turn_ended(talk: Conversation, step: s.Step) -> None:
    """The caller is silent again: wait for the transcript of what they said."""
    if talk.cut is not None:
        talk.cut.ended_at = step.now
        # The model may answer a cough: hold its sound until that is known.
        talk.playout.hold()
        talk.judge.enter(JudgeState.JUDGING, step.now, talk)


def speaks_on(talk: Conversation, item_id: str, step: s.Step) -> None:
    """The caller speaks again before their first words are known."""
    if talk.cut is not None:
        talk.cut.item_id = item_id
        talk.judge.enter(JudgeState.SPEECH, step.now)


def transcribed(talk: Conversation, item_id: str, text: str, step: s.Step) -> None:
    """The transcript of the caller's turn is there: judge it."""
    if talk.cut is None or talk.cut.item_id != item_id:
        return
    if talk.judge.state is JudgeState.JUDGING:
        _judge(talk, talk.cut, text, step)


def expire(talk: Conversation, step: s.Step) -> None:
    """No transcript came in time: judge by how long the sound was."""
    if talk.cut is None or not talk.judge.expired(step.now):
        return
    seconds = talk.cut.ended_at - talk.cut.began_at
    resumes = talk.setup.interruption.resume_false_interruption
    if resumes or seconds < _COUGH_SECONDS:
        _resume_speech(talk, talk.cut, step)
    else:
        _accept_interruption(talk, talk.cut, step)


def _judge(talk: Conversation, cut: CutSpeech, text: str, step: s.Step) -> None:
    """Decide whether the caller's words interrupt the agent."""
    choice = talk.setup.interruption
    seconds = cut.ended_at - cut.began_at
    few = len(words(text)) < choice.min_words or seconds < choice.min_duration
    if few or is_backchannel(text):
        _resume_speech(talk, cut, step)
    else:
        _accept_interruption(talk, cut, step)


def _resume_speech(talk: Conversation, cut: CutSpeech, step: s.Step) -> None:
    """It was a false interruption: drop an answer to it, and play the unheard speech."""
    own_words = talk.farewell.purpose is not None and not cut.pieces
    for settled in talk.playout.cut(step.now)[1] if not own_words else ():
        known = not _is_foreign(talk, settled)
        speaking.settle(talk, settled, step)
        if known and talk.model.listening:
            step.do(truncation(settled))
    if not own_words:
        speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    stop_judging(talk, step)
    talk.owes_answer = False
    talk.requests.drop(Kind.OWED)
    talk.farewell.release(step.now)
    if cut.pieces:
        talk.prepared_count += 1
        item_id = f"{PREPARED}on:{talk.prepared_count}"
        talk.foreign.add(item_id)
        talk.transcript.agent_says(item_id, cut.text, step.now)
        for payload, size in cut.pieces:
            step.do(*talk.playout.add(item_id, item_id, payload, size, step.now))
        step.do(*talk.playout.end_item(item_id))
        if talk.farewell.purpose is not None:
            talk.farewell.sounding(talk.playout.quiet_at(), step.now)
    speaking.after_heard(talk, step)


def _accept_interruption(talk: Conversation, cut: CutSpeech, step: s.Step) -> None:
    """The caller has interrupted: drop the unheard speech, and cancel the last words."""
    stop_judging(talk, step)
    if talk.farewell.purpose is not None:
        cancel_last_words(talk, step)
    speaking.after_heard(talk, step)


def cancel_last_words(talk: Conversation, step: s.Step) -> None:
    """Cancel the last words, and what they lead to."""
    handing_off = talk.farewell.purpose == "hand-off"
    if talk.farewell.purpose in ("hand-off", "voicemail"):
        step.tell(s.HandoffUnwanted(quiet=True))
    talk.farewell.end(step.now)
    talk.requests.drop(Kind.LAST_WORDS)
    talk.tell(prompts.STAYED if handing_off else prompts.STAYED_ON, step)
    answers = talk.requests.busy or talk.owes_answer or talk.playout.playing()
    if not answers and not talk.tools.running:
        # The model's only answer was a tool call, such as another request for the same human.
        talk.ask(Request(Kind.TOOL), step)


def stop_judging(talk: Conversation, step: s.Step) -> None:
    """There is nothing to judge any more: send the sound that was held."""
    talk.cut = None
    step.do(*talk.playout.release(step.now))
    talk.judge.enter(JudgeState.NONE, step.now)
