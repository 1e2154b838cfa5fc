"""A call: a value that takes events and returns commands.

    commands = call.receive(event, now)        # nothing else changes it
    call.deadline, call.expire(now)            # its one timer

It knows no socket, clock, task, JSON or TwiML. `now` is seconds since 1970 and only goes forward;
whoever drives the call makes it so, which lets a journal be replayed and a call be recovered in
another process.

    RINGING --stream--> TALKING --moved to a human--> HANDING_OFF --answered--> WITH_HUMAN
       ^                   |                              |                         |
       +---- back to the agent (busy, no answer, cut off, the human is done) -------+
    any --goodbye, or nothing can be offered--> ENDING --the leg is over--> ENDED

The machines (playout ledger, floor, tool calls, farewell, hand-off, legs, announced action, route,
model line, keypad, transcript, consent) never call one another. They are coupled by functions:
`talking.py` has what happens on the stream, `leaving.py` the ways on and off it, `losing.py` the
losses and the end; `consenting.py` how a call comes to be recorded;
`asking.py` how a hand-off begins, `reaching.py` how humans are rung, `meeting.py` how both meet and
part, `taking_message.py` what is left when nobody is there, `consulting.py` the agent's talk with
a human, `supervising.py` what people around the call have to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookflash.core import (
    asking,
    consenting,
    leaving,
    losing,
    meeting,
    metering,
    reaching,
    supervising,
    taking_message,
    talking,
)
from hookflash.core import events as e
from hookflash.core.commands import AnyCommand, RequestResponse
from hookflash.core.consent import Consent
from hookflash.core.facts import Facts
from hookflash.core.farewell import Farewell
from hookflash.core.handoff import Handoff
from hookflash.core.keypad import Keypad
from hookflash.core.legs import Legs
from hookflash.core.model_line import ModelLine
from hookflash.core.phases import NEXT, Phase
from hookflash.core.playout import Playout
from hookflash.core.promise import AnnouncedAction
from hookflash.core.route import Route
from hookflash.core.setup import CallSetup
from hookflash.core.tool_calls import ToolCalls
from hookflash.core.transcript import Transcript
from hookflash.core.turns import Floor
from hookflash.errors import IllegalTransition


class Call:
    """One call, from ring to record. See the module's text for the drawing."""

    def __init__(self, setup: CallSetup) -> None:
        self.setup = setup
        self.phase = Phase.RINGING
        self.until: float | None = None
        """When this phase must have led somewhere: the carrier has forgotten the call."""
        self.opening: RequestResponse | None = None
        """What the agent says first when stream and model are both there."""
        self.facts = Facts()
        self.playout = Playout(lead_ms=setup.lead_ms, chunk_ms=setup.chunk_ms)
        self.floor = Floor()
        self.tools = ToolCalls()
        self.farewell = Farewell(setup.farewell_seconds)
        self.handoff = Handoff()
        self.legs = Legs()
        self.promise = AnnouncedAction()
        self.route = Route(setup.move_seconds)
        self.model = ModelLine(seconds=setup.model_seconds, attempts=setup.model_attempts)
        self.keypad = Keypad()
        self.transcript = Transcript()
        # A human who is consulted has agreed to nothing.
        wanted = setup.record and setup.consult is None
        self.consent = Consent(record=wanted, line=setup.consent)

    def receive(self, event: e.AnyEvent, now: float) -> list[AnyCommand]:
        """Take what has happened; return what is to be done, in order.

        Events that are late, doubled or out of order return nothing, or the same answer again.
        """
        return _HANDLERS[type(event)](self, event, now)

    @property
    def hears(self) -> bool:
        """Whether `CallerAudio` is answered with `SendCallerAudio`; no other answer is possible.

        It stays so until something else happens, so that whoever drives the call may ask once.
        """
        return talking.hears(self)

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, in the seconds of `now`; None when nothing is waited for."""
        due = self.playout.deadline
        for time in (
            self.floor.deadline,
            self.farewell.deadline if self.facts.stream_sid is not None else None,
            self.route.deadline,
            self.model.deadline,
            self.keypad.deadline,
            self.handoff.until,
            self.handoff.comfort_at,
            self.until,
        ):
            if time is not None and (due is None or time < due):
                due = time
        return due

    def expire(self, now: float) -> list[AnyCommand]:
        """The deadline has come. Early or late calls are harmless."""
        commands: list[AnyCommand] = []
        if self.phase is Phase.TALKING:
            commands += talking.expire(self, now)
        commands += losing.expire(self, now)
        return commands

    def enter(self, phase: Phase, until: float | None) -> None:
        """Go to `phase`, which must have led somewhere at `until`."""
        if phase not in NEXT[self.phase] and phase not in (
            self.phase,
            Phase.ENDING,
            Phase.ENDED,
        ):
            raise IllegalTransition(self.phase.value, phase.value)
        self.phase = phase
        self.until = until


_HANDLERS: dict[type, Callable[[Call, Any, float], list[AnyCommand]]] = {
    e.CallerAudio: talking.caller_audio,
    e.ModelAudio: talking.model_audio,
    e.MarkReturned: talking.mark_returned,
    e.StreamStarted: talking.stream_started,
    e.DigitPressed: talking.digit_pressed,
    e.ModelReady: talking.model_ready,
    e.ModelRefused: talking.model_refused,
    e.ResponseStarted: talking.response_started,
    e.ResponseEnded: talking.response_ended,
    e.TokensUsed: metering.tokens_used,
    e.ModelAudioEnded: talking.model_audio_ended,
    e.AgentTranscribed: talking.agent_transcribed,
    e.CallerSpeechStarted: talking.caller_speech_started,
    e.CallerSpeechStopped: talking.caller_speech_stopped,
    e.CallerTranscribed: talking.caller_transcribed,
    e.ToolCallRequested: talking.tool_call_requested,
    e.ToolFinished: talking.tool_finished,
    e.CallArrived: leaving.call_arrived,
    e.StreamStopped: losing.stream_stopped,
    e.InstructionsAsked: leaving.instructions_asked,
    e.LegChanged: reaching.leg_changed,
    e.LegPlaced: reaching.leg_placed,
    e.LegRefused: reaching.leg_refused,
    e.HumanAsked: reaching.human_asked,
    e.RoomChanged: meeting.room_changed,
    e.QueueAsked: leaving.queue_asked,
    e.RecordingReady: taking_message.recording_ready,
    e.VoicemailTranscribed: taking_message.voicemail_transcribed,
    e.CallMoved: leaving.call_moved,
    e.CarrierRefused: leaving.carrier_refused,
    e.CallCompleted: losing.call_completed,
    e.ModelLost: losing.model_lost,
    e.HandoffRequested: asking.handoff_requested,
    e.TargetsChecked: asking.targets_checked,
    e.ConsultDecided: reaching.consult_decided,
    e.HandoffCancelled: asking.handoff_cancelled,
    e.GiveBackRequested: meeting.give_back_requested,
    e.HintGiven: supervising.hint_given,
    e.SayRequested: supervising.say_requested,
    e.QuestionAsked: supervising.question_asked,
    e.QuestionAnswered: supervising.question_answered,
    e.HumanSaid: supervising.human_said,
    e.HangUpRequested: leaving.hang_up_requested,
    e.RecordingRefused: consenting.recording_refused,
    e.CallRecovered: losing.call_recovered,
    e.ShutdownRequested: losing.shutdown_requested,
}
