"""Read a call's journal line by line into spans of time: who spoke when. No I/O.

For each item of the agent's speech the reader keeps when it began to play and how much of it a
`clear` discarded. During a call this is an estimate from the audio that was sent. The record at
the end of the journal holds the values of the playout ledger and replaces the estimate.

All times are seconds since the call arrived.

Sources of a span:

    caller      CallerSpeechStarted .. CallerSpeechStopped, text from CallerTranscribed
    agent       PlayAudio .. its length, or ClearAudio; text from AgentTranscribed
    tools       RunTool .. ToolFinished or CancelTool
    stages      the `state` lines: phase, and while it runs the hand-off's state
    legs        LegChanged: ringing, answered, completed
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from hookflash.core.audio import BYTES_PER_MS
from hookflash.core.record import CallRecord
from hookflash.core.state_words import state_of

Journal = Iterable[Mapping[str, Any]]

_LATENCY_LIMIT_SECONDS = 10.0
"""Agent speech that starts later than this is not counted as an answer."""


class Spoken(msgspec.Struct):
    """One span of speech. `start` and `end` are seconds since the call arrived.

    `cut` is text that was generated but never heard, `cut_seconds` the length of its audio.
    """

    speaker: Literal["caller", "agent", "human"]
    start: float
    end: float
    text: str = ""
    cut: str = ""
    cut_seconds: float = 0.0
    ended: bool = False
    """Whether the span is final."""


class ToolSpan(msgspec.Struct):
    """One tool call. `arguments` is JSON text; `end` is None while the tool runs."""

    name: str
    arguments: str
    start: float
    end: float | None = None
    output: str = ""
    failed: bool = False
    cancelled: bool = False


class Stage(msgspec.Struct):
    """One stage of the call, such as `talking`, `farewell`, `ringing` or `with human`."""

    name: str
    start: float
    end: float


class Leg(msgspec.Struct):
    """One attempt to reach a human. `answered` and `end` are None until they happen."""

    leg_sid: str
    start: float
    answered: float | None = None
    end: float | None = None
    outcome: str = ""


class Latency(msgspec.Struct, frozen=True):
    """The caller stopped speaking at `start` and heard the agent from `end` on."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return self.end - self.start


class Timeline(msgspec.Struct):
    """The spans and events of one call. `arrived_at` is seconds since 1970."""

    call_sid: str = ""
    agent: str = "agent"
    arrived_at: float = 0.0
    seconds: float = 0.0
    disposition: str = ""
    spoken: list[Spoken] = []
    tools: list[ToolSpan] = []
    stages: list[Stage] = []
    legs: list[Leg] = []
    barge_ins: list[float] = []
    record: CallRecord | None = None

    def latencies(self) -> list[Latency]:
        """Return how long the caller waited for each answer of the agent."""
        found = []
        stopped: float | None = None
        for spoken in sorted(self.spoken, key=lambda one: one.start):
            if spoken.speaker == "caller":
                stopped = spoken.end
            elif stopped is not None and spoken.end > spoken.start:
                if 0 <= spoken.start - stopped <= _LATENCY_LIMIT_SECONDS:
                    found.append(Latency(stopped, spoken.start))
                stopped = None
        return found

    def human_spans(self) -> list[tuple[float, float]]:
        """Return the spans in which the caller and a human could hear each other."""
        return [(stage.start, stage.end) for stage in self.stages if stage.name == "with human"]


