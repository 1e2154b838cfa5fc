"""The machine of the caller's leg: from arrival, through every move, to its end.

    NEW --placed--> DIALLING --answered--> CONNECTING
    NEW --arrives--> CONNECTING --stream--> STREAM --moved--> TO_HUMAN --bridged--> WITH_HUMAN
                        ^                     |                   |                 |
                        +---- back to the agent (stream lost, nobody reached, the human is done)
    any --goodbye, or nothing can be offered--> ENDING or RECORDING --the leg is over--> OVER

Whenever the carrier asks what is next, there is an answer: the caller gets somebody, or hears a
last sentence.
"""

from __future__ import annotations

import msgspec

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.call_info import CallInfo
from hookflash.core.caller_leg.limits import KEY_SECONDS, LIMITS
from hookflash.core.caller_leg.route import Route, Where
from hookflash.core.caller_leg.states import PHASES, CallerLegState
from hookflash.core.commands import (
    AnswerCarrier,
    CloseStream,
    ConnectAgent,
    HangUp,
    Instruction,
    PlayKeys,
    TakeVoicemail,
)
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup
from hookflash.core.timers import Timer, earliest

_STREAM_TRIES = 4
"""After this many streams that never opened, the caller goes to a human instead."""

_WITH_AGENT = (Phase.RINGING, Phase.TALKING)
_WITH_HUMANS = (Phase.HANDING_OFF, Phase.WITH_HUMAN)


