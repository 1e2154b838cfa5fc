"""The driver of one call: pass events to the core and carry out its commands.

It runs in the event loop's thread. `post` carries out the commands at once. There is no inbox, no
queue and no lock, because the core never waits. Links queue what they send. REST requests
(`carrier_requests`) and tools are tasks whose end, successful or not, is an event. So no slow
operation can delay a barge-in.

A command that fails is logged and, if the core has an event for it, becomes that event. The other
commands, the journal, the watcher and the timer are not affected.

    resource              acquired                          released
    the timer             whenever the deadline changes     when the call has ended
    the media stream      attach()                          CloseStream, or the carrier
    the model's session   OpenModel                         CloseModel, which every ending contains
    the requests' tasks   MoveCall, RingHuman ...           their end, or close()
    the tools' tasks      RunTool                           their end, or close()
    the journal           passed in                         close()
    the audio capture     start_capture(), StartRecording   the end of its last sink, or of the call
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec

from hookflash.core.audio import SILENCE
from hookflash.core.call import Call
from hookflash.core.commands import (
    AddMessage,
    AnswerCarrier,
    AnyCommand,
    BringAgent,
    CancelResponse,
    CancelTool,
    CheckTargets,
    ClearAudio,
    CloseModel,
    CloseStream,
    CommitCallerAudio,
    DeleteItem,
    Deliver,
    EndLeg,
    GiveDigits,
    HangUp,
    Instruction,
    LimitCall,
    MoveCall,
    OpenConsult,
    OpenModel,
    PauseCarrierRecording,
    PlayAudio,
    PlayPrepared,
    RefuseTarget,
    ReportConsult,
    ReportKeys,
    RequestResponse,
    ResumeCarrierRecording,
    RingHuman,
    RunTool,
    SendCallerAudio,
    SendMark,
    SendToolOutput,
    StartRecording,
    StopRecording,
    StoreRecord,
    TruncateItem,
)
from hookflash.core.events import (
    AgentRefused,
    AgentTranscribed,
    AnyEvent,
    CallArrived,
    CallerAudio,
    CallerQuiet,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerTranscribed,
    CarrierRefused,
    DigitPressed,
    LegRefused,
    MarkReturned,
    ModelAudio,
    ModelLost,
    PreparedAudio,
    QueueAsked,
    StreamStalled,
    StreamStopped,
    TargetsChecked,
    ToolFinished,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.core.timers import earliest
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.audio_rate_limit import AudioRateLimit
from hookflash.runtime.call_ports import CallPorts
from hookflash.runtime.caller_sound import CallerSound, sound_of
from hookflash.runtime.carrier_requests import CarrierRequests, EventInput
from hookflash.runtime.journal import JournalState
from hookflash.runtime.log import log_step
from hookflash.runtime.ports import CarrierStream, EventSink, ModelLink
from hookflash.runtime.pressed_keys import PressedKeys
from hookflash.runtime.settled_lines import SettledLines
from hookflash.runtime.stream_watch import StreamWatch
from hookflash.runtime.tool_runner import BROKEN
from hookflash.runtime.typed_digits import TypedDigits
from hookflash.runtime.voice_level import VoiceLevel

log = logging.getLogger("hookflash.call")

_TO_MODEL = (
    AddMessage,
    CancelResponse,
    CommitCallerAudio,
    DeleteItem,
    RequestResponse,
    SendCallerAudio,
    SendToolOutput,
    TruncateItem,
)

_SOUND = frozenset({PlayAudio, SendMark})

_TYPED = frozenset({DigitPressed, QueueAsked})

_DETECTED = frozenset({CallerSpeechStarted, CallerSpeechStopped, CallerTranscribed})

_WHILE_SPEAKING = frozenset({MarkReturned, AgentTranscribed})

_FAILED = "it failed: see the log"

_MAX_BROKEN_SESSIONS = 3
"""How many sessions of a call may fail to take a command before no other is opened."""


class Driver:
    """Drives `call`. `on_ended` is called once, after the record was stored or refused.

    `watch` is called for every event that does more than continue the sound. It is not called for
    the caller's audio, and for the agent's only at its first piece. It is not called for marks and
    words that lead to no command. `arrived` is what the carrier said when the call arrived.
    """

    def __init__(
        self,
        call_sid: str,
        call: Call,
        ports: CallPorts,
        *,
        on_ended: Callable[[Driver], None],
        watch: Callable[[str, AnyEvent | None, list[AnyCommand]], None] | None = None,
        arrived: CallArrived | None = None,
    ) -> None:
        self.call_sid = call_sid
        self.call = call
        self.arrived = arrived
        self.ports = ports
        self._on_ended = on_ended
        self._watch = watch
        self._event_input = EventInput(self.post)
        self._digits = TypedDigits(call, self._event_input, entropy=ports.entropy)
        self._keys = PressedKeys(self._event_input, entropy=ports.entropy)
        self._tools = ports.make_tools(self._event_input, self._digits, self._keys)
        self._carrier_requests = CarrierRequests(
            call_sid, ports, self._event_input, wanted=partial(_is_wanted, call)
        )
        self._stream: CarrierStream | None = None
        self._model: ModelLink | None = None
        self._answer: tuple[Instruction, ...] = ()
        self._inbox: deque[AnyEvent] = deque()
        self._busy = False
        self._now = ports.clock.now
        self._journal = ports.journal
        self._settled = SettledLines(call.conversation.transcript)
        self._phase: Phase | None = None
        self._handoff: HandoffState | None = None
        self._traffic = ports.traffic
        self._voice = VoiceLevel()
        limit = AudioRateLimit(self._now)
        self._caller_sound = sound = CallerSound(limit, self._voice, self._traffic, self)
        self._stream_watch = StreamWatch(ports.clock, lambda: sound.frames)
        self._sound_watched = False
        """Whether `watch` was called for the agent's audio since the last event of another kind."""
        self._forwards = False
        """Whether the stream gives the caller's sound to `_caller_sound` itself."""
        self._speaks = self._misses_turns = False
        """Whether the model has detected that the caller is speaking."""
        self.audio_capture: AudioCapture | None = None
        self._broken_sessions = 0
        self._reported: set[str] = set()
        self._debug = log.isEnabledFor(logging.DEBUG)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # --- events in ----------------------------------------------------------------------------

    def post(self, event: AnyEvent) -> None:
        """Handle an event. An event that is posted while another is handled follows right after
        it."""
        if type(event) is CallerAudio and self._caller_sound.is_open:
            # The core has already decided that this audio goes to the model unchanged.
            if self._caller_sound.take(event.payload.encode(), sound_of(event.payload)):
                self._capture_caller(event)
            return
        if self._busy:
            self._inbox.append(event)
            return
        self._busy = True
        try:
            self._receive(event)
            while self._inbox:
                self._receive(self._inbox.popleft())
        finally:
            self._inbox.clear()
            self._busy = False

    def _capture_caller(self, event: CallerAudio) -> None:
        if self.audio_capture is not None:
            heard = _silence(event) if self.call.private else event
            try:
                self.audio_capture.add_caller_audio(heard)
            except Exception:  # a failed recording must not end the call
                self._report_once("recording the caller")

    # --- the caller's sound (`SoundEvents`) ---------------------------------------------------

    def caller_quiet(self) -> None:
        """Report a caller who is silent although the model detected no end of their turn."""
        unheard = self._voice.unheard
        if self._speaks or (self._misses_turns and unheard):
            # Each turn is reported once.
            self._voice.detected()
            self.post(CallerQuiet(unheard))

    def not_sent(self) -> None:
        self._lose_model("the caller's sound")

    def flooded(self) -> None:
        log.warning("%s ! the carrier sends audio too fast: the stream is closed", self.call_sid)
        if self._stream is not None:
            self._attempt("closing the stream", self._stream.close)

    def ask(self, event: AnyEvent) -> tuple[Instruction, ...]:
        """Handle an event that the core answers with instructions. Return the instructions."""
        self._answer = ()
        self.post(event)
        return self._answer

    def attach(self, stream: CarrierStream) -> EventSink | None:
        """Connect a media stream. Return where its events go, or None if the call already has a
        stream.

        A second stream would play a second voice.
        """
        if self.call.phase is Phase.ENDED:
            return None
        if self._stream is not None:
            if self.call.caller_leg.stream_sid is not None:
                return None
            self._attempt("closing the stream before", self._stream.close)
        self._stream = stream
        self._forwards = False
        self._stream_watch.start(stream, self._stalled)
        return self.post

    def _stalled(self, stream: CarrierStream) -> None:
        log.warning("%s ! the media stream has stalled: no audio arrives", self.call_sid)
        self.post(StreamStalled(stream.stream_sid))

    async def close(self) -> None:
        """Release everything at once, when the process ends."""
        if self._timer is not None:
            self._timer.cancel()
        self._stream_watch.stop()
        for held in (self._model, self._stream, self.audio_capture):
            if held is not None:
                self._attempt("releasing the call", held.close)
        await self._carrier_requests.close()
        self._digits.close()
        self._keys.close()
        await self._tools.close()
        self._journal.close()
        self._event_input.close()
        self._caller_sound.end()
        self._model = self._stream = self.audio_capture = None

    async def settle(self, seconds: float) -> None:
        """Wait until the requests to the carrier that are under way have ended."""
        await self._carrier_requests.settle(seconds)

    def start_capture(self) -> AudioCapture:
        """Return the call's audio capture, created if needed. It exists while it has a sink."""
        if self.audio_capture is None:
            self.audio_capture = AudioCapture(
                self.call, self._now, self.ports.recordings, on_unused=self._end_capture
            )
            self._update_audio_route()
        return self.audio_capture

    # --- the core -----------------------------------------------------------------------------

    def _receive(self, event: AnyEvent) -> None:
        now = self._now()
        if type(event) is ModelAudio:
            self._play_agent_audio(event, now)
            return
        if type(event) is StreamStopped and self._stream is not None:
            if self._stream.stream_sid == event.stream_sid:
                self._stream = None
                self._stream_watch.stop()
        if type(event) in _DETECTED:
            self._voice.detected()
        elif type(event) is ModelLost and self._voice.unheard:
            self._voice.detected()
            event = msgspec.structs.replace(event, unheard=True)
        elif type(event) in _TYPED:
            event = self._digits.hide(event)
        commands = self.call.receive(event, now)
        if type(event) in _WHILE_SPEAKING and self.call.only_sound_moved:
            self._follow_sound(now, event, commands)
            return
        if type(event) is CallerAudio:
            self._capture_caller(event)
            self._caller_sound.take(event.payload.encode(), sound_of(event.payload))
        self._carry_out(now, event, commands)
        if type(event) is MarkReturned:
            self._set_timer_for_sound(commands)
        else:
            self._update_audio_route()
            self._set_timer()

    def _play_agent_audio(self, event: ModelAudio, now: float) -> None:
        """Handle the agent's audio. It changes the playout ledger and no other state of the
        call."""
        commands = self.call.receive(event, now)
        for command in commands:
            try:
                if type(command) is PlayAudio:
                    self._traffic.down += 1
                    if self._stream is not None:
                        self._stream.play(command.payload)
                else:
                    _CARRY_OUT[type(command)](self, command)
            except Exception:  # a failed command must not stop the others
                self._failed(command)
        self._capture_agent(commands)
        try:
            self._journal.write_sound(now, event, commands)
        except Exception:
            self._report_once("writing the journal")
        if not (self._sound_watched and self.call.conversation.playout.prolonged):
            self._set_timer_for_sound(commands)
        if not self._sound_watched:
            self._sound_watched = bool(commands)
            self._watch_sound(event, commands)
        elif self._debug:
            log_step(self.call_sid, event, commands)

    def _follow_sound(self, now: float, event: AnyEvent, commands: list[AnyCommand]) -> None:
        """Carry out what follows from an event that has moved nothing but the sound."""
        self._perform(commands)
        self._capture_agent(commands)
        try:
            self._journal.write(now, event, commands)
        except Exception:
            self._report_once("writing the journal")
        if commands:
            self._set_timer_for_sound(commands)
            self._watch_sound(event, commands)
        elif self._debug:
            log_step(self.call_sid, event, commands)

    def _watch_sound(self, event: AnyEvent, commands: list[AnyCommand]) -> None:
        if self._watch is not None:
            try:
                self._watch(self.call_sid, event, commands)
            except Exception:
                self._report_once("watching the audio")
        if self._debug:
            log_step(self.call_sid, event, commands)

    def _update_audio_route(self) -> None:
        """Decide where the caller's audio goes: straight to the model, or through the core."""
        self._debug = log.isEnabledFor(logging.DEBUG)
        talk = self.call.conversation
        self._speaks, self._misses_turns = talk.requests.caller_speaking, talk.misses_turns
        sound = self._caller_sound
        if self._model is not None and self.call.hears and not self._debug:
            sound.open(self._model.send_sound)
        elif sound.is_open:
            sound.close()
        # A capture needs the time of each frame, which only the event has.
        forwards = sound.is_open and self.audio_capture is None
        if forwards is not self._forwards and self._stream is not None:
            self._forwards = forwards
            self._stream.forward_sound(sound.take if forwards else None)

    def _expire(self) -> None:
        self._timer = None
        now = self._now()
        deadline = self.call.deadline
        if deadline is not None and now >= deadline:
            # Busy, so that events caused by the commands are handled afterwards, in order.
            self._busy = True
            try:
                self._carry_out(now, "expired", self.call.expire(now))
                self._update_audio_route()
                while self._inbox:
                    self._receive(self._inbox.popleft())
            finally:
                self._inbox.clear()
                self._busy = False
        self._set_timer()

    def _carry_out(
        self, now: float, cause: AnyEvent | Literal["expired"], commands: list[AnyCommand]
    ) -> None:
        self._sound_watched = False
        self._perform(commands)
        if type(cause) is not CallerAudio:
            self._capture_agent(commands)
            state = self._changed_state()
            try:
                self._journal.write(now, cause, commands, state, self._settled.changes())
            except Exception:
                self._report("writing the journal")
            if self._watch is not None:
                try:
                    self._watch(self.call_sid, None if cause == "expired" else cause, commands)
                except Exception:
                    self._report("watching the call")
        if self._debug:
            log_step(self.call_sid, None if cause == "expired" else cause, commands)

    def _perform(self, commands: list[AnyCommand]) -> None:
        for command in commands:
            try:
                _CARRY_OUT[type(command)](self, command)
            except Exception:  # a failed command must not stop the others
                self._failed(command)

    def _capture_agent(self, commands: list[AnyCommand]) -> None:
        if self.audio_capture is not None:
            try:
                self.audio_capture.follow(commands)
            except Exception:  # a failed recording must not end the call
                self._report_once("recording the agent")

    def _changed_state(self) -> JournalState | None:
        """Return the call's states if one has changed since the last call of this method."""
        phase, handoff = self.call.phase, self.call.handoff.state
        if phase is self._phase and handoff is self._handoff:
            return None
        self._phase, self._handoff = phase, handoff
        return JournalState(phase.value, handoff.value)

    def _set_timer_for_sound(self, commands: list[AnyCommand]) -> None:
        """Set the timer after audio or marks.

        They move the deadlines of the ledger, the response and the owed answer, and in most cases
        no others.
        """
        call = self.call
        if (
            self._timer is None
            or call.conversation.farewell.purpose is not None
            or (commands and type(commands[-1]) not in _SOUND)
        ):
            self._update_audio_route()
            self._set_timer()
            return
        talk = call.conversation
        deadline = earliest(talk.playout.deadline, talk.owed_due, talk.requests.deadline)
        if deadline is not None and deadline < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        deadline = self.call.deadline
        if self._timer is not None:
            # An early timer finds nothing to do and is set again. That is cheaper than moving
            # it with every frame.
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            seconds = max(0.0, deadline - self._now())
            delay = self.ports.clock.delay(seconds)
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)
            self._timer_at = deadline

    # --- commands out -------------------------------------------------------------------------

    def _play(self, command: PlayAudio) -> None:
        self._traffic.down += 1
        if self._stream is not None:
            self._stream.play(command.payload)

    def _play_prepared(self, command: PlayPrepared) -> None:
        clip = self.ports.prepared.find(command.line, command.tool)
        self.post(PreparedAudio(command.item_id, clip.payload, clip.size, clip.text))

    def _mark(self, command: SendMark) -> None:
        if self._stream is not None:
            self._stream.mark(command.name)

    def _clear(self, command: ClearAudio) -> None:
        if self._stream is not None:
            self._stream.clear()

    def _close_stream(self, command: CloseStream) -> None:
        if self._stream is not None:
            self._stream.close()

    def _store_answer(self, command: AnswerCarrier) -> None:
        self._answer = command.instructions

    def _open_model(self, command: OpenModel) -> None:
        self._close_session()
        setup = self.ports.model_setup(command.history)
        self._model = self.ports.connector.open(setup, self.post)

    def _close_model(self, command: CloseModel) -> None:
        self._close_session()

    def _close_session(self) -> None:
        # The session counts as closed even if closing it fails.
        model, self._model = self._model, None
        self._caller_sound.close()
        if model is not None:
            self._attempt("closing the model's session", model.close)

    def _send_to_model(self, command: AnyCommand) -> None:
        if self._model is not None:
            try:
                self._model.carry_out(command)
            except Exception:
                self._lose_model(type(command).__name__)

    def _end_capture(self) -> None:
        self.audio_capture = None
        self._update_audio_route()

    def _store(self, command: StoreRecord) -> None:
        if self.audio_capture is not None:
            self._attempt("closing the audio capture", self.audio_capture.close)
        self._attempt("storing the record", self.ports.records.put, command.record)
        self._on_ended(self)

    def _report_refused_target(self, command: RefuseTarget) -> None:
        log.warning(
            "%s ! target %d of %s is not rung: no prefix of HOOKFLASH_DIAL_PREFIXES permits its"
            " number; add one, or change the target",
            *(self.call_sid, command.target + 1, command.destination),
        )

    def _open_consult(self, command: OpenConsult) -> None:
        self._answer = self.ports.consults.open(self.call_sid, command)

    def _report_consult(self, command: ReportConsult) -> None:
        self.ports.consults.report(command.parent_sid, command.decided)

    def _deliver(self, command: Deliver) -> None:
        if self.ports.deliveries is None:
            log.error(
                "%s ! no outbox is configured: the message is only in the journal", self.call_sid
            )
        else:
            self.ports.deliveries.deliver(command.delivery)

    # --- failures -----------------------------------------------------------------------------

    def _failed(self, command: AnyCommand) -> None:
        """Log the exception of `command`, and post the core's event for it, if there is one."""
        name = type(command).__name__
        if type(command) in _SOUND:
            self._report_once(name)
        else:
            self._report(name)
        match command:
            case OpenModel():
                self.post(ModelLost(f"opening the model's session: {_FAILED}"))
            case MoveCall():
                self.post(CarrierRefused(command.step))
            case RingHuman():
                self.post(LegRefused(command.wave, command.leg, reason=f"ringing: {_FAILED}"))
            case CheckTargets():
                self.post(TargetsChecked(command.check))
            case BringAgent():
                self.post(AgentRefused(command.key))
            case RunTool():
                self.post(ToolFinished(command.call_id, BROKEN, failed=True))
            case OpenConsult():
                self._answer = (HangUp(),)

    def _lose_model(self, what: str) -> None:
        """Close the session that failed to take `what`. The core decides whether to open
        another."""
        self._report(what)
        self._close_session()
        self._broken_sessions += 1
        # Otherwise a session that opens and then fails would be reopened endlessly.
        remedy: Literal["rotate", "none"] = (
            "rotate" if self._broken_sessions < _MAX_BROKEN_SESSIONS else "none"
        )
        self.post(ModelLost(f"the model's session took nothing more: {_FAILED}", remedy))

    def _attempt(self, what: str, function: Callable[..., object], *arguments: object) -> None:
        """Call `function` and log what it raises."""
        try:
            function(*arguments)
        except Exception:
            self._report(what)

    def _report(self, what: str) -> None:
        """Log the current exception."""
        log.exception("%s ! %s failed", self.call_sid, what)

    def _report_once(self, what: str) -> None:
        """Log the current exception once per call, for what may fail fifty times a second."""
        if what not in self._reported:
            self._reported.add(what)
            log.exception("%s ! %s failed (logged once per call)", self.call_sid, what)