class _Playout:
    """Estimates when the agent's items play, from the audio generated, sent and cleared."""

    def __init__(self) -> None:
        self.spoken: dict[str, Spoken] = {}
        self._waiting: deque[tuple[str, float]] = deque()
        self._busy_until = 0.0
        self._dropped: set[str] = set()
        self._responses: dict[str, str] = {}

    def generated(self, item_id: str, response_id: str, size: int) -> None:
        if response_id in self._dropped:
            return
        self._responses[item_id] = response_id
        self._waiting.append((item_id, size / BYTES_PER_MS / 1000))

    def transcribed(self, item_id: str, text: str, now: float) -> None:
        self._span_of(item_id, now).text += text

    def played(self, size: int, now: float) -> None:
        seconds = size / BYTES_PER_MS / 1000
        start = max(now, self._busy_until)
        self._busy_until = start + seconds
        while seconds > 1e-9 and self._waiting:
            item_id, left = self._waiting.popleft()
            taken = min(left, seconds)
            if left - taken > 1e-9:
                self._waiting.appendleft((item_id, left - taken))
            spoken = self._span_of(item_id, start)
            if spoken.end <= spoken.start:
                spoken.start = start
            spoken.end = start + taken
            start += taken
            seconds -= taken

    def cleared(self, now: float) -> bool:
        """Cut everything that has not been played. Return whether there was anything to cut."""
        cut_any = bool(self._waiting) or self._busy_until > now
        for item_id, spoken in self.spoken.items():
            unsent = sum(left for waiting, left in self._waiting if waiting == item_id)
            begun = spoken.end > spoken.start
            if not begun and not unsent:
                continue
            if spoken.end > now or unsent:
                heard_until = min(max(now, spoken.start), spoken.end) if begun else spoken.start
                spoken.cut_seconds += spoken.end - heard_until + unsent
                spoken.end = heard_until
                spoken.ended = True
                self._split(spoken)
        self._dropped |= set(self._responses.values())
        self._waiting.clear()
        self._busy_until = now
        return cut_any

    def settle(self, now: float) -> None:
        """Mark the items that have been played completely."""
        waiting = {item_id for item_id, _ in self._waiting}
        for item_id, spoken in self.spoken.items():
            if spoken.start < spoken.end <= now and item_id not in waiting:
                spoken.ended = True

    def _span_of(self, item_id: str, now: float) -> Spoken:
        if item_id not in self.spoken:
            self.spoken[item_id] = Spoken("agent", now, now)
        self.spoken[item_id].ended = False
        return self.spoken[item_id]

    def _split(self, spoken: Spoken) -> None:
        heard = spoken.end - spoken.start
        place = int(len(spoken.text) * heard / max(heard + spoken.cut_seconds, 1e-9))
        if place < len(spoken.text):
            place = spoken.text.rfind(" ", 0, place + 1) + 1
        spoken.text, spoken.cut = spoken.text[:place].rstrip(), spoken.text[place:]