class CallerLeg:
    """Where the caller's leg is, and which instructions the carrier follows."""

    def __init__(self, setup: CallSetup, info: CallInfo) -> None:
        self.setup = setup
        self.info = info
        self.route = Route(setup.move_seconds)
        self.stream_sid: str | None = None
        self._stalled_sid = ""
        """The last stream that carried nothing."""
        self.completed = False
        """The carrier has said that the leg is over."""
        self.voicemail_step = 0
        """The step of the instruction that records a message; 0 is none."""
        self.keys_seconds = 0.0
        """How long tones are played before the stream that is awaited."""
        self.wait_seconds = 0.0
        """How long a caller may be on the way to a human."""
        self._stream_tries = 0
        """How many streams were asked for since the last one opened."""
        self._bring_back = False
        self._wave_of_step: dict[int, int] = {}
        """The wave of humans to which the instructions of each step led; 0 is none."""
        self._question: tuple[int, str] | None = None
        """The carrier's question that is being answered: its step and the leg it names."""
        self._timer = Timer(LIMITS, CallerLegState.NEW)

    @property
    def state(self) -> CallerLegState:
        return self._timer.state

    @property
    def phase(self) -> Phase:
        """The state, as the other machines, the journal and the console name it."""
        return PHASES[self._timer.state]

    @property
    def moving_until(self) -> float | None:
        """Until when the leg may be on the move; None if it is not being moved."""
        return self.route.deadline

    @property
    def room_wave(self) -> int:
        """The wave of humans to whose room the caller was sent; 0 if they were sent elsewhere."""
        return self._wave_of_step.get(self.route.step, 0) if self.route.to_room else 0

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return earliest(self._timer.due, self.route.deadline)

    # --- arriving ---------------------------------------------------------------------------------

    def call_placed(self, event: e.CallPlaced, step: s.Step) -> None:
        """The line has placed this call: wait until it is answered."""
        info = self.info
        info.call_sid, info.caller, info.called = event.call_sid, event.caller, event.called
        info.arrived_at, info.outbound = step.now, True
        self._timer.enter(CallerLegState.DIALLING, step.now, self)

    def call_arrived(self, event: e.CallArrived, step: s.Step) -> None:
        info = self.info
        if self.state is CallerLegState.DIALLING:
            info.answered_at = step.now
            self._question = (0, "")
            step.tell(s.CallBegan())
            return
        if info.call_sid:
            self._arrived_again(step)
            return
        info.call_sid, info.caller, info.called = event.call_sid, event.caller, event.called
        info.arrived_at = step.now
        self._question = (0, "")
        step.tell(s.CallBegan())

    def _arrived_again(self, step: s.Step) -> None:
        """The first webhook came again: the carrier retries, or uses its fallback URL."""
        if self.phase is Phase.TALKING and self.stream_sid is None:
            self._question = (self.route.step, "")
            step.tell(self._returned())
            return
        if self.state is CallerLegState.OVER:
            step.do(AnswerCarrier((HangUp(),)))
            return
        self.route.followed()
        step.do(AnswerCarrier(self.route.in_force))

    def _returned(self) -> s.CallerReturned:
        return s.CallerReturned(may_connect=self._stream_tries < _STREAM_TRIES)

    # --- moved ------------------------------------------------------------------------------------

    def connect_agent(self, step: s.Step, *, keys: str = "") -> None:
        """Give the caller's leg a stream to the agent, after the tones of `keys`."""
        where = self._where()
        before = (PlayKeys(keys),) if keys else ()
        self.keys_seconds = KEY_SECONDS * len(keys)
        instructions = self._numbered((*before, ConnectAgent(0)))
        self._timer.enter(CallerLegState.CONNECTING, step.now, self)
        # The carrier knows first that a stream is over: the socket may still look open here.
        self.stream_sid = None
        self._stream_tries += 1
        self._send(instructions, where, step)

    def move(self, signal: s.MoveCaller, step: s.Step) -> None:
        """Move the caller's leg away from the agent."""
        where = self._where()
        instructions = self._numbered(signal.instructions)
        # The state changes first: the `stop` that follows is expected in it.
        self._timer.enter(self._state_of(signal), step.now, self)
        self._wave_of_step[self.route.step] = signal.wave
        self._send(instructions, where, step)

    def _state_of(self, signal: s.MoveCaller) -> CallerLegState:
        if signal.wait_seconds is not None:
            self.wait_seconds = signal.wait_seconds
        if signal.phase is Phase.HANDING_OFF:
            return CallerLegState.TO_HUMAN
        if signal.phase is Phase.WITH_HUMAN:
            return CallerLegState.WITH_HUMAN
        records = any(isinstance(each, TakeVoicemail) for each in signal.instructions)
        return CallerLegState.RECORDING if records else CallerLegState.ENDING

    def _numbered(self, instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        """Return the instructions, each that ends with a question of the carrier with its step."""
        numbered = []
        before = self.route.step
        for each in instructions:
            asks = hasattr(each, "step") and getattr(each, "leg", None) is None
            if asks:
                each = msgspec.structs.replace(each, step=self.route.next_step())
            if isinstance(each, TakeVoicemail):
                self.voicemail_step = each.step
            numbered.append(each)
        if self.route.step == before:
            self.route.next_step()
        return tuple(numbered)

    def _send(self, instructions: tuple[Instruction, ...], where: Where, step: s.Step) -> None:
        """Answer the carrier's question; if it has not asked, move the caller's leg."""
        if self._question is not None:
            self.route.answer(*self._question, instructions)
            self._question = None
            step.do(AnswerCarrier(instructions))
            return
        moves = self.route.move(instructions, step.now, where=where)
        if any(isinstance(each, CloseStream) for each in moves):
            # An older move may end the stream as well, so its end proves nothing about this step.
            self.stream_sid = None
        step.do(*moves)

    def _where(self) -> Where:
        """Return where the leg is now. Without a stream and without humans, the carrier is about to
        ask what is next, or has not answered the call yet."""
        if self.phase not in _WITH_AGENT:
            return "leaving" if self.stream_sid is not None else "elsewhere"
        if self.stream_sid is None:
            return "between"
        return "stalled" if self.stream_sid == self._stalled_sid else "stream"

    def wait(self, signal: s.CallerWaits, step: s.Step) -> None:
        """A human is being asked: the caller's time begins again."""
        if self.state is CallerLegState.TO_HUMAN:
            self.wait_seconds = signal.seconds
            self._timer.enter(CallerLegState.TO_HUMAN, step.now, self)

    def bridged(self, step: s.Step) -> None:
        """The caller and a human hear each other."""
        self._timer.enter(CallerLegState.WITH_HUMAN, step.now, self)

    def in_room(self, wave: int) -> None:
        """The caller is in the room of this wave, even if REST has not confirmed it."""
        if wave == self.room_wave:
            self.route.followed()

    def close(self, step: s.Step) -> None:
        """The leg is over: nothing is moved or asked any more."""
        self.route.followed()
        self._timer.enter(CallerLegState.OVER, step.now, self)

    # --- the stream -------------------------------------------------------------------------------

    def stream_started(self, event: e.StreamStarted, step: s.Step) -> None:
        self.stream_sid = event.stream_sid
        if self.phase not in _WITH_AGENT:
            # The caller is to go elsewhere. When the stream closes, the carrier asks where.
            step.do(CloseStream())
            return
        self._stream_tries = 0
        self._timer.enter(CallerLegState.STREAM, step.now, self)
        if event.step == self.route.step:
            # The stream proves that the move was carried out, by REST or by the action.
            self.route.followed()
        step.tell(s.CallerOnStream())

    def stream_stopped(self, event: e.StreamStopped, step: s.Step) -> None:
        """The stream is over. After a move this is expected.

        Otherwise the caller hung up or the connection broke. If the carrier asks what is next, the
        caller is still there.
        """
        if event.stream_sid != self.stream_sid:
            return
        self.stream_sid = None
        if self.phase is not Phase.TALKING:
            return
        state = CallerLegState.STOPPED if event.reason == "stop" else CallerLegState.BROKEN
        self._timer.enter(state, step.now, self)
        step.tell(s.StreamLost())
        step.do(*self.route.stopped(step.now))

    def stream_stalled(self, event: e.StreamStalled, step: s.Step) -> None:
        """The stream is open and carries nothing: connect the caller with another one."""
        if event.stream_sid == self.stream_sid and self.state is CallerLegState.STREAM:
            self._stalled_sid = event.stream_sid
            step.tell(s.StreamLost(stalled=True))
            step.tell(self._returned())

    # --- the carrier asks what is next ------------------------------------------------------------

    def instructions_asked(self, event: e.InstructionsAsked, step: s.Step) -> None:
        asked = (event.step, event.leg_sid)
        self._report_late_bridge(event, step)
        if self.state is CallerLegState.OVER and not self.completed and self.route.to_room:
            # The caller counted as gone, and the human was dropped; but the caller is still there.
            self.route.in_force = ()
            self._question = asked
            step.tell(self._returned())
            return
        known = self.route.known_answer(*asked)
        if known is not None:
            step.do(AnswerCarrier(known))
            return
        self.route.followed()
        self._question = asked
        if event.point == "voicemail":
            step.tell(s.MessageRecorded(step=self.voicemail_step, recording=event.recording))
        elif self.completed or self.phase is Phase.ENDING:
            # They have heard the last words, or their leg is over.
            return
        elif event.point == "connect" or self.phase not in _WITH_HUMANS:
            step.tell(self._returned())
        elif event.point == "room" or event.point == "hold":
            step.tell(s.RoomOver(point=event.point, outcome=event.outcome))
        elif event.outcome == "caller-gone":
            self.completed = True
            step.tell(s.CallerGone())
            step.tell(s.NeverBridged(wave=self._wave_of_step.get(event.step, 0)))
        else:
            step.tell(s.DialOver(outcome=event.outcome or "failed"))

    def _report_late_bridge(self, event: e.InstructionsAsked, step: s.Step) -> None:
        """Report a bridge that is over: the caller was moved away from it, or their leg has ended.

        The carrier says only now, with the question that follows the bridge, that there was one.
        """
        over = self.completed or self.phase in (Phase.ENDING, Phase.ENDED)
        wave = self._wave_of_step.get(event.step, 0)
        if event.outcome == "bridged" and wave and (over or event.step < self.route.step):
            # A caller who counted as gone, and asks, goes back to the agent.
            stays = not self.completed and event.point != "voicemail"
            recorded = self.phase is Phase.ENDED and not stays
            step.tell(s.BridgedAfterAll(wave=wave, recorded=recorded))
        elif event.outcome == "caller-gone" and wave and self.phase is Phase.ENDED:
            step.tell(s.NeverBridged(wave=wave))

    def answer_open_question(self, step: s.Step) -> None:
        """Hang up if no machine has answered the carrier's question."""
        if self._question is not None:
            self._question = None
            step.do(AnswerCarrier((HangUp(),)))

    def queue_asked(self, event: e.QueueAsked, step: s.Step) -> None:
        current = self.phase is Phase.HANDING_OFF and event.step == self.route.step
        if current:
            # The carrier asks only about a caller who is in the queue, so the move was carried out.
            self.route.followed()
        step.tell(s.QueueAsks(event=event, current=current))

    def recording_ready(self, event: e.RecordingReady, step: s.Step) -> None:
        if event.step == self.voicemail_step:
            step.tell(s.MessageReady(step=event.step, recording=event.recording))

    def voicemail_transcribed(self, event: e.VoicemailTranscribed, step: s.Step) -> None:
        if event.step == self.voicemail_step:
            step.tell(s.MessageTranscribed(step=event.step, text=event.text))

    def dialled_leg_changed(self, event: e.LegChanged, step: s.Step) -> None:
        """News of a leg that the caller's own leg has dialled."""
        if self.phase not in _WITH_HUMANS or event.step != self.route.step:
            # Late news of a leg that is over must not take the caller away from the agent.
            return
        # A dialled leg proves that the newest instructions are carried out.
        self.route.followed()
        gone, taken = event.status == "completed", self.phase is Phase.WITH_HUMAN
        if event.status != "initiated" and gone is taken:
            step.tell(s.DialledLegChanged(status=event.status, leg_sid=event.leg_sid))

    # --- moves that the carrier reports on --------------------------------------------------------

    def call_moved(self, event: e.CallMoved, step: s.Step) -> None:
        step.do(*self.route.accepted(event.step, step.now, fixed=self._fixed))

    def carrier_refused(self, event: e.CarrierRefused, step: s.Step) -> None:
        if event.gone:
            step.tell(s.CallerGone())
        else:
            step.do(*self.route.refused(event.step, step.now, fixed=self._fixed))

    @property
    def _fixed(self) -> bool:
        """Whether it is known where the leg is: on the newest stream, or over."""
        return self.stream_sid is not None or self.state is CallerLegState.OVER

    # --- losses, and the end ----------------------------------------------------------------------

    def call_completed(self, event: e.CallCompleted, step: s.Step) -> None:
        self.completed = True
        if self.state is CallerLegState.DIALLING:
            self.info.unanswered = event.status
        step.tell(s.CallerGone())

    def call_recovered(self, step: s.Step) -> None:
        """The call was rebuilt from its journal: its stream from before is gone."""
        self.stream_sid = None
        if self.state in (CallerLegState.STREAM, CallerLegState.STOPPED):
            self._timer.enter(CallerLegState.BROKEN, step.now, self)
        elif self._bring_back:
            self._bring_back = False
            instructions = self._numbered((ConnectAgent(0),))
            self._timer.enter(CallerLegState.CONNECTING, step.now, self)
            step.do(*self.route.move(instructions, step.now, where="elsewhere"))
        elif self.phase in _WITH_AGENT:
            self._timer.enter(self.state, step.now, self)

    def resume(
        self, state: CallerLegState, step_number: int, now: float, *, fetch: bool = False
    ) -> None:
        """Go on in the state in which another version of Hookflash left this leg.

        `step_number` is the newest step of that version; numbers are never used twice. `fetch`: the
        caller hears music, and the carrier will not ask for them. `CallRecovered` then brings them
        back to the agent.
        """
        self.route.step = step_number
        self._bring_back = fetch
        self._timer.enter(state, now, self)

    def expire(self, step: s.Step) -> None:
        """Act on a deadline that has passed. Too early changes nothing."""
        now = step.now
        moves = self.route.expire(now)
        if moves is None:
            step.tell(s.CallerGone(given_up=self.phase is Phase.HANDING_OFF))
            return
        step.do(*moves)
        if not self._timer.expired(now):
            return
        if self.state is CallerLegState.DIALLING:
            self.info.unanswered = "failed"
        if self.route.deadline is not None and self.stream_sid is None:
            # REST is down, and the caller hears music. The move is still being tried.
            self._timer.enter(self.state, now, self)
        else:
            step.tell(s.CallerGone())
