"""A call: a value that takes events and returns commands.

    commands = call.receive(event, now)        # nothing else changes it
    call.deadline, call.expire(now)            # its one timer

It knows no socket, clock, task, JSON or TwiML. `now` is seconds since 1970 and only goes forward;
the caller of these methods makes sure of that. So a journal can be replayed, and another process
can recover the call.

Three machines make up a call: the conversation, the hand-off and the caller's leg. They never
import one another. `_OWNERS` says which machine takes an event. The machine returns commands for
the outside, and signals. `_ROUTES` says which machine acts on a signal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.call_info import CallInfo
from hookflash.core.caller_leg import CallerLeg
from hookflash.core.commands import AnyCommand, HangUp, StoreRecord
from hookflash.core.conversation import (
    Conversation,
    dispatch,
    keypad,
    session_replacement,
    speaking,
    turns,
)
from hookflash.core.disposition import Disposition, find_disposition
from hookflash.core.handoff import (
    Handoff,
    bridging,
    cancelling,
    left_messages,
    outcome,
    queueing,
    screening,
    starting,
)
from hookflash.core.handoff import dispatch as handoff_dispatch
from hookflash.core.phases import Phase
from hookflash.core.record import CallRecord
from hookflash.core.record import make as make_record
from hookflash.core.setup import CallSetup
from hookflash.core.signals import Signal, Step
from hookflash.core.timers import earliest


class Call:
    """One call, from ring to record."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.first_agent = setup.agent
        self.info = CallInfo()
        self.caller_leg = CallerLeg(setup, self.info)
        self.handoff = Handoff(setup, self.info, self.caller_leg)
        self.conversation = Conversation(setup, self.info, self.caller_leg, self.handoff)
        self.only_sound_moved = False
        """Whether the last `MarkReturned` or `AgentTranscribed` changed no machine's state."""

    # --- events and the timer ---------------------------------------------------------------------

    def receive(self, event: e.AnyEvent, now: float) -> list[AnyCommand]:
        """Take an event; return the commands that follow from it, in order.

        An event that is late, doubled or out of order returns nothing, or the same answer again.
        """
        # Sound comes up to fifty times a second and concerns only the conversation.
        if type(event) is e.ModelAudio:
            return turns.model_audio(self.conversation, event, now)
        if type(event) is e.CallerAudio:
            return turns.caller_audio(self.conversation, event, now)
        step = Step(now)
        while_speaking = dispatch.WHILE_SPEAKING.get(type(event))
        if while_speaking is None:
            self.conversation.speaks_on = False
            _OWNERS[type(event)](self, event, step)
        else:
            self.only_sound_moved = while_speaking(self.conversation, event, step)
            if self.only_sound_moved:
                return step.commands
            self.conversation.speaks_on = False
        self._route(step)
        self.caller_leg.answer_open_question(step)
        dispatch.review(self.conversation, step)
        return step.commands

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, in the seconds of `now`. None: nothing is waited for."""
        return earliest(self.conversation.deadline, self.caller_leg.deadline, self.handoff.deadline)

    def expire(self, now: float) -> list[AnyCommand]:
        """Act on every deadline that has passed; return the commands. Too early changes nothing."""
        step = Step(now)
        self.conversation.speaks_on = False
        dispatch.expire(self.conversation, step)
        self._route(step)
        self.caller_leg.expire(step)
        self._route(step)
        handoff_dispatch.expire(self.handoff, step)
        self._route(step)
        dispatch.review(self.conversation, step)
        return step.commands

    def _route(self, step: Step) -> None:
        while step.signals:
            signal = step.signals.popleft()
            _ROUTES[type(signal)](self, signal, step)

    def without_digits(self, event: e.AnyEvent) -> e.AnyEvent:
        """Return an event without the digits that the caller has typed, unless they are shown.

        Call it right before `receive`, because what a key means depends on the state of the call.
        The journal, the log and the watcher get what this returns.
        """
        if type(event) is e.DigitPressed:
            return keypad.without_digit(self.conversation, event)
        if type(event) is e.QueueAsked:
            return queueing.without_digit(self.handoff, event)
        return event

    # --- what the driver reads --------------------------------------------------------------------

    @property
    def hears(self) -> bool:
        """Whether the model hears the caller: `CallerAudio` returns `SendCallerAudio`.

        Only an event other than sound changes it, so the driver reads it once after each of those.
        """
        return self.conversation.hears

    @property
    def private(self) -> bool:
        """Whether the caller's sound may not be recorded or listened to: they type a secret.

        It changes as `hears` does.
        """
        return self.conversation.collection.private

    @property
    def phase(self) -> Phase:
        """Where the caller's leg is."""
        return self.caller_leg.phase

    # --- signals that concern more than one machine -----------------------------------------------

    def move_caller(self, signal: s.MoveCaller, step: Step) -> None:
        self.conversation.leave(step)
        if signal.phase in (Phase.HANDING_OFF, Phase.WITH_HUMAN):
            step.do(*self.conversation.length.lift_limit())
        self.caller_leg.move(signal, step)

    def begin(self, signal: s.CallBegan, step: Step) -> None:
        if self.setup.brought is not None:
            starting.begin_brought(self.handoff, step)
            return
        outbound = self.setup.outbound
        known = prompts.placed_call(outbound.known) if outbound is not None else ""
        self.conversation.expect(self.conversation.greeting(), known, step)
        self.caller_leg.connect_agent(step)

    def return_caller(self, signal: s.ReturnCaller, step: Step) -> None:
        if self.setup.brought is not None:
            outcome.leave(self.handoff, step)
            return
        self.conversation.expect(
            session_replacement.first_words(self.conversation, signal), signal.known, step
        )
        self.caller_leg.connect_agent(step)

    def press_keys(self, signal: s.KeysDue, step: Step) -> None:
        """Play tones to the other side, and connect the leg with the agent again."""
        self.conversation.expect(None, prompts.keys_pressed(signal.digits), step)
        self.caller_leg.connect_agent(step, keys=signal.digits)

    def change_agent(self, signal: s.AgentChanged, step: Step) -> None:
        """Another agent speaks from now on, with its own hand-offs to humans."""
        self.setup = signal.setup
        for machine in (self.caller_leg, self.handoff, self.conversation):
            machine.setup = signal.setup
        self.conversation.requests.language = signal.setup.language

    def caller_returned(self, signal: s.CallerReturned, step: Step) -> None:
        if self.setup.brought is not None:
            outcome.leave(self.handoff, step)
        else:
            speaking.caller_returned(self.conversation, signal, step)

    def last_words_heard(self, signal: s.LastWordsHeard, step: Step) -> None:
        match signal.purpose:
            case "hand-off":
                handoff_dispatch.last_words_heard(self.handoff, step)
            case "voicemail":
                left_messages.take_message(self.handoff, step)
            case _:
                step.tell(s.MoveCaller(instructions=(HangUp(),), phase=Phase.ENDING))

    def recovered(self, step: Step) -> None:
        self.conversation.recover(step)
        # The carrier may have asked while no process was there to answer.
        self.handoff.queue_asks_by = None
        self.caller_leg.call_recovered(step)

    def over(self, signal: s.CallerGone, step: Step) -> None:
        """The caller's leg is over: close all three machines, and store the record."""
        if self.phase is Phase.ENDED:
            return
        self.conversation.close(step)
        handoff_dispatch.caller_gone(self.handoff, signal, step)
        self.caller_leg.close(step)
        self.store_record(step)

    def store_record(self, step: Step) -> None:
        step.do(StoreRecord(self.record(step.now)))

    # --- the record -------------------------------------------------------------------------------

    def record(self, now: float) -> CallRecord:
        """Return the record of the call as if it ended now."""
        talk = self.conversation
        return make_record(
            info=self.info,
            agent=self.first_agent,
            disposition=self._disposition(),
            barge_ins=talk.barge_ins,
            tokens=talk.tokens,
            recorded_since=talk.consent.since,
            utterances=talk.transcript.utterances(self.info.arrived_at),
            attempts=self.handoff.attempts,
            tools=talk.tool_uses,
            transfers=talk.transfers,
            now=now,
        )

    def _disposition(self) -> Disposition:
        handoff = self.handoff
        voicemail = handoff.voicemail
        return find_disposition(
            outcomes=[attempt.outcome for attempt in handoff.attempts],
            left_voicemail=voicemail is not None and bool(voicemail.recording_url),
            wants_callback=handoff.callbacks > 0,
            let_go=handoff.failed,
            time_over=self.conversation.length.ended,
            hung_up_at_voicemail=handoff.hung_up_at_voicemail,
            agent_was_heard=self.conversation.transcript.agent_was_heard,
            unanswered=self.info.unanswered,
            machine=self.conversation.machine,
        )