class JournalReader:
    """Reads a growing journal: pass each line to `feed`, read `timeline` at any time."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self._zero: float | None = None
        self._playout = _Playout()
        self._caller: dict[str, Spoken] = {}
        self._tools: dict[str, ToolSpan] = {}
        self._legs: dict[str, Leg] = {}

    def feed(self, line: Mapping[str, Any]) -> None:
        """Take the next decoded line of the journal."""
        if "journal" in line:
            self.timeline.call_sid = str(line.get("call_sid", ""))
            self.timeline.agent = str(line.get("setup", {}).get("agent", "agent"))
            return
        if "at" not in line:
            return
        if self._zero is None:
            self._zero = self.timeline.arrived_at = float(line["at"])
        now = round(float(line["at"]) - self._zero, 6)
        if "event" in line:
            self._event(line["event"], now)
        elif "command" in line:
            self._command(line["command"], now)
        elif "state" in line:
            self._state(line["state"], now)
        elif "sound" in line:
            self._sound(line["sound"])
            return
        self._advance(now)

    def tick(self, at: float) -> None:
        """Advance to `at` (seconds since 1970, as in the journal) without a new line."""
        if self._zero is not None and self.timeline.record is None:
            self._advance(at - self._zero)

    def _advance(self, now: float) -> None:
        """Advance to `now`: items that were playing may have ended."""
        self.timeline.seconds = max(self.timeline.seconds, now)
        if self.timeline.stages:
            self.timeline.stages[-1].end = now
        if self.timeline.record is None:
            self._playout.settle(now)

    def _sound(self, sound: Mapping[str, Any]) -> None:
        """Take the pieces of one item, each played as soon as it was generated."""
        assert self._zero is not None
        for at, size, _ in sound["pieces"]:
            now = round(float(at) - self._zero, 6)
            self._playout.generated(sound["item_id"], sound["response_id"], size)
            self._playout.played(size, now)
            self._sync_agent()
            self._advance(now)

    def _event(self, event: Mapping[str, Any], now: float) -> None:
        match event["type"]:
            case "CallerSpeechStarted":
                self._add_caller(event["item_id"], Spoken("caller", now, now))
            case "CallerSpeechStopped":
                if event["item_id"] in self._caller:
                    self._caller[event["item_id"]].end = now
            case "CallerTranscribed":
                spoken = self._caller.get(event["item_id"]) or Spoken("caller", now, now)
                self._add_caller(event["item_id"], spoken)
                spoken.text, spoken.ended = event["text"].strip(), True
            case "ModelAudio":
                self._playout.generated(event["item_id"], event["response_id"], event["size"])
            case "AgentTranscribed":
                self._playout.transcribed(event["item_id"], event["text"], now)
                self._sync_agent()
            case "ToolFinished":
                tool = self._tools.get(event["call_id"])
                if tool is not None and tool.end is None:
                    tool.end, tool.output = now, event["output"]
                    tool.failed = bool(event.get("failed", False))
            case "LegChanged":
                self._leg(event, now)

    def _leg(self, event: Mapping[str, Any], now: float) -> None:
        leg = self._legs.get(event["leg_sid"])
        if leg is None:
            leg = self._legs[event["leg_sid"]] = Leg(event["leg_sid"], now)
            self.timeline.legs.append(leg)
        if event["status"] == "answered" and leg.answered is None:
            leg.answered = now
        elif event["status"] == "completed" and leg.end is None:
            leg.end, leg.outcome = now, event.get("outcome") or ""

    def _command(self, command: Mapping[str, Any], now: float) -> None:
        match command["type"]:
            case "PlayAudio":
                self._playout.played(command["size"], now)
                self._sync_agent()
            case "ClearAudio":
                if self._playout.cleared(now):
                    self.timeline.barge_ins.append(now)
            case "RunTool":
                tool = ToolSpan(command["name"], command["arguments"], now)
                self._tools[command["call_id"]] = tool
                self.timeline.tools.append(tool)
            case "CancelTool":
                tool_or_none = self._tools.get(command["call_id"])
                if tool_or_none is not None and tool_or_none.end is None:
                    tool_or_none.end, tool_or_none.cancelled = now, True
            case "StoreRecord":
                self._finish(msgspec.convert(command["record"], CallRecord))

    def _state(self, state: Mapping[str, Any], now: float) -> None:
        phase, handoff = str(state.get("phase", "")), str(state.get("handoff", "idle"))
        name = state_of(phase, handoff)
        stages = self.timeline.stages
        if not stages or stages[-1].name != name:
            if stages:
                stages[-1].end = now
            stages.append(Stage(name, now, now))

    def _add_caller(self, item_id: str, spoken: Spoken) -> None:
        if item_id not in self._caller:
            self._caller[item_id] = spoken
            self.timeline.spoken.append(spoken)

    def _sync_agent(self) -> None:
        """Add new items to the timeline in the order in which they appeared."""
        known = {id(spoken) for spoken in self.timeline.spoken}
        self.timeline.spoken += [
            spoken for spoken in self._playout.spoken.values() if id(spoken) not in known
        ]

    def _finish(self, record: CallRecord) -> None:
        """Replace the estimates with the utterances of the record."""
        cuts = {
            (spoken.text + spoken.cut)[:20]: spoken.cut_seconds
            for spoken in self._playout.spoken.values()
        }
        self.timeline.record = record
        self.timeline.disposition = record.disposition
        self.timeline.seconds = max(self.timeline.seconds, record.seconds)
        self.timeline.spoken = [
            Spoken(
                said.speaker,
                said.started_at,
                said.ended_at,
                said.text,
                said.cut,
                _cut_seconds(said.text, said.cut, said.ended_at - said.started_at, cuts),
                ended=True,
            )
            for said in record.utterances
        ]


def _cut_seconds(text: str, cut: str, heard: float, estimates: Mapping[str, float]) -> float:
    """Return the length of the unheard part in seconds.

    It is the generated length if that is known, else an estimate in proportion to the text.
    """
    if not cut:
        return 0.0
    whole = f"{text} {cut}" if text else cut
    estimate = estimates.get(whole[:20], 0.0)
    if estimate > 0:
        return estimate
    return heard * len(cut) / len(text) if text else len(cut) * 0.06


def read_timeline(journal: Journal) -> Timeline:
    """Read a whole journal. `journal` yields its decoded lines in order."""
    reader = JournalReader()
    for line in journal:
        reader.feed(line)
    return reader.timeline
