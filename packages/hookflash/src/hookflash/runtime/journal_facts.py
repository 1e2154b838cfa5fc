"""Read facts from a journal without a replay, and continue the call from them.

A journal of another version, or one that lacks lines, still has the caller, what was said as
heard, and the humans' legs. Reading them needs no decision of the core, so every version can be
read: lines are plain JSON, and unreadable ones are skipped.

    the journal's bytes --reading_facts()--> JournalFacts --call_from_facts()--> a new Call

The new call is with the agent, and its next model session gets the conversation. A hand-off that
was under way is not continued: the caller returns to the agent, which is told that the hand-off was
interrupted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

import msgspec

from hookflash.core.audio import ms
from hookflash.core.call import Call
from hookflash.core.caller_leg.states import CallerLegState
from hookflash.core.commands import Message
from hookflash.core.conversation.consent import ConsentState
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.events import CallArrived, DigitsWanted, LegPlaced
from hookflash.core.handoff.states import Trigger
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal_lines import Said, split_lines

INTERRUPTED = (
    "The transfer of the caller to a human was interrupted by a technical problem, so nobody was"
    " reached. The caller is back with you."
)
SAY_INTERRUPTED = (
    "Apologise briefly and ask whether you may try again, for example:"
    ' "I am sorry, the transfer was interrupted and you are back with me. Shall I try again?"'
)
PARTED = (
    "The caller was connected with a human, and is not any more: that talk is over, or was"
    " interrupted by a technical problem. The caller is back with you."
)
SAY_PARTED = (
    "Welcome the caller back in one short sentence, for example:"
    ' "You are back with me. Is there anything else I can do for you?"'
)

_INACTIVE = ("", "idle", "done", "failed", "returning", "message")
"""States of a hand-off that is not under way."""

_WITH_HUMAN = ("with human", "parting")

_STEP = re.compile(rb'"step":(\d{1,9})')
_WAVE = re.compile(rb'"wave":(\d{1,9})')
_VOICEMAIL = re.compile(rb'"type":"TakeVoicemail","step":(\d{1,9})')
"""Quotes within JSON text are escaped, so nothing that was said can match."""

_CUT = 0.05
"""If the end of a line is unknown, an unheard rest shorter than this (seconds) is not a cut."""


class LegFound(msgspec.Struct, frozen=True):
    """A human's leg that the journal names."""

    wave: int
    leg: int


class JournalFacts(msgspec.Struct):
    """The facts of one journal. Times are seconds since 1970; 0.0 and "" mean unknown.

    `setup` is the first line's, as plain JSON. `said` is in the order of the conversation. `legs`
    are the legs that were placed and have not ended, by SID. `step` and `wave` are the highest
    used.
    """

    setup: dict[str, Any] = {}
    arrived: CallArrived | None = None
    arrived_at: float = 0.0
    said: list[Said] = []
    phase: str = ""
    handoff: str = ""
    legs: dict[str, LegFound] = {}
    step: int = 0
    wave: int = 0
    voicemail_step: int = 0
    recorded_since: float | None = None
    recording_refused: bool = False
    collecting: DigitsWanted | None = None
    """The open collection of digits. The digits themselves are in no journal."""
    last_instruction: str = ""
    """The last instruction sent to the caller's leg."""
    completed: bool = False
    lines: int = 0
    """How many lines could be read."""

    @property
    def with_human(self) -> bool:
        return self.handoff in _WITH_HUMAN

    @property
    def handing_off(self) -> bool:
        """Return whether a hand-off was under way, or the caller was with a human."""
        return not self.over and self.handoff not in _INACTIVE

    @property
    def over(self) -> bool:
        return self.completed or self.phase == Phase.ENDED.value


# --- reading ----------------------------------------------------------------------------------


def reading_facts(data: bytes) -> Generator[None, None, JournalFacts]:
    """Read a journal's bytes, one line per `next`. Return the facts. Never raises."""
    reader = _Reader()
    for text in split_lines(data):
        if text:
            reader.take(text)
            yield
    return reader.end()