_CARRY_OUT: dict[type, Callable[[Driver, Any], None]] = {
    PlayAudio: Driver._play,
    PlayPrepared: Driver._play_prepared,
    SendMark: Driver._mark,
    ClearAudio: Driver._clear,
    AnswerCarrier: Driver._store_answer,
    MoveCall: lambda driver, command: driver._carrier_requests.move(command),
    LimitCall: lambda driver, command: driver._carrier_requests.limit(command),
    RefuseTarget: Driver._report_refused_target,
    RingHuman: lambda driver, command: driver._carrier_requests.ring(command),
    EndLeg: lambda driver, command: driver._carrier_requests.end_leg(command),
    CheckTargets: lambda driver, command: driver._carrier_requests.check(command),
    BringAgent: lambda driver, command: driver._carrier_requests.bring(command),
    OpenConsult: Driver._open_consult,
    ReportConsult: Driver._report_consult,
    Deliver: Driver._deliver,
    CloseStream: Driver._close_stream,
    OpenModel: Driver._open_model,
    CloseModel: Driver._close_model,
    RunTool: lambda driver, command: driver._tools.run(command),
    CancelTool: lambda driver, command: driver._tools.cancel(command.call_id),
    ReportKeys: lambda driver, command: driver._keys.report(command),
    GiveDigits: lambda driver, command: driver._digits.give(command),
    StartRecording: lambda driver, command: driver.start_capture().record(command.since),
    StopRecording: lambda driver, command: driver.start_capture().stop_recording(),
    PauseCarrierRecording: lambda driver, command: driver._carrier_requests.pause_recording(
        paused=True
    ),
    ResumeCarrierRecording: lambda driver, command: driver._carrier_requests.pause_recording(
        paused=False
    ),
    StoreRecord: Driver._store,
    **dict.fromkeys(_TO_MODEL, Driver._send_to_model),
}


def _silence(event: CallerAudio) -> CallerAudio:
    """Return silence in place of a frame, so that what follows keeps its time."""
    return CallerAudio(b64encode(bytes([SILENCE]) * event.size).decode(), event.size, event.at_ms)


def _is_wanted(call: Call, what: RingHuman) -> bool:
    """Return whether the human of a pending ring request is still to be rung."""
    leg = call.handoff.legs.find(what.wave, what.leg)
    return leg is not None and leg.live
