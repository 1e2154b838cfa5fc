"""Turn-taking: speech both ways, barge-in, and what the caller types.

Functions of (conversation, event, step).
"""

from __future__ import annotations

from hookflash.core import builtin_tools, prompts
from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.commands import (
    AnyCommand,
    CloseModel,
    CommitCallerAudio,
    SendCallerAudio,
    TruncateItem,
)
from hookflash.core.conversation import (
    called_party,
    fillers,
    interruptions,
    session_replacement,
    silent_caller,
    speaking,
)
from hookflash.core.conversation.announced_action import AnnouncementKind
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import (
    ConversationState,
    LengthState,
    OwedState,
    SessionState,
    SilenceState,
    TurnState,
)

_GOODBYE_WAITS = (LengthState.OVER, LengthState.LATE)
_LIVE = ConversationState.LIVE
_READY = SessionState.READY


# --- sound ----------------------------------------------------------------------------------------


def caller_audio(talk: Conversation, event: e.CallerAudio, now: float) -> list[AnyCommand]:
    """Send the caller's sound to the model. It comes fifty times a second."""
    return [SendCallerAudio(event.payload, event.size)] if talk.hears else []


def model_audio(talk: Conversation, event: e.ModelAudio, now: float) -> list[AnyCommand]:
    """Add the agent's sound to the ledger, and send as much as the lead allows."""
    if talk.model.state is not _READY or talk.state is not _LIVE:
        return []
    playout = talk.playout
    if playout.speaks_on(event.response_id, event.item_id) and _speaks_on(talk):
        talk.requests.sounded(now)
        return [
            *playout.add(event.response_id, event.item_id, event.payload, event.size, now),
        ]
    if talk.playout.unheard(event.response_id, event.item_id):
        # The item began while its response was being cancelled. Nothing of it will be heard, and
        # the model must know that.
        talk.transcript.agent_heard(Settled(event.item_id, 0, 0, None, True, False), now)
        return [TruncateItem(event.item_id, 0)]
    talk.requests.sounded(now)
    ringing = fillers.stop_ringing(talk, now)
    fillers.heard(talk, event.response_id)
    commands = talk.playout.add(event.response_id, event.item_id, event.payload, event.size, now)
    if talk.farewell.purpose is not None:
        talk.farewell.sounding(talk.playout.quiet_at(), now, event.response_id)
    return [*ringing, *commands]


def mark_returned(talk: Conversation, event: e.MarkReturned, step: s.Step) -> bool:
    """Count what was played. Return whether the agent just speaks on, so that no rule applies."""
    if not talk.live:
        return False
    step.do(*talk.playout.mark(event.name, step.now))
    if talk.playout.playing() and not talk.playout.has_heard_item() and _speaks_on(talk):
        return True
    speaking.after_heard(talk, step)
    return False


def model_audio_ended(talk: Conversation, event: e.ModelAudioEnded, step: s.Step) -> None:
    step.do(*talk.playout.end_item(event.item_id))
    speaking.after_heard(talk, step)


def agent_transcribed(talk: Conversation, event: e.AgentTranscribed, step: s.Step) -> bool:
    """Note the words. Return whether the agent just speaks on, so that no rule applies."""
    talk.transcript.agent_says(event.item_id, event.text, step.now)
    talk.announced.said(event.text)
    return talk.live and talk.playout.playing() and _speaks_on(talk)


def _speaks_on(talk: Conversation) -> bool:
    """Whether every rule has taken note already that the agent speaks.

    Only another event or a deadline can change that.
    """
    if talk.speaks_on:
        return True
    talk.speaks_on = (
        talk.owed.state is OwedState.NOTHING
        and talk.silence.state is SilenceState.OFF
        and talk.length.state not in _GOODBYE_WAITS
        and talk.farewell.purpose is None
        and not talk.consent.awaits_playout
        and not talk.owes_answer
        and not talk.fillers
    )
    return talk.speaks_on


# --- responses ------------------------------------------------------------------------------------


def response_started(talk: Conversation, event: e.ResponseStarted, step: s.Step) -> None:
    if not talk.answering:
        return
    talk.announced.response_started()
    stopped = talk.requests.response_started(
        event.response_id, event.request_id, step.now, own_is_due=talk.owes_answer
    )
    if talk.requests.saying(Kind.CONSENT):
        talk.consent.response_started(event.response_id)
    if talk.farewell.line_is_due or talk.mailbox_greets:
        # A mailbox is no person whom the agent answers.
        speaking.stop(talk, step)
    else:
        speaking.drop_cancelled(talk, stopped, step)