def read_facts(data: bytes) -> JournalFacts:
    """Read a journal's bytes at once: do not call it in the event loop's thread."""
    reading = reading_facts(data)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            facts: JournalFacts = done.value
            return facts


class _AgentItem:
    """An item of the agent's speech whose transcript line was not written yet."""

    def __init__(self) -> None:
        self.text = ""
        self.size = 0
        self.began_at: float | None = None
        self.heard_ms: float | None = None

    def said(self, item_id: str, last_at: float) -> Said | None:
        """Return the most that can have been heard of it when the process wrote its last line."""
        if self.began_at is None:
            return None
        made = ms(self.size) / 1000
        heard = min(made, max(0.0, last_at - self.began_at))
        if self.heard_ms is not None:
            heard = min(made, self.heard_ms / 1000)
        text, cut = self.text.strip(), ""
        if made - heard > _CUT:
            place = int(len(text) * heard / made)
            place = text.rfind(" ", 0, place + 1) + 1
            text, cut = text[:place].rstrip(), text[place:]
        return Said("agent", text, self.began_at, self.began_at + heard, cut, item_id)


class _Reader:
    """Reads lines. A segment is what one process wrote; item ids are unique within a segment."""

    def __init__(self) -> None:
        self._facts = JournalFacts()
        self._said: list[tuple[float, Said]] = []
        self._ended_legs: set[str] = set()
        self._unsettled: dict[str, int] = {}
        """Indexes in `_said` of lines that the last segment did not write as settled, by id."""
        self._kinds: dict[str, Callable[[dict[str, Any], float], None]] = {
            "CallArrived": self._arrived,
            "CallCompleted": self._completed,
            "CallRecovered": self._recovered,
            "CallerSpeechStarted": self._caller_began,
            "CallerTranscribed": self._caller_said,
            "AgentTranscribed": self._agent_said,
            "ModelAudio": self._agent_sound,
            "HumanSaid": self._human_said,
            "LegPlaced": self._leg_placed,
            "LegChanged": self._leg_changed,
            "HumanAsked": self._human_acted,
            "ConsultDecided": self._human_acted,
            "RoomChanged": self._human_acted,
            "RecordingRefused": self._refused,
            "ToolCallRequested": self._tool_called,
            "DigitsWanted": self._digits_wanted,
            "GiveDigits": self._digits_given,
            "AnswerCarrier": self._instructed,
            "MoveCall": self._instructed,
            "TruncateItem": self._cut,
            "DeleteItem": self._cut,
            "EndLeg": self._leg_ended,
            "StartRecording": self._recording,
            "StopRecording": self._refused,
        }
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._last_at = 0.0
        self._by_id: dict[str, int] = {}
        self._has_settled_lines = False
        self._began: dict[str, float] = {}
        self._callers: dict[str, tuple[float, Said]] = {}
        self._humans: list[tuple[float, Said]] = []
        self._agents: dict[str, _AgentItem] = {}

    def take(self, text: bytes) -> None:
        try:
            line = msgspec.json.decode(text)
            self._line(line, text)
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError):
            # The line was cut short by a crash, or has a shape that this version does not know.
            return
        self._facts.lines += 1

    def end(self) -> JournalFacts:
        """Return the facts of all lines."""
        self._end_segment()

        def moment(entry: tuple[float, Said]) -> float:
            at, said = entry
            return at if said.speaker == "note" else said.started_at

        self._facts.said = [said for _, said in sorted(self._said, key=moment)]
        return self._facts

    def _end_segment(self) -> None:
        """Add what was said in the segment and was not written as settled."""
        found = list(self._callers.values())
        if not self._has_settled_lines:
            # An older version, which wrote no settled lines: use its events.
            found += self._humans
        for item_id, speech in self._agents.items():
            said = speech.said(item_id, self._last_at)
            if said is not None and (said.text or said.cut):
                found.append((said.started_at, said))
        self._unsettled = {
            said.id: place for place, (_, said) in enumerate(found, start=len(self._said))
        }
        self._said += found
        self._begin_segment()

    def _line(self, line: dict[str, Any], text: bytes) -> None:
        facts = self._facts
        if "setup" in line:
            if isinstance(line["setup"], dict):
                facts.setup = line["setup"]
            return
        at = float(line["at"])
        if "version" in line:
            self._end_segment()
        elif "said" in line:
            self._line_settled(msgspec.convert(line["said"], Said), at)
        elif "sound" in line:
            sound = line["sound"]
            for came_at, size, _ in sound["pieces"]:
                self._sound(str(sound["item_id"]), int(size), float(came_at))
        elif "state" in line:
            facts.phase, facts.handoff = str(line["state"]["phase"]), str(line["state"]["handoff"])
        elif (what := line.get("event") or line.get("command")) is not None:
            facts.step = max(facts.step, *map(int, _STEP.findall(text)), 0)
            facts.wave = max(facts.wave, *map(int, _WAVE.findall(text)), 0)
            if found := _VOICEMAIL.search(text):
                facts.voicemail_step = int(found[1])
            take = self._kinds.get(what["type"])
            if take is not None:
                take(what, at)
        self._last_at = max(self._last_at, at)

    # --- the call -----------------------------------------------------------------------------

    def _arrived(self, event: dict[str, Any], at: float) -> None:
        facts = self._facts
        arrived = msgspec.convert(event, CallArrived)
        facts.arrived_at = facts.arrived_at or at
        if facts.arrived is None and (arrived.caller or arrived.called):
            facts.arrived = arrived

    def _completed(self, event: dict[str, Any], at: float) -> None:
        self._facts.completed = True

    def _recovered(self, event: dict[str, Any], at: float) -> None:
        # A process without a `version` line begins with this event.
        self._end_segment()

    def _instructed(self, command: dict[str, Any], at: float) -> None:
        """Note the last instruction for the caller's leg.

        Instructions for a human's leg have no step, except those for a consultation's stream, which
        belongs to another call.
        """
        for each in command["instructions"]:
            if each.get("step") and each.get("leg") is None:
                self._facts.last_instruction = str(each["type"])

    def _leg_placed(self, event: dict[str, Any], at: float) -> None:
        self._facts.legs[str(event["leg_sid"])] = LegFound(int(event["wave"]), int(event["leg"]))

    def _leg_changed(self, event: dict[str, Any], at: float) -> None:
        leg_sid = str(event["leg_sid"])
        if event["status"] == "completed":
            self._leg_over(leg_sid)
        elif event.get("leg") is not None:
            found = LegFound(int(event["step"]), int(event["leg"]))
            self._facts.legs.setdefault(leg_sid, found)
            self._facts.wave = max(self._facts.wave, found.wave)

    def _human_acted(self, event: dict[str, Any], at: float) -> None:
        """Note a leg that acts, if the lines that placed it were lost."""
        leg_sid = str(event["leg_sid"])
        if leg_sid and leg_sid not in self._ended_legs:
            found = LegFound(int(event.get("wave", 0)), int(event.get("leg", 0)))
            self._facts.legs.setdefault(leg_sid, found)

    def _leg_ended(self, command: dict[str, Any], at: float) -> None:
        self._leg_over(str(command["leg_sid"]))

    def _leg_over(self, leg_sid: str) -> None:
        self._ended_legs.add(leg_sid)
        self._facts.legs.pop(leg_sid, None)

    def _recording(self, command: dict[str, Any], at: float) -> None:
        self._facts.recorded_since = float(command["since"])

    def _refused(self, event: dict[str, Any], at: float) -> None:
        self._facts.recording_refused = True

    def _tool_called(self, event: dict[str, Any], at: float) -> None:
        if event["name"] == "stop_recording":
            self._facts.recording_refused = True

    def _digits_wanted(self, event: dict[str, Any], at: float) -> None:
        if self._facts.collecting is None:
            self._facts.collecting = msgspec.convert(event, DigitsWanted)

    def _digits_given(self, command: dict[str, Any], at: float) -> None:
        open_one = self._facts.collecting
        if open_one is not None and open_one.collection_id == command["collection_id"]:
            self._facts.collecting = None

    # --- the conversation ---------------------------------------------------------------------

    def _line_settled(self, said: Said, at: float) -> None:
        self._has_settled_lines = True
        if not said.id:
            self._said.append((at, said))
            return
        self._callers.pop(said.id, None)
        self._agents.pop(said.id, None)
        place = self._by_id.get(said.id)
        if place is None:
            # The continuing process settles lines that the process before could not.
            place = self._by_id[said.id] = self._unsettled.pop(said.id, len(self._said))
        self._said[place : place + 1] = [(at, said)]

    def _caller_began(self, event: dict[str, Any], at: float) -> None:
        self._began[str(event["item_id"])] = at

    def _caller_said(self, event: dict[str, Any], at: float) -> None:
        item_id, text = str(event["item_id"]), str(event["text"]).strip()
        if text and item_id not in self._by_id:
            began = self._began.get(item_id, at)
            self._callers[item_id] = (at, Said("caller", text, began, at, id=item_id))

    def _human_said(self, event: dict[str, Any], at: float) -> None:
        said = msgspec.convert({**event, "id": ""}, Said)
        self._humans.append((at, said))

    def _agent_said(self, event: dict[str, Any], at: float) -> None:
        item_id = str(event["item_id"])
        if item_id not in self._by_id:
            self._agents.setdefault(item_id, _AgentItem()).text += str(event["text"])

    def _agent_sound(self, event: dict[str, Any], at: float) -> None:
        self._sound(str(event["item_id"]), int(event["size"]), at)

    def _sound(self, item_id: str, size: int, at: float) -> None:
        self._last_at = max(self._last_at, at)
        if item_id not in self._by_id:
            speech = self._agents.setdefault(item_id, _AgentItem())
            speech.size += size
            speech.began_at = at if speech.began_at is None else speech.began_at

    def _cut(self, command: dict[str, Any], at: float) -> None:
        speech = self._agents.get(str(command["item_id"]))
        if speech is not None:
            speech.heard_ms = float(command.get("audio_end_ms", 0))


