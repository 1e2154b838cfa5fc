"""A caller says nothing, or is no person: they are asked, and then the call ends.

    OFF --nothing is said, and nothing is owed--> LISTENING --> asked --> LISTENING --> asked again
                                                                      --> LISTENING --> goodbye

A turn that does not end is music or noise. The same words again and again are a recording. Both
also end the call with a goodbye.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.conversation import speaking
from hookflash.core.conversation.backchannel_words import words
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import OwedState, SilenceState, TurnState

_PROMPTS = (prompts.STILL_THERE, prompts.STILL_THERE_AGAIN)
_RECORDING_WORDS = 6
_RECORDING_TIMES = 6
"""At least this many words, said this many times in a row, are a recording."""


def review(talk: Conversation, step: s.Step) -> None:
    """Start or stop the silence clock: is it the caller's turn, and does nobody speak?"""
    open_to_caller = (
        talk.answering
        and talk.setup.consult is None
        and talk.owed.state is OwedState.NOTHING
        and talk.farewell.purpose is None
        and not talk.playout.playing()
        and not talk.requests.busy
        and not talk.requests.caller_speaking
        and not talk.handoff.running
        and talk.cut is None
        and not talk.collection.open
    )
    if not open_to_caller:
        talk.silence.enter(SilenceState.OFF, step.now)
    elif talk.silence.state is SilenceState.OFF:
        talk.silence.enter(SilenceState.LISTENING, step.now, talk)


def expire(talk: Conversation, step: s.Step) -> None:
    """Act if the caller was silent, or has spoken, for too long."""
    if talk.turn.expired(step.now):
        talk.turn.enter(TurnState.OVER, step.now)
        _say_goodbye(talk, step)
    elif talk.silence.expired(step.now):
        talk.silence.enter(SilenceState.OFF, step.now)
        if talk.prompts < len(_PROMPTS):
            talk.ask(Request(Kind.PROMPT, _PROMPTS[talk.prompts], "none"), step)
            talk.prompts += 1
        else:
            _say_goodbye(talk, step)


def _say_goodbye(talk: Conversation, step: s.Step) -> None:
    step.tell(s.HandoffUnwanted(quiet=True))
    speaking.last_words_due(
        talk,
        s.LastWordsDue(
            purpose="hang-up", text=prompts.SILENT_GOODBYE, own_line=True, protected=True
        ),
        step,
    )


def answered(talk: Conversation, text: str, step: s.Step) -> None:
    """The caller has said something: begin to count prompts again, and notice a recording."""
    said = words(text)
    if not said:
        return
    talk.prompts = 0
    talk.same_words = talk.same_words + 1 if said == talk.said_last else 1
    talk.said_last = said
    recorded = len(said) >= _RECORDING_WORDS and talk.same_words >= _RECORDING_TIMES
    if recorded and talk.live and talk.farewell.purpose is None:
        _say_goodbye(talk, step)