def response_ended(talk: Conversation, event: e.ResponseEnded, step: s.Step) -> None:
    step.do(*talk.playout.end_response(event.response_id))
    if not talk.answering:
        # The session is lost, and no other one is open that could be asked again.
        return
    whole = event.status == "completed" and talk.requests.spoke
    talk.consent.response_ended(event.response_id, whole=whole)
    if whole:
        talk.model.worked()
        talk.before = None
    said = _owed_transfer(talk) if event.status == "completed" else None
    if said == "unclear":
        # This comes first, so that the next response takes it into account.
        talk.tell(prompts.SAY_DO_REMINDER, step)
    if not talk.requests.response_ended(
        event.response_id, event.status, event.retry_seconds, step.now
    ):
        reason = event.reason or "its responses have no sound"
        given_up = CloseModel("responses-failed")
        session_replacement.lose(talk, e.ModelLost(reason, "none"), step, given_up)
        return
    if said == "transfer":
        talk.requests.put(Request(Kind.TOOL, prompts.SAY_DO, builtin_tools.TRANSFER_TOOL))
    elif said == "unclear" and not talk.requests.asks:
        talk.requests.put(Request(Kind.TOOL))
    step.do(*talk.requests.send_next(step.now))
    speaking.after_heard(talk, step)


def _owed_transfer(talk: Conversation) -> AnnouncementKind | None:
    """Return what the agent announced without calling a tool, if it can still do it."""
    keys = [each.key for each in talk.setup.destinations]
    if talk.handoff.running or talk.farewell.purpose is not None or not keys:
        return None
    return talk.announced.owed(keys)


def model_refused(talk: Conversation, event: e.ModelRefused, step: s.Step) -> None:
    talk.requests.refused(event.code, event.request_id, step.now)


# --- the caller's speech --------------------------------------------------------------------------


def caller_speech_started(talk: Conversation, event: e.CallerSpeechStarted, step: s.Step) -> None:
    """The caller begins to speak: barge in, if the agent is audible and may be interrupted."""
    talk.transcript.caller_started(event.item_id, step.now)
    if not talk.live:
        return
    if talk.collection.private:
        # They spoke before the model stopped hearing them, and it will hear no end of it.
        step.do(CommitCallerAudio())
        return
    talk.owes_answer = False
    talk.fillers = 0
    talk.turn.enter(TurnState.SPEAKING, step.now)
    talk.requests.caller_started()
    step.do(*fillers.stop_ringing(talk, step.now))
    if talk.requests.protected or talk.setup.interruption.mode == "none":
        return
    if not talk.playout.idle():
        interruptions.barge_in(talk, event.item_id, step)
    elif talk.farewell.purpose is not None:
        interruptions.speaks_over_last_words(talk, event.item_id, step)
    else:
        speaking.drop_cancelled(talk, talk.requests.cancel(), step)
    interruptions.speaks_on(talk, event.item_id, step)


def caller_speech_stopped(talk: Conversation, event: e.CallerSpeechStopped, step: s.Step) -> None:
    talk.transcript.caller_stopped(event.item_id, step.now)
    if talk.turn.state is TurnState.MISSED:
        talk.turn.enter(TurnState.OVER, step.now)
    turn_ended(talk, step)


def caller_quiet(talk: Conversation, event: e.CallerQuiet, step: s.Step) -> None:
    """The caller is silent, but the model has not detected the end of their turn: end it."""
    if event.unheard and talk.misses_turns:
        talk.requests.caller_started()
    if not talk.requests.caller_speaking or not talk.live:
        return
    turn_ended(talk, step)
    fillers.answer_is_late(talk, step)
    if talk.answering:
        talk.turn.enter(TurnState.MISSED, step.now)
        step.do(CommitCallerAudio())
        step.do(*talk.requests.ask(Request(Kind.OWED), step.now))
    else:
        # The next session may not have heard it.
        talk.opening = talk.opening or Request(Kind.OPENING, prompts.CUT_OFF)


def turn_ended(talk: Conversation, step: s.Step) -> None:
    """The caller's turn is over, if they were speaking: an answer is owed."""
    if not talk.requests.caller_speaking:
        return
    talk.turn.enter(TurnState.OVER, step.now)
    talk.requests.caller_stopped(step.now)
    interruptions.turn_ended(talk, step)
    fillers.turn_ended(talk, step)


def caller_transcribed(talk: Conversation, event: e.CallerTranscribed, step: s.Step) -> None:
    line = talk.transcript.caller_said(event.item_id, event.text, step.now)
    silent_caller.answered(talk, line.text, step)
    called_party.transcribed(talk, line.text, step)
    interruptions.transcribed(talk, event.item_id, line.text, step)
    if line.text:
        step.tell(s.CallerSaid(text=line.text, started_at=line.started_at))