# --- going on ---------------------------------------------------------------------------------


def read_setup(setup: dict[str, Any], configured: CallSetup) -> CallSetup:
    """Return the setup of the first line, as far as it can be read.

    A missing field has its default. A field that cannot be read has the `configured` value.
    """
    try:
        return msgspec.convert(setup, CallSetup)
    except msgspec.ValidationError:
        pass
    read: dict[str, Any] = {}
    for field in msgspec.structs.fields(CallSetup):
        if field.name not in setup:
            read[field.name] = field.default
            continue
        try:
            read[field.name] = msgspec.convert(setup[field.name], field.type)
        except msgspec.ValidationError:
            read[field.name] = getattr(configured, field.name)
    return CallSetup(**read)


def call_from_facts(call_sid: str, facts: JournalFacts, configured: CallSetup, now: float) -> Call:
    """Return a new call that continues from the facts of a journal."""
    setup = read_setup(facts.setup, configured) if facts.setup else configured
    if facts.recording_refused:
        setup = msgspec.structs.replace(setup, record=False)
    call = Call(setup)
    known = call.info
    known.call_sid = call_sid
    known.arrived_at = facts.arrived_at or now
    if facts.arrived is not None:
        known.caller, known.called = facts.arrived.caller, facts.arrived.called
        known.outbound = facts.arrived.direction == "outbound" and setup.consult is None
        known.answered_at = known.arrived_at if known.outbound else None
    # News of a room names the caller's leg, too.
    facts.legs.pop(call_sid, None)
    call.caller_leg.completed = facts.completed
    call.caller_leg.voicemail_step = facts.voicemail_step
    if setup.record and facts.recorded_since is not None:
        # The caller has heard this line already.
        consent = call.conversation.consent
        consent.state, consent.since = ConsentState.ON, facts.recorded_since
    _restore_transcript(call, facts.said)
    # Numbers are never reused, so a late webhook of an old step is recognised.
    call.handoff.ring_order.number = facts.wave
    call.caller_leg.resume(
        _caller_leg_state(facts), facts.step, now, fetch=_waits_in_empty_room(facts)
    )
    if call.phase is Phase.TALKING:
        call.conversation.resume(_opening(call, facts))
        if facts.collecting is not None:
            # `CallRecovered` ends it: the model learns of that, and the recording is resumed.
            call.conversation.collection.begin(facts.collecting, now)
    elif facts.handoff == "message":
        call.handoff.fire(Trigger.MESSAGE, now)
    return call


