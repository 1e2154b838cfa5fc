"""Callers who say nothing, and lines at whose other end nobody is.

    OFF --nothing is said, and nothing is owed--> LISTENING --> asked --> LISTENING --> asked again
                                                                      --> LISTENING --> goodbye

A turn that does not end is no person (music, a noise), and neither is one that says the same words
again and again (a recording): the call ends with a goodbye, too.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.conversation import speaking
from hookflash.core.conversation.backchannel import words
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import OwedState, SilenceState, TurnState

_PROMPTS = (lines.STILL_THERE, lines.STILL_THERE_AGAIN)
_RECORDING_WORDS = 6
_RECORDING_TIMES = 6
"""The same words, so many or more, so many times one after another: nobody talks like that."""


def review(talk: Conversation, step: s.Step) -> None:
    """Look whether the caller could say something, and does not."""
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
    )
    if not open_to_caller:
        talk.silence.enter(SilenceState.OFF, step.now)
    elif talk.silence.state is SilenceState.OFF:
        talk.silence.enter(SilenceState.LISTENING, step.now, talk)


def expire(talk: Conversation, step: s.Step) -> None:
    """The caller has been silent for long enough, or has not been."""
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
        s.LastWordsDue(purpose="hang-up", text=lines.SILENT_GOODBYE, own_line=True, protected=True),
        step,
    )


def answered(talk: Conversation, text: str, step: s.Step) -> None:
    """The caller has said something, or what was taken for that."""
    said = words(text)
    if not said:
        return
    talk.prompts = 0
    talk.same_words = talk.same_words + 1 if said == talk.said_last else 1
    talk.said_last = said
    recorded = len(said) >= _RECORDING_WORDS and talk.same_words >= _RECORDING_TIMES
    if recorded and talk.live and talk.farewell.purpose is None:
        _say_goodbye(talk, step)
