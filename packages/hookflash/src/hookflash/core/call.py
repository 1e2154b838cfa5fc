"""A call: a value that takes events and returns commands.

    commands = call.receive(event, now)        # nothing else changes it
    call.deadline, call.expire(now)            # its one timer

It knows no socket, clock, task, JSON or TwiML. `now` is seconds since 1970 and only goes forward;
whoever drives the call makes it so, which lets a journal be replayed and a call be recovered in
another process.

Three machines make up a call: the conversation, the hand-off and the caller's leg. They never
import one another. Each takes the events that are its own, returns commands for the outside, and
tells the call by signals what concerns another machine; `_ROUTES` says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.caller_leg import CallerLeg
from hookflash.core.commands import AnyCommand, HangUp, StoreRecord
from hookflash.core.conversation import Conversation, handlers, session_replacement, speaking, turns
from hookflash.core.facts import Facts
from hookflash.core.handoff import Handoff, asking, left_messages, meeting, queueing, screening
from hookflash.core.handoff import handlers as handoff_handlers
from hookflash.core.phases import Phase
from hookflash.core.record import CallRecord, Disposition
from hookflash.core.record import make as make_record
from hookflash.core.setup import CallSetup
from hookflash.core.signals import Signal, Step
from hookflash.core.timers import earliest


class Call:
    """One call, from ring to record."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.facts = Facts()
        self.caller_leg = CallerLeg(setup, self.facts)
        self.handoff = Handoff(setup, self.facts, self.caller_leg)
        self.conversation = Conversation(setup, self.facts, self.caller_leg, self.handoff)

    # --- what happens -----------------------------------------------------------------------------

    def receive(self, event: e.AnyEvent, now: float) -> list[AnyCommand]:
        """Take what has happened; return what is to be done, in order.

        Events that are late, doubled or out of order return nothing, or the same answer again.
        """
        # Sound comes up to fifty times a second and concerns nobody but the conversation.
        if type(event) is e.ModelAudio:
            return turns.model_audio(self.conversation, event, now)
        if type(event) is e.CallerAudio:
            return turns.caller_audio(self.conversation, event, now)
        step = Step(now)
        _OWNERS[type(event)](self, event, step)
        self._route(step)
        self.caller_leg.answer_open_question(step)
        handlers.review(self.conversation, step)
        return step.commands

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, in the seconds of `now`; None when nothing is waited for."""
        return earliest(self.conversation.deadline, self.caller_leg.deadline, self.handoff.deadline)

    def expire(self, now: float) -> list[AnyCommand]:
        """The deadline has come. Early or late calls are harmless."""
        step = Step(now)
        handlers.expire(self.conversation, step)
        self._route(step)
        self.caller_leg.expire(step)
        self._route(step)
        handoff_handlers.expire(self.handoff, step)
        self._route(step)
        handlers.review(self.conversation, step)
        return step.commands

    def _route(self, step: Step) -> None:
        while step.signals:
            signal = step.signals.popleft()
            _ROUTES[type(signal)](self, signal, step)

    # --- what may be asked of it ------------------------------------------------------------------

    @property
    def hears(self) -> bool:
        """Whether `CallerAudio` is answered with `SendCallerAudio`; no other answer is possible.

        It stays so until something else happens, so that whoever drives the call may ask once.
        """
        return self.conversation.hears

    @property
    def phase(self) -> Phase:
        """Where the caller's leg is."""
        return self.caller_leg.phase

    # --- what concerns all three ------------------------------------------------------------------

    def move_caller(self, signal: s.MoveCaller, step: Step) -> None:
        self.conversation.leave(step)
        self.caller_leg.move(signal, step)

    def arrived(self, signal: s.CallArrived, step: Step) -> None:
        self.conversation.expect(self.conversation.greeting(), "", step)
        self.caller_leg.connect_agent(step)

    def return_caller(self, signal: s.ReturnCaller, step: Step) -> None:
        self.conversation.expect(
            session_replacement.first_words(self.conversation, signal), signal.known, step
        )
        self.caller_leg.connect_agent(step)

    def last_words_heard(self, signal: s.LastWordsHeard, step: Step) -> None:
        match signal.purpose:
            case "hand-off":
                handoff_handlers.last_words_heard(self.handoff, step)
            case "voicemail":
                left_messages.take_message(self.handoff, step)
            case _:
                step.tell(s.MoveCaller(instructions=(HangUp(),), phase=Phase.ENDING))

    def recovered(self, step: Step) -> None:
        self.conversation.recover(step)
        self.caller_leg.call_recovered(step)

    def over(self, signal: s.CallerGone, step: Step) -> None:
        """The caller's leg is over: let go of everything, and keep the record."""
        if self.phase is Phase.ENDED:
            return
        self.conversation.close(step)
        handoff_handlers.caller_gone(self.handoff, signal, step)
        self.caller_leg.close(step)
        self.store_record(step)

    def store_record(self, step: Step) -> None:
        step.do(StoreRecord(self.record(step.now)))

    # --- the record -------------------------------------------------------------------------------

    def record(self, now: float) -> CallRecord:
        """Return the record of the call, as it would be if it were over now."""
        talk = self.conversation
        return make_record(
            facts=self.facts,
            agent=self.setup.agent,
            disposition=self._disposition(),
            barge_ins=talk.barge_ins,
            tokens=talk.tokens,
            recorded_since=talk.consent.since,
            utterances=talk.transcript.utterances(self.facts.arrived_at),
            attempts=self.handoff.attempts,
            tools=talk.tool_uses,
            now=now,
        )

    def _disposition(self) -> Disposition:
        handoff, transcript = self.handoff, self.conversation.transcript
        attempts = handoff.attempts
        if any(attempt.outcome == "bridged" for attempt in attempts):
            return "handed_off"
        if handoff.voicemail is not None and handoff.voicemail.recording_url:
            return "voicemail"
        if handoff.callbacks:
            return "callback"
        if handoff.failed:
            return "failed"
        waiting = bool(attempts) and attempts[-1].outcome == "caller-gone"
        if waiting or handoff.unanswered or not transcript.agent_was_heard:
            return "abandoned"
        return "handled_by_agent"


