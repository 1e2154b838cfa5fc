"""The machine of the caller's leg: arriving, moved from one place to the next, over.

    NEW --arrives--> CONNECTING --stream--> STREAM --moved--> TO_HUMAN --met--> WITH_HUMAN
                        ^                     |                   |                 |
                        +---- back to the agent (stream lost, nobody reached, the human is done)
    any --goodbye, or nothing can be offered--> ENDING or RECORDING --the leg is over--> OVER

One principle runs through it: when the carrier asks what is next, there is always an answer that
leaves the caller with somebody, or with a sentence.
"""

from __future__ import annotations

import msgspec

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.caller_leg.places import LIMITS, PHASES, Place
from hookflash.core.caller_leg.route import Route, Where
from hookflash.core.commands import (
    AnswerCarrier,
    CloseStream,
    ConnectAgent,
    HangUp,
    Instruction,
    TakeVoicemail,
)
from hookflash.core.facts import Facts
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup
from hookflash.core.timers import Timer, earliest

_STREAM_TRIES = 4
"""So many streams in a row that never opened, and the caller is brought to a human instead."""

_WITH_AGENT = (Phase.RINGING, Phase.TALKING)
_WITH_HUMANS = (Phase.HANDING_OFF, Phase.WITH_HUMAN)


class CallerLeg:
    """Where the caller's leg is, and what the carrier was told to do with it."""

    def __init__(self, setup: CallSetup, facts: Facts) -> None:
        self.setup = setup
        self.facts = facts
        self.route = Route(setup.move_seconds)
        self.stream_sid: str | None = None
        self.completed = False
        """The carrier has said that the leg is over."""
        self.voicemail_step = 0
        """The step of the instruction that records a message; 0 is none."""
        self.wait_seconds = 0.0
        """How long it may be before something comes of the move to a human."""
        self._stream_tries = 0
        """How many times a stream was wanted since the last one opened."""
        self._fetch = False
        self._question: tuple[int, str] | None = None
        """The question of the carrier's that is being taken: its step and the leg it names."""
        self._timer = Timer(LIMITS, Place.NEW)

    @property
    def place(self) -> Place:
        return self._timer.state

    @property
    def phase(self) -> Phase:
        """The place as the other machines, the journal and the console name it."""
        return PHASES[self._timer.state]

    @property
    def moving_until(self) -> float | None:
        """When the leg must have been moved, if it is being moved now."""
        return self.route.deadline

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return earliest(self._timer.due, self.route.deadline)

    # --- arriving ---------------------------------------------------------------------------------

    def call_arrived(self, event: e.CallArrived, step: s.Step) -> None:
        facts = self.facts
        if facts.call_sid:
            self._arrived_again(step)
            return
        facts.call_sid, facts.caller, facts.called = event.call_sid, event.caller, event.called
        facts.arrived_at = step.now
        self._question = (0, "")
        step.tell(s.CallArrived())

    def _arrived_again(self, step: s.Step) -> None:
        """The first webhook again: a retry, or the carrier's fallback: it has lost its way."""
        if self.phase is Phase.TALKING and self.stream_sid is None:
            self._question = (self.route.step, "")
            step.tell(self._returned())
            return
        if self.place is Place.OVER:
            step.do(AnswerCarrier((HangUp(),)))
            return
        self.route.asked()
        step.do(AnswerCarrier(self.route.in_force))

    def _returned(self) -> s.CallerReturned:
        return s.CallerReturned(may_connect=self._stream_tries < _STREAM_TRIES)

    # --- moved ------------------------------------------------------------------------------------

    def connect_agent(self, step: s.Step) -> None:
        """Give the caller's leg a stream to the agent."""
        where = self._where()
        instructions = self._numbered((ConnectAgent(0),))
        self._timer.enter(Place.CONNECTING, step.now, self)
        # The carrier knows it first that a stream is over: our end may not have noticed yet.
        self.stream_sid = None
        self._stream_tries += 1
        self._send(instructions, where, step)

    def move(self, signal: s.MoveCaller, step: s.Step) -> None:
        """Bring the caller's leg to something that is not the agent."""
        where = self._where()
        instructions = self._numbered(signal.instructions)
        # The place comes first: the `stop` that follows must find it.
        self._timer.enter(self._place_of(signal), step.now, self)
        self._send(instructions, where, step)

    def _place_of(self, signal: s.MoveCaller) -> Place:
        if signal.wait_seconds is not None:
            self.wait_seconds = signal.wait_seconds
        if signal.phase is Phase.HANDING_OFF:
            return Place.TO_HUMAN
        if signal.phase is Phase.WITH_HUMAN:
            return Place.WITH_HUMAN
        records = any(isinstance(each, TakeVoicemail) for each in signal.instructions)
        return Place.RECORDING if records else Place.ENDING

    def _numbered(self, instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        """Give each instruction that ends with a question its step."""
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
        """Answer the carrier's question, or take the caller's leg off what it does now."""
        if self._question is not None:
            self.route.answer(*self._question, instructions)
            self._question = None
            step.do(AnswerCarrier(instructions))
            return
        moves = self.route.move(instructions, step.now, where=where)
        if any(isinstance(each, CloseStream) for each in moves):
            # A move that is still under way may end it, too: it says nothing about the newest step.
            self.stream_sid = None
        step.do(*moves)

    def _where(self) -> Where:
        """Say what the caller's leg is taken off. Without a stream, and not with humans either, the
        carrier is just about to ask, or has not even answered the call."""
        if self.phase not in _WITH_AGENT:
            return "leaving" if self.stream_sid is not None else "elsewhere"
        return "stream" if self.stream_sid is not None else "between"

    def wait(self, signal: s.CallerWaits, step: s.Step) -> None:
        """A human is being asked: their answer is waited for anew."""
        if self.place is Place.TO_HUMAN:
            self.wait_seconds = signal.seconds
            self._timer.enter(Place.TO_HUMAN, step.now, self)

    def met(self, step: s.Step) -> None:
        """The caller and a human hear each other."""
        self._timer.enter(Place.WITH_HUMAN, step.now, self)

    def in_room(self) -> None:
        """The caller is in the room that they were sent to, whatever REST says of the move."""
        if self.route.to_room:
            self.route.asked()

    def close(self, step: s.Step) -> None:
        """The leg is over: let go of everything."""
        self.route.asked()
        self._timer.enter(Place.OVER, step.now, self)

    # --- the stream -------------------------------------------------------------------------------

    def stream_started(self, event: e.StreamStarted, step: s.Step) -> None:
        self.stream_sid = event.stream_sid
        if self.phase not in _WITH_AGENT:
            # The call is to go elsewhere: closing makes the carrier ask where.
            step.do(CloseStream())
            return
        self._stream_tries = 0
        self._timer.enter(Place.STREAM, step.now, self)
        if event.step == self.route.step:
            # It is there, by whichever road, and whatever the carrier has said about that.
            self.route.asked()
        step.tell(s.CallerOnStream())

    def stream_stopped(self, event: e.StreamStopped, step: s.Step) -> None:
        """Expected when the call was moved; otherwise the caller hung up or the road broke, and the
        carrier says which by asking what is next, or by not asking."""
        if event.stream_sid != self.stream_sid:
            return
        self.stream_sid = None
        if self.phase is not Phase.TALKING:
            return
        place = Place.STOPPED if event.reason == "stop" else Place.BROKEN
        self._timer.enter(place, step.now, self)
        step.tell(s.StreamLost())
        step.do(*self.route.stopped(step.now))

    def stream_stalled(self, event: e.StreamStalled, step: s.Step) -> None:
        """The stream is open and carries nothing: the caller is given another one."""
        if event.stream_sid == self.stream_sid and self.place is Place.STREAM:
            step.tell(s.StreamLost())
            step.tell(self._returned())

    # --- the carrier asks what is next ------------------------------------------------------------

    def instructions_asked(self, event: e.InstructionsAsked, step: s.Step) -> None:
        asked = (event.step, event.leg_sid)
        if self.place is Place.OVER and not self.completed and self.route.to_room:
            # The call had been given up, and its human; the caller is there all the same.
            self.route.in_force = ()
            self._question = asked
            step.tell(self._returned())
            return
        known = self.route.known_answer(*asked)
        if known is not None:
            step.do(AnswerCarrier(known))
            return
        self.route.asked()
        self._question = asked
        if event.point == "voicemail":
            step.tell(s.MessageRecorded(step=self.voicemail_step, recording=event.recording))
        elif self.completed or self.phase is Phase.ENDING:
            if event.step == self.route.step and event.outcome == "bridged":
                # They had spoken with a human: that their leg is over was only told first.
                step.tell(s.MetAfterAll())
        elif event.point == "connect" or self.phase not in _WITH_HUMANS:
            step.tell(self._returned())
        elif event.point == "room" or event.point == "hold":
            step.tell(s.RoomOver(point=event.point, outcome=event.outcome))
        elif event.outcome == "caller-gone":
            self.completed = True
            step.tell(s.CallerGone())
        else:
            step.tell(s.DialOver(outcome=event.outcome or "failed"))

    def answer_open_question(self, step: s.Step) -> None:
        """Everything that follows from an event is done: what is still asked has an answer, too."""
        if self._question is not None:
            self._question = None
            step.do(AnswerCarrier((HangUp(),)))

    def queue_asked(self, event: e.QueueAsked, step: s.Step) -> None:
        current = self.phase is Phase.HANDING_OFF and event.step == self.route.step
        step.tell(s.QueueAsks(event=event, current=current))

    def recording_ready(self, event: e.RecordingReady, step: s.Step) -> None:
        if event.step == self.voicemail_step:
            step.tell(s.MessageReady(step=event.step, recording=event.recording))

    def voicemail_transcribed(self, event: e.VoicemailTranscribed, step: s.Step) -> None:
        if event.step == self.voicemail_step:
            step.tell(s.MessageTranscribed(step=event.step, text=event.text))

    def dialled_leg_changed(self, event: e.LegChanged, step: s.Step) -> None:
        """News of a leg that the caller's own leg has dialled."""
        if self.phase is not Phase.HANDING_OFF or event.step != self.route.step:
            # Late news of a leg that is no longer rung must not take the caller from the agent.
            return
        # The leg follows the newest instructions, whatever REST says of the move.
        self.route.asked()
        if event.status == "ringing" or event.status == "answered":
            step.tell(s.DialledLegChanged(status=event.status))

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
        """Whether it is known where the leg is: an open stream is that of the newest step."""
        return self.stream_sid is not None or self.place is Place.OVER

    # --- losses, and the end ----------------------------------------------------------------------

    def call_completed(self, event: e.CallCompleted, step: s.Step) -> None:
        self.completed = True
        step.tell(s.CallerGone())

    def call_recovered(self, step: s.Step) -> None:
        """The call was rebuilt from its journal: its stream of before is gone."""
        self.stream_sid = None
        if self.place in (Place.STREAM, Place.STOPPED):
            self._timer.enter(Place.BROKEN, step.now, self)
        elif self._fetch:
            self._fetch = False
            instructions = self._numbered((ConnectAgent(0),))
            self._timer.enter(Place.CONNECTING, step.now, self)
            step.do(*self.route.move(instructions, step.now, where="elsewhere"))
        elif self.phase in _WITH_AGENT:
            self._timer.enter(self.place, step.now, self)

    def resume(self, place: Place, step_number: int, now: float, *, fetch: bool = False) -> None:
        """Go on from where another version of the product has left this leg.

        `step_number` is the newest step that it has handed out: numbers are never used twice.
        `fetch`: the caller hears music and nobody will ask for them; `CallRecovered` brings them
        back to the agent.
        """
        self.route.step = step_number
        self._fetch = fetch
        self._timer.enter(place, now, self)

    def expire(self, step: s.Step) -> None:
        """A deadline may have come. Early or late calls are harmless."""
        now = step.now
        moves = self.route.expire(now)
        if moves is None:
            step.tell(s.CallerGone(given_up=self.phase is Phase.HANDING_OFF))
            return
        step.do(*moves)
        if not self._timer.expired(now):
            return
        if self.route.deadline is not None and self.stream_sid is None:
            # REST is down, and the caller hears music meanwhile: it is still being tried.
            self._timer.enter(self.place, now, self)
        else:
            step.tell(s.CallerGone())
