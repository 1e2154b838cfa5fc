"""The driver of one call: runs the core on what happens, and carries out what it wants.

It lives in the event loop's thread. `post` carries out the commands at once: there is no inbox
to wait in, no queue to hop over and no lock, because the core never waits. Links queue what they
send; REST (`carrier_requests`) and tools are tasks whose end, good or bad, is an event. So nothing
slow can delay a barge-in.

A command that fails is logged and, where the core knows an event for it, becomes that event. It
keeps nothing else from happening: the other commands, the journal, the watch and the timer.

    resource              acquired                       released
    the timer             whenever the deadline changes  when the call is over
    the media stream      attach()                       CloseStream, or the carrier
    the model's session   OpenModel                      CloseModel, which every ending contains
    the requests' tasks   MoveCall, RingHuman ...        their end, or close()
    the tools' tasks      RunTool                        their end, or close()
    the journal           given                          close()
    the tap               tapped(), StartRecording       its last sink's, or the call's end
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import (
    AddMessage,
    AnswerCarrier,
    AnyCommand,
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
    HangUp,
    Instruction,
    MoveCall,
    OpenConsult,
    OpenModel,
    PlayAudio,
    PlayPrepared,
    ReportConsult,
    RequestResponse,
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
    AnyEvent,
    CallArrived,
    CallerAudio,
    CallerQuiet,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerTranscribed,
    CarrierRefused,
    LegRefused,
    MarkReturned,
    ModelAudio,
    ModelLost,
    PreparedAudio,
    StreamStalled,
    StreamStopped,
    TargetsChecked,
    ToolFinished,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.core.timers import earliest
from hookflash.runtime.allowance import FRAME_PRICE, Allowance
from hookflash.runtime.call_ports import CallPorts
from hookflash.runtime.carrier_requests import CarrierRequests, Inlet
from hookflash.runtime.journal import State
from hookflash.runtime.log import log_step
from hookflash.runtime.ports import CarrierStream, EventSink, ModelLink
from hookflash.runtime.settled import SettledLines
from hookflash.runtime.stream_watch import StreamWatch
from hookflash.runtime.tap import Tap
from hookflash.runtime.tool_runner import BROKEN
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

_DETECTED = frozenset({CallerSpeechStarted, CallerSpeechStopped, CallerTranscribed})

_FAILED = "it failed: see the log"

_BROKEN_SESSIONS = 3
"""How many sessions of a call may fail to take a command before no other one is opened."""


class Driver:
    """Drives `call`. `on_ended` is called once, when the record was handed over or was refused.

    `watch` is told of every event but the caller's sound, which is only counted. `arrived` is what
    the carrier said when the call came.
    """

    def __init__(
        self,
        call_sid: str,
        call: Call,
        outside: CallPorts,
        *,
        on_ended: Callable[[Driver], None],
        watch: Callable[[str, AnyEvent | None, list[AnyCommand]], None] | None = None,
        arrived: CallArrived | None = None,
    ) -> None:
        self.call_sid = call_sid
        self.call = call
        self.arrived = arrived
        self.outside = outside
        self._on_ended = on_ended
        self._watch = watch
        self._inlet = Inlet(self.post)
        self._tools = outside.make_tools(self._inlet)
        self._carrier_requests = CarrierRequests(
            call_sid, outside, self._inlet, wanted=partial(_is_wanted, call)
        )
        self._stream: CarrierStream | None = None
        self._model: ModelLink | None = None
        self._answer: tuple[Instruction, ...] = ()
        self._inbox: deque[AnyEvent] = deque()
        self._busy = False
        self._now = outside.clock.now
        self._journal = outside.journal
        self._settled = SettledLines(call.conversation.transcript)
        self._phase: Phase | None = None
        self._handoff: HandoffState | None = None
        self._traffic = outside.traffic
        self._allowance = Allowance(self._now)
        self._audio_sink: Callable[[SendCallerAudio], None] | None = None
        self._stream_watch = StreamWatch(outside.clock)
        self._voice = VoiceLevel()
        self._speaks = False
        """Whether the model takes the caller to be speaking."""
        self.tap: Tap | None = None
        self._broken_sessions = 0
        self._reported: set[str] = set()
        self._debug = log.isEnabledFor(logging.DEBUG)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # --- events in ----------------------------------------------------------------------------

    def post(self, event: AnyEvent) -> None:
        """Take an event. One that arises while another is carried out is taken right after it."""
        if type(event) is CallerAudio and self._audio_sink is not None:
            # The short way: nothing that the core would look at has happened since it was asked.
            self._traffic.up += 1
            allowance = self._allowance
            allowance.left -= event.size + FRAME_PRICE
            if allowance.left >= 0 or not allowance.overdrawn(event.size):
                try:
                    self._audio_sink(SendCallerAudio(event.payload, event.size))
                except Exception:  # whatever the session's shell raises costs that session alone
                    self._lose_model("the caller's sound")
                if self.tap is not None:
                    try:
                        self.tap.caller(event)
                    except Exception:  # a recording that fails must not cost the call
                        self._report_once("recording the caller")
                self._measure(event)
            elif allowance.spent:
                self._close_flooded()
            return
        if self._busy:
            self._inbox.append(event)
            return
        self._busy = True
        try:
            self._take(event)
            while self._inbox:
                self._take(self._inbox.popleft())
        finally:
            self._inbox.clear()
            self._busy = False

    def _measure(self, event: CallerAudio) -> None:
        """Note that sound has come, and notice a caller who is silent though no end of their turn
        was detected. The sound itself has gone to the model before."""
        self._stream_watch.frames += 1
        if self._voice.take(event.payload, event.size) and self._speaks:
            self.post(CallerQuiet())

    def ask(self, event: AnyEvent) -> tuple[Instruction, ...]:
        """Take an event that the core answers with instructions, and return them."""
        self._answer = ()
        self.post(event)
        return self._answer

    def attach(self, stream: CarrierStream) -> EventSink | None:
        """Give the call its media stream. Return where its events go, or None when the call has
        one already: a second socket would be a second voice."""
        if self.call.phase is Phase.ENDED:
            return None
        if self._stream is not None:
            if self.call.caller_leg.stream_sid is not None:
                return None
            self._attempt("closing the stream before", self._stream.close)
        self._stream = stream
        self._stream_watch.start(stream, self._stalled)
        return self.post

    def _stalled(self, stream: CarrierStream) -> None:
        log.warning("%s ! the media stream carries nothing any more", self.call_sid)
        self.post(StreamStalled(stream.stream_sid))

    async def close(self) -> None:
        """Let go of everything at once; for a process that ends."""
        if self._timer is not None:
            self._timer.cancel()
        self._stream_watch.stop()
        for held in (self._model, self._stream, self.tap):
            if held is not None:
                self._attempt("letting go of the call", held.close)
        await self._carrier_requests.close()
        await self._tools.close()
        self._journal.close()
        self._inlet.close()
        self._model = self._stream = self._audio_sink = self.tap = None

    def tapped(self) -> Tap:
        """Return the call's tap, which is there as long as somebody wants its blocks."""
        if self.tap is None:
            self.tap = Tap(self.call, self._now, self.outside.recordings, on_unused=self._untap)
        return self.tap

    # --- the core -----------------------------------------------------------------------------

    def _take(self, event: AnyEvent) -> None:
        now = self._now()
        if type(event) is ModelAudio:
            self._speak(event, now)
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
        commands = self.call.receive(event, now)
        if type(event) is CallerAudio:
            if self.tap is not None:
                try:
                    self.tap.caller(event)
                except Exception:  # a recording that fails must not cost the call
                    self._report_once("recording the caller")
            self._measure(event)
        self._done(now, event, commands)
        if type(event) is MarkReturned:
            self._set_timer_for_sound(commands)
        else:
            self._update_audio_route()
            self._set_timer()

    def _speak(self, event: ModelAudio, now: float) -> None:
        """The agent's sound moves the ledger and nothing else: what a call is stays as it was."""
        commands = self.call.receive(event, now)
        for command in commands:
            try:
                if type(command) is PlayAudio:
                    self._traffic.down += 1
                    if self._stream is not None:
                        self._stream.play(command.payload)
                else:
                    _CARRY_OUT[type(command)](self, command)
            except Exception:  # one command that fails keeps no other from being carried out
                self._failed(command)
        if self.tap is not None:
            try:
                self.tap.follow(commands)
            except Exception:
                self._report_once("recording the agent")
        try:
            self._journal.write_sound(now, event, commands)
        except Exception:
            self._report_once("writing the journal")
        self._set_timer_for_sound(commands)
        if self._watch is not None:
            try:
                self._watch(self.call_sid, event, commands)
            except Exception:
                self._report_once("watching the sound")
        if self._debug:
            log_step(self.call_sid, event, commands)

    def _update_audio_route(self) -> None:
        """Something has happened: is the caller's sound heard now, and by whom?"""
        self._debug = log.isEnabledFor(logging.DEBUG)
        self._speaks = self.call.conversation.requests.caller_speaking
        if self._model is not None and self.call.hears and not self._debug:
            self._audio_sink = self._model.carry_out
        else:
            self._audio_sink = None

    def _close_flooded(self) -> None:
        log.warning("%s ! the carrier floods the call: its stream is closed", self.call_sid)
        if self._stream is not None:
            self._attempt("closing the stream", self._stream.close)

    def _expire(self) -> None:
        self._timer = None
        now = self._now()
        deadline = self.call.deadline
        if deadline is not None and now >= deadline:
            # Busy, so that what the commands cause is taken afterwards, in order.
            self._busy = True
            try:
                self._done(now, "expired", self.call.expire(now))
                self._update_audio_route()
                while self._inbox:
                    self._take(self._inbox.popleft())
            finally:
                self._inbox.clear()
                self._busy = False
        self._set_timer()

    def _done(
        self, now: float, cause: AnyEvent | Literal["expired"], commands: list[AnyCommand]
    ) -> None:
        for command in commands:
            try:
                _CARRY_OUT[type(command)](self, command)
            except Exception:
                self._failed(command)
        if type(cause) is not CallerAudio:
            if self.tap is not None:
                try:
                    self.tap.follow(commands)
                except Exception:
                    self._report_once("recording the agent")
            state = self._changed_state()
            try:
                self._journal.write(now, cause, commands, state, self._settled.news())
            except Exception:
                self._report("writing the journal")
            if self._watch is not None:
                try:
                    self._watch(self.call_sid, None if cause == "expired" else cause, commands)
                except Exception:
                    self._report("watching the call")
        if self._debug:
            log_step(self.call_sid, None if cause == "expired" else cause, commands)

    def _changed_state(self) -> State | None:
        """Return what the call has become, if it is not what it was."""
        phase, handoff = self.call.phase, self.call.handoff.state
        if phase is self._phase and handoff is self._handoff:
            return None
        self._phase, self._handoff = phase, handoff
        return State(phase.value, handoff.value)

    def _set_timer_for_sound(self, commands: list[AnyCommand]) -> None:
        """Sound and its marks move the ledger's deadline alone, unless they let go what waited."""
        call = self.call
        if (
            self._timer is None
            or call.conversation.farewell.purpose is not None
            or (commands and type(commands[-1]) not in _SOUND)
        ):
            self._update_audio_route()
            self._set_timer()
            return
        deadline = earliest(call.conversation.playout.deadline, call.conversation.owed.due)
        if deadline is not None and deadline < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        deadline = self.call.deadline
        if self._timer is not None:
            # A timer that is early only finds nothing to do and is set again: cheaper than
            # moving it with every frame.
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            seconds = max(0.0, deadline - self._now())
            delay = self.outside.clock.delay(seconds)
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)
            self._timer_at = deadline

    # --- commands out -------------------------------------------------------------------------

    def _play(self, command: PlayAudio) -> None:
        if self._stream is not None:
            self._stream.play(command.payload)

    def _play_prepared(self, command: PlayPrepared) -> None:
        clip = self.outside.prepared.find(command.line)
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

    def _keep_answer(self, command: AnswerCarrier) -> None:
        self._answer = command.instructions

    def _open_model(self, command: OpenModel) -> None:
        self._let_model_go()
        setup = self.outside.model_setup(command.history)
        self._model = self.outside.connector.open(setup, self.post)

    def _close_model(self, command: CloseModel) -> None:
        self._let_model_go()

    def _let_model_go(self) -> None:
        # Its place is empty even if closing it fails.
        model, self._model, self._audio_sink = self._model, None, None
        if model is not None:
            self._attempt("closing the model's session", model.close)

    def _tell_model(self, command: AnyCommand) -> None:
        if self._model is not None:
            try:
                self._model.carry_out(command)
            except Exception:
                self._lose_model(type(command).__name__)

    def _untap(self) -> None:
        self.tap = None

    def _store(self, command: StoreRecord) -> None:
        if self.tap is not None:
            self._attempt("closing the tap", self.tap.close)
        self._attempt("handing over the record", self.outside.records.put, command.record)
        self._on_ended(self)

    def _open_consult(self, command: OpenConsult) -> None:
        self._answer = self.outside.consults.open(self.call_sid, command)

    def _report_consult(self, command: ReportConsult) -> None:
        self.outside.consults.report(command.parent_sid, command.decided)

    def _deliver(self, command: Deliver) -> None:
        if self.outside.deliveries is None:
            log.error("%s ! nobody takes messages here: it is in the journal", self.call_sid)
        else:
            self.outside.deliveries.deliver(command.delivery)

    # --- what fails ---------------------------------------------------------------------------

    def _failed(self, command: AnyCommand) -> None:
        """`command` has just raised: log it, and let the core know where it has an event for it."""
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
            case RunTool():
                self.post(ToolFinished(command.call_id, BROKEN, failed=True))
            case OpenConsult():
                self._answer = (HangUp(),)

    def _lose_model(self, what: str) -> None:
        """The session has just failed to take `what`: it takes nothing more, and the core decides
        whether there is another one."""
        self._report(what)
        self._let_model_go()
        self._broken_sessions += 1
        # A session that opens and then fails again and again would be opened without end.
        remedy: Literal["rotate", "none"] = (
            "rotate" if self._broken_sessions < _BROKEN_SESSIONS else "none"
        )
        self.post(ModelLost(f"the model's session took nothing more: {_FAILED}", remedy))

    def _attempt(self, what: str, function: Callable[..., object], *arguments: object) -> None:
        """Call `function`; what it raises is logged, and keeps nothing else from happening."""
        try:
            function(*arguments)
        except Exception:
            self._report(what)

    def _report(self, what: str) -> None:
        """Log the exception that is being handled."""
        log.exception("%s ! %s failed", self.call_sid, what)

    def _report_once(self, what: str) -> None:
        """`_report` for what may fail fifty times a second."""
        if what not in self._reported:
            self._reported.add(what)
            log.exception("%s ! %s failed; said once a call", self.call_sid, what)