# --- whose event it is ----------------------------------------------------------------------------


def _leg_changed(call: Call, event: e.LegChanged, step: Step) -> None:
    """Of a leg that was placed, or of one that the caller's own leg has dialled."""
    if event.leg is None:
        call.caller_leg.dialled_leg_changed(event, step)
    else:
        screening.leg_changed(call.handoff, event, step)


def _of_conversation(handler: Callable[..., None]) -> Callable[[Call, Any, Step], None]:
    return lambda call, event, step: handler(call.conversation, event, step)


def _of_handoff(handler: Callable[..., None]) -> Callable[[Call, Any, Step], None]:
    return lambda call, event, step: handler(call.handoff, event, step)


def _of_leg(handler: Callable[..., None]) -> Callable[[Call, Any, Step], None]:
    return lambda call, event, step: handler(call.caller_leg, event, step)


_OWNERS: dict[type, Callable[[Call, Any, Step], None]] = {
    **{kind: _of_conversation(handler) for kind, handler in handlers.HANDLERS.items()},
    **{kind: _of_handoff(handler) for kind, handler in handoff_handlers.HANDLERS.items()},
    e.CallArrived: _of_leg(CallerLeg.call_arrived),
    e.StreamStarted: _of_leg(CallerLeg.stream_started),
    e.StreamStopped: _of_leg(CallerLeg.stream_stopped),
    e.StreamStalled: _of_leg(CallerLeg.stream_stalled),
    e.InstructionsAsked: _of_leg(CallerLeg.instructions_asked),
    e.QueueAsked: _of_leg(CallerLeg.queue_asked),
    e.RecordingReady: _of_leg(CallerLeg.recording_ready),
    e.VoicemailTranscribed: _of_leg(CallerLeg.voicemail_transcribed),
    e.CallMoved: _of_leg(CallerLeg.call_moved),
    e.CarrierRefused: _of_leg(CallerLeg.carrier_refused),
    e.CallCompleted: _of_leg(CallerLeg.call_completed),
    e.LegChanged: _leg_changed,
    e.CallRecovered: lambda call, event, step: call.recovered(step),
}


# --- who acts on a signal -------------------------------------------------------------------------


def _on_stream(call: Call, signal: s.CallerOnStream, step: Step) -> None:
    handoff_handlers.caller_on_stream(call.handoff, step)
    session_replacement.stream_opened(call.conversation, step)


_ROUTES: dict[type[Signal], Callable[[Call, Any, Step], None]] = {
    # from the conversation
    s.HandoffWanted: _of_handoff(asking.wanted),
    s.HandoffUnwanted: _of_handoff(asking.unwanted),
    s.LastWordsHeard: Call.last_words_heard,
    s.CallbackTaken: _of_handoff(left_messages.callback_taken),
    s.VoicemailWanted: _of_handoff(left_messages.voicemail_wanted),
    s.QuestionUnanswered: _of_handoff(left_messages.question_unanswered),
    s.AgentGone: _of_handoff(asking.without_agent),
    s.CallerSaid: _of_handoff(handoff_handlers.caller_said),
    # from the hand-off
    s.TellAgent: _of_conversation(speaking.tell_agent),
    s.AnswerTool: _of_conversation(speaking.answer_tool),
    s.LastWordsDue: _of_conversation(speaking.last_words_due),
    s.LastWordsOff: lambda call, signal, step: speaking.last_words_off(call.conversation, step),
    s.MoveCaller: Call.move_caller,
    s.ReturnCaller: Call.return_caller,
    s.CallerWaits: _of_leg(CallerLeg.wait),
    s.CallerMet: lambda call, signal, step: call.caller_leg.met(step),
    s.CallerInRoom: lambda call, signal, step: call.caller_leg.in_room(),
    s.RecordChanged: lambda call, signal, step: call.store_record(step),
    # from the caller's leg
    s.CallArrived: Call.arrived,
    s.CallerOnStream: _on_stream,
    s.StreamLost: lambda call, signal, step: call.conversation.cut_off(step),
    s.CallerReturned: _of_conversation(speaking.caller_returned),
    s.RoomOver: _of_handoff(meeting.room_over),
    s.DialOver: _of_handoff(screening.dial_over),
    s.DialledLegChanged: _of_handoff(screening.dialled_leg_changed),
    s.MetAfterAll: lambda call, signal, step: handoff_handlers.met_after_all(call.handoff, step),
    s.QueueAsks: _of_handoff(queueing.queue_asks),
    s.MessageRecorded: _of_handoff(left_messages.recorded),
    s.MessageReady: _of_handoff(left_messages.ready),
    s.MessageTranscribed: _of_handoff(left_messages.transcribed),
    s.CallerGone: Call.over,
}