def _caller_leg_state(facts: JournalFacts) -> CallerLegState:
    """Return where the caller's leg is, as far as the journal shows."""
    if facts.over:
        return CallerLegState.OVER
    if facts.phase == Phase.ENDING.value:
        return CallerLegState.RECORDING
    # A caller with a human, or on the way to one, may return at any time during the call.
    return CallerLegState.LEFT_BEHIND if facts.handing_off else CallerLegState.STREAM


def legs_to_end(facts: JournalFacts) -> list[LegPlaced]:
    """Return events that end the legs of a hand-off that is not continued."""
    return [LegPlaced(found.wave, found.leg, sid) for sid, found in facts.legs.items()]


def bridge_completed(call: Call) -> None:
    """Handle the carrier's report that the caller was bridged with a human and that this has ended.

    The hand-off was then not interrupted. Ignored unless the call continues from a journal's facts.
    """
    if call.conversation.opening != Request(Kind.OPENING, SAY_INTERRUPTED):
        return
    call.conversation.opening = Request(Kind.OPENING, SAY_PARTED)
    for line in call.conversation.transcript.lines:
        if line.speaker == "note" and line.text == INTERRUPTED:
            line.text = PARTED


def _opening(call: Call, facts: JournalFacts) -> Request | None:
    """Return the opening line for a caller who returns from a hand-off or a human, or None."""
    if not facts.handing_off:
        return None
    known, wanted = (PARTED, SAY_PARTED) if facts.with_human else (INTERRUPTED, SAY_INTERRUPTED)
    call.conversation.transcript.note(Message("system", known))
    return Request(Kind.OPENING, wanted)


def _waits_in_empty_room(facts: JournalFacts) -> bool:
    """Return whether the caller hears music in a room that no human joins."""
    waits = facts.last_instruction in ("JoinRoom", "Hold")
    return facts.handing_off and not facts.with_human and waits


def _restore_transcript(call: Call, said: list[Said]) -> None:
    """Add what was said to the call's transcript."""
    transcript = call.conversation.transcript
    for number, each in enumerate(said):
        item_id = f"journal-{number}"
        match each.speaker:
            case "caller":
                transcript.caller_started(item_id, each.started_at)
                transcript.caller_stopped(item_id, each.ended_at)
                transcript.caller_said(item_id, each.text, each.ended_at)
            case "agent":
                heard_ms = round((each.ended_at - each.started_at) * 1000)
                fate = Settled(item_id, heard_ms, heard_ms, each.started_at, False, True)
                transcript.agent_says(item_id, each.text, each.started_at)
                transcript.agent_heard(fate, each.ended_at)
                transcript.lines[-1].cut = each.cut
            case "human":
                transcript.human_said("human", each.text, each.started_at, each.ended_at)
            case "note":
                transcript.note(Message("system", each.text))