# --- which machine takes an event -----------------------------------------------------------------


def _leg_changed(call: Call, event: e.LegChanged, step: Step) -> None:
    """A leg that was placed is the hand-off's; one that the caller's leg dialled is that leg's."""
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
    **{kind: _of_conversation(handler) for kind, handler in dispatch.HANDLERS.items()},
    **{kind: _of_handoff(handler) for kind, handler in handoff_dispatch.HANDLERS.items()},
    e.CallArrived: _of_leg(CallerLeg.call_arrived),
    e.CallPlaced: _of_leg(CallerLeg.call_placed),
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


# --- which machine acts on a signal ---------------------------------------------------------------


def _on_stream(call: Call, signal: s.CallerOnStream, step: Step) -> None:
    handoff_dispatch.caller_on_stream(call.handoff, step)
    session_replacement.stream_opened(call.conversation, step)


_ROUTES: dict[type[Signal], Callable[[Call, Any, Step], None]] = {
    # from the conversation
    s.HandoffWanted: _of_handoff(starting.handoff_wanted),
    s.HandoffUnwanted: _of_handoff(cancelling.handoff_unwanted),
    s.LastWordsHeard: Call.last_words_heard,
    s.CallbackTaken: _of_handoff(left_messages.callback_taken),
    s.VoicemailWanted: _of_handoff(left_messages.voicemail_wanted),
    s.QuestionUnanswered: _of_handoff(left_messages.question_unanswered),
    s.AgentGone: _of_handoff(starting.without_agent),
    s.KeysDue: Call.press_keys,
    s.AgentChanged: Call.change_agent,
    s.CallerSaid: _of_handoff(handoff_dispatch.caller_said),
    # from the hand-off
    s.TellAgent: _of_conversation(speaking.tell_agent),
    s.AnswerTool: _of_conversation(speaking.answer_tool),
    s.LastWordsDue: _of_conversation(speaking.last_words_due),
    s.LastWordsOff: lambda call, signal, step: speaking.last_words_off(call.conversation, step),
    s.MoveCaller: Call.move_caller,
    s.ReturnCaller: Call.return_caller,
    s.CallerWaits: _of_leg(CallerLeg.wait),
    s.CallerBridged: lambda call, signal, step: call.caller_leg.bridged(step),
    s.CallerInRoom: lambda call, signal, step: call.caller_leg.in_room(signal.wave),
    s.RecordChanged: lambda call, signal, step: call.store_record(step),
    # from the caller's leg
    s.CallBegan: Call.begin,
    s.CallerOnStream: _on_stream,
    s.StreamLost: lambda call, signal, step: call.conversation.cut_off(signal, step),
    s.CallerReturned: Call.caller_returned,
    s.RoomOver: _of_handoff(bridging.room_over),
    s.DialOver: _of_handoff(screening.dial_over),
    s.DialledLegChanged: _of_handoff(screening.dialled_leg_changed),
    s.BridgedAfterAll: _of_handoff(handoff_dispatch.bridged_after_all),
    s.NeverBridged: _of_handoff(handoff_dispatch.never_bridged),
    s.QueueAsks: _of_handoff(queueing.queue_asks),
    s.MessageRecorded: _of_handoff(left_messages.recorded),
    s.MessageReady: _of_handoff(left_messages.ready),
    s.MessageTranscribed: _of_handoff(left_messages.transcribed),
    s.CallerGone: Call.over,
}