_CARRY_OUT: dict[type, Callable[[Driver, Any], None]] = {
    PlayAudio: Driver._play,
    PlayPrepared: Driver._play_prepared,
    SendMark: Driver._mark,
    ClearAudio: Driver._clear,
    AnswerCarrier: Driver._keep_answer,
    MoveCall: lambda driver, command: driver._carrier_requests.move(command),
    RingHuman: lambda driver, command: driver._carrier_requests.ring(command),
    EndLeg: lambda driver, command: driver._carrier_requests.end_leg(command),
    CheckTargets: lambda driver, command: driver._carrier_requests.check(command),
    OpenConsult: Driver._open_consult,
    ReportConsult: Driver._report_consult,
    Deliver: Driver._deliver,
    CloseStream: Driver._close_stream,
    OpenModel: Driver._open_model,
    CloseModel: Driver._close_model,
    RunTool: lambda driver, command: driver._tools.run(command),
    CancelTool: lambda driver, command: driver._tools.cancel(command.call_id),
    StartRecording: lambda driver, command: driver.tapped().record(command.since),
    StopRecording: lambda driver, command: driver.tapped().stop_recording(),
    StoreRecord: Driver._store,
    **dict.fromkeys(_TO_MODEL, Driver._tell_model),
}


def _is_wanted(call: Call, what: RingHuman) -> bool:
    """Whether the human of an order that was not carried out yet is still to be rung."""
    leg = call.handoff.legs.find(what.wave, what.leg)
    return leg is not None and leg.live
