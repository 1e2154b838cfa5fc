"""Which function of the conversation takes each event, and what happens at a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import events as e
from hookflash.core.commands import CloseModel
from hookflash.core.conversation import (
    call_length_over,
    called_party,
    changing_agents,
    collecting,
    fillers,
    interruptions,
    keypad,
    pressing,
    session_replacement,
    silent_caller,
    speaking,
    supervising,
    tools,
    turns,
)
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.states import ConversationState, SessionState, SilenceState
from hookflash.core.signals import Step

HANDLERS: dict[type, Callable[[Conversation, Any, Step], None]] = {
    e.AgentPrepared: changing_agents.agent_prepared,
    e.AgentRefused: changing_agents.agent_refused,
    e.CalleeDetected: called_party.callee_detected,
    e.DigitPressed: keypad.digit_pressed,
    e.ModelReady: session_replacement.model_ready,
    e.ModelLost: session_replacement.model_lost,
    e.ModelRefused: turns.model_refused,
    e.ResponseStarted: turns.response_started,
    e.ResponseEnded: turns.response_ended,
    e.TokensUsed: session_replacement.tokens_used,
    e.PreparedAudio: fillers.prepared_audio,
    e.ModelAudioEnded: turns.model_audio_ended,
    e.CallerSpeechStarted: turns.caller_speech_started,
    e.CallerSpeechStopped: turns.caller_speech_stopped,
    e.CallerQuiet: turns.caller_quiet,
    e.CallerTranscribed: turns.caller_transcribed,
    e.ToolCallRequested: tools.tool_call_requested,
    e.ToolFinished: tools.tool_finished,
    e.HandoffRequested: supervising.handoff_requested,
    e.HintGiven: supervising.hint_given,
    e.SayRequested: supervising.say_requested,
    e.QuestionAsked: supervising.question_asked,
    e.QuestionAnswered: supervising.question_answered,
    e.DigitsWanted: collecting.digits_wanted,
    e.KeysWanted: pressing.keys_wanted,
    e.DigitsUnwanted: collecting.digits_unwanted,
    e.HumanSaid: supervising.human_said,
    e.HangUpRequested: supervising.hang_up_requested,
    e.RecordingRefused: supervising.recording_refused,
    e.ShutdownRequested: session_replacement.shutdown_requested,
}


WHILE_SPEAKING: dict[type, Callable[[Conversation, Any, Step], bool]] = {
    e.MarkReturned: turns.mark_returned,
    e.AgentTranscribed: turns.agent_transcribed,
}
"""Events that come many times a second while the agent speaks.

Their functions return True if nothing more has to be done: no signal to route, and no review.
"""


def review(talk: Conversation, step: Step) -> None:
    """Enter the states that follow from an event: is the caller owed something, or silent?"""
    called_party.review(talk, step)
    collecting.review(talk, step)
    fillers.review(talk, step)
    silent_caller.review(talk, step)
    call_length_over.review(talk, step)
    if talk.model.ageing and talk.silence.state is SilenceState.LISTENING:
        session_replacement.roll_over(talk, step)


def expire(talk: Conversation, step: Step) -> None:
    """Act on every deadline that has passed. Too early changes nothing."""
    now = step.now
    # Sound changes what is owed, but comes too often to be reviewed each time.
    review(talk, step)
    if talk.state in (ConversationState.LIVE, ConversationState.CUT_OFF):
        step.do(*talk.playout.expire(now), *talk.requests.expire(now))
        keypad.entry_typed(talk, talk.digits.expire(now), step)
        collecting.expire(talk, step)
        interruptions.expire(talk, step)
        silent_caller.expire(talk, step)
        called_party.expire(talk, step)
        pressing.expire(talk, step)
        silent = fillers.expire(talk, step)
        if silent or talk.requests.overdue(now):
            lost = e.ModelLost("it does not answer")
            session_replacement.lose(talk, lost, step, CloseModel("silent"))
        speaking.after_heard(talk, step)
    call_length_over.expire(talk, step)
    if talk.live and talk.farewell.deadline is not None and now >= talk.farewell.deadline:
        speaking.farewell_over(talk, step)
    if talk.model.due(now):
        if talk.model.state is SessionState.OPENING:
            lost = e.ModelLost("no answer in time")
            session_replacement.lose(talk, lost, step, CloseModel("not-ready"))
        elif talk.model.state is SessionState.READY:
            talk.model.age(now)
        else:
            session_replacement.reopen(talk, step)
