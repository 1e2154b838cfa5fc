"""Build the shapes of a live call: its entry in the list, and all its parts. No I/O.

Transcript lines come from the call's own transcript and playout ledger, so a line that is being
played is split at what the caller has heard. Everything that the call itself does not store comes
from its `Trace`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Literal

from hookflash.console.prices import Prices
from hookflash.console.shapes import (
    Action,
    BargeIn,
    CallDetail,
    CallEntry,
    HandoffNow,
    HandoffOutcome,
    LastLine,
    Latency,
    Leg,
    Line,
    Parts,
    Question,
    SoundLevels,
    Stage,
    Tool,
)
from hookflash.console.trace import LegSeen, ToolSeen, Trace
from hookflash.core.audio import ms
from hookflash.core.call import Call
from hookflash.core.conversation.transcript import Line as Said
from hookflash.core.handoff.states import HandoffState
from hookflash.core.record import HandoffAttempt
from hookflash.core.state_words import ASKING, CALL_STATES, OUTCOMES, PARTINGS, state_of
from hookflash.runtime.call_views import CallViews
from hookflash.runtime.live_levels import PER_SECOND, Levels

_MS_PER_CHARACTER = 60.0
"""Fast speech. While an item is generated, its text may be ahead of its audio."""

_ANSWER_LIMIT_SECONDS = 10.0
"""A later line of the agent is not an answer to the caller's line."""

_NEWEST = 32
"""How many lines are built each time: their words and human speech may arrive late."""

_OPEN = 128
"""An unsettled line with this many newer lines counts as settled."""

_LAST_CHARACTERS = 160
"""How much of the last line is in the list: its end."""

_TEXT_CHARACTERS = 4000
"""The maximum length of a tool's arguments and output."""


def entry(call: Call, trace: Trace, views: CallViews, prices: Prices, now: float) -> CallEntry:
    """Return the call as the list shows it."""
    facts = call.info
    question = _question(call, trace)
    return CallEntry(
        call_sid=facts.call_sid,
        agent=call.setup.agent,
        caller=facts.caller,
        called=facts.called,
        direction="outbound" if facts.outbound else "inbound",
        arrived_at=facts.arrived_at,
        phase=call.phase.value,
        state=ASKING if question is not None else _state(call),
        last=_last_line(call, now),
        speaking=_speaking(call),
        handoff=_handoff(call, trace),
        question=question,
        running=trace.running,
        barge_ins=call.conversation.barge_ins,
        cost=prices.cost(
            line_seconds=max(0.0, now - facts.arrived_at),
            caller_seconds=views.spoken_seconds("caller"),
            agent_seconds=views.spoken_seconds("agent"),
            tokens=call.conversation.tokens,
        ),
    )


class TranscriptLines:
    """The lines of one call as a console shows them.

    Settled lines are built once, so the cost does not grow with the call. Their `Line`s
    are the same objects each time.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._settled: list[Line] = []
        self._latencies = AnswerLatencies()

    def of(self, call: Call, now: float) -> tuple[tuple[Line, ...], tuple[Latency, ...]]:
        """Return the lines as heard, and how long the caller waited for each answer."""
        lines = call.conversation.transcript.lines
        settled: list[Line] = []
        while (newer := len(lines) - self._taken) > _NEWEST:
            if newer <= _OPEN and not _is_settled(call, lines[self._taken]):
                break
            settled += _shown(call, self._taken, now)
            self._taken += 1
        self._latencies.add(settled)
        self._settled += settled
        newest = [
            shown
            for number in range(self._taken, len(lines))
            for shown in _shown(call, number, now)
        ]
        return (*self._settled, *newest), self._latencies.after(newest)


class SoundChunks:
    """The loudness of one call in pieces of two seconds. Complete pieces are built once."""

    def __init__(self) -> None:
        self._levels: Levels | None = None
        self._complete: list[SoundLevels] = []
        self._numbers = count()
        self._number = next(self._numbers)
        self._taken = 0

    def of(self, levels: Levels | None, arrived_at: float) -> tuple[SoundLevels, ...]:
        """Return all pieces; the last one still grows."""
        if levels is not self._levels:
            # Measured again, after nobody had the call open for a while.
            self._levels, self._taken = levels, 0
            self._number = next(self._numbers)
        if levels is None:
            return tuple(self._complete)
        size = 2 * PER_SECOND
        known = min(len(levels.left), len(levels.right))
        while known - self._taken >= size:
            self._complete.append(self._piece(levels, self._taken + size, arrived_at))
            self._taken += size
            self._number = next(self._numbers)
        if known == self._taken:
            return tuple(self._complete)
        return (*self._complete, self._piece(levels, known, arrived_at))

    def _piece(self, levels: Levels, end: int, arrived_at: float) -> SoundLevels:
        left, right = (
            "".join(f"{value >> 4:x}" for value in side[self._taken : end])
            for side in (levels.left, levels.right)
        )
        began = levels.since + self._taken / PER_SECOND
        return SoundLevels(
            id=str(self._number), started_at=_after(arrived_at, began), left=left, right=right
        )


def detail(
    call: Call, trace: Trace, views: CallViews, shown: TranscriptLines, prices: Prices, now: float
) -> CallDetail:
    """Return the call with all its parts."""
    lines, latencies = shown.of(call, now)
    return CallDetail(
        entry=entry(call, trace, views, prices, now),
        now=now,
        destinations=tuple(each.key for each in call.setup.destinations),
        parts=parts(trace, lines, latencies, call.info.arrived_at, call.handoff.attempts),
    )


def parts(
    trace: Trace,
    lines: tuple[Line, ...],
    latencies: tuple[Latency, ...],
    since: float,
    attempts: Sequence[HandoffAttempt] = (),
) -> Parts:
    """Return the parts of a call: its lines and its trace. The call arrived at `since`.

    The times of `attempts` are seconds since 1970.
    """
    return Parts(
        lines=lines,
        latencies=latencies,
        tools=tuple(_tool(name, seen, since) for name, seen in trace.tools.items()),
        legs=tuple(_leg(sid, seen, since) for sid, seen in trace.legs.items()),
        stages=tuple(
            Stage(
                id=str(number),
                name=seen.name,
                started_at=_after(since, seen.started_at),
                ended_at=_then(since, seen.ended_at),
            )
            for number, seen in enumerate(trace.stages)
        ),
        barge_ins=tuple(
            BargeIn(id=str(number), at=_after(since, at))
            for number, at in enumerate(trace.barge_ins)
        ),
        actions=tuple(
            Action(
                id=str(number),
                at=_after(since, seen.at),
                by=seen.by,
                kind=seen.kind,
                text=seen.text,
            )
            for number, seen in enumerate(trace.actions)
        ),
        outcomes=outcomes(trace, attempts, since),
    )


_REACHING = frozenset(
    name for name, word in CALL_STATES.items() if word.kind == "handoff"
) - frozenset(("returning", "message", "parting"))
"""The stages in which a human is being reached."""


def outcomes(
    trace: Trace, attempts: Sequence[HandoffAttempt], since: float
) -> tuple[HandoffOutcome, ...]:
    """Return how each attempt ended, when, and in words."""
    found: list[HandoffOutcome] = []
    taken: set[str] = set()
    for number, attempt in enumerate(attempts):
        next_at = attempts[number + 1].started_at if number + 1 < len(attempts) else None
        talks = [
            stage
            for stage in trace.stages
            if stage.name == "with human"
            and (stage.ended_at is None or stage.ended_at >= attempt.started_at)
        ]
        if attempt.outcome == "bridged" and talks:
            talk = talks[0]
            if talk.ended_at is None:
                continue
            parting = next((one for one in trace.partings if one.at >= talk.started_at - 0.5), None)
            at = talk.ended_at if parting is None else min(parting.at, talk.ended_at)
            text = PARTINGS["" if parting is None else parting.by]
        else:
            at = _attempt_ended(trace, attempt, next_at, taken)
            text = f"{_name(attempt.destination)} {OUTCOMES.get(attempt.outcome, attempt.outcome)}"
            if attempt.note:
                text += f": {attempt.note}"
        found.append(
            HandoffOutcome(
                id=str(number),
                at=_after(since, at),
                destination=attempt.destination,
                outcome=attempt.outcome,
                text=text,
            )
        )
    return tuple(found)


def _attempt_ended(
    trace: Trace, attempt: HandoffAttempt, next_at: float | None, taken: set[str]
) -> float:
    """Return when an attempt ended: with its leg, or when the call left the stages of reaching."""
    for leg_sid, leg in trace.legs.items():
        fits = leg.started_at >= attempt.started_at - 1 and leg.outcome == attempt.outcome
        if fits and leg.ended_at is not None and leg_sid not in taken:
            taken.add(leg_sid)
            return leg.ended_at
    if next_at is not None and next_at > attempt.started_at:
        return next_at
    for stage in trace.stages:
        if stage.started_at > attempt.started_at and stage.name not in _REACHING:
            return stage.started_at
    return attempt.started_at


def _name(destination: str) -> str:
    """Return a destination's key as the beginning of a sentence."""
    words = destination.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _state(call: Call) -> str:
    return state_of(call.phase.value, call.handoff.state.value)


def _last_line(call: Call, now: float) -> LastLine | None:
    """Return the newest line of which something was heard."""
    lines = call.conversation.transcript.lines
    for number in range(len(lines) - 1, max(-1, len(lines) - _NEWEST), -1):
        for shown in _shown(call, number, now):
            if shown.text and shown.speaker != "note":
                return LastLine(speaker=shown.speaker, text=shown.text[-_LAST_CHARACTERS:])
    return None


def _speaking(call: Call) -> Literal["caller", "agent", ""]:
    """Return who speaks now; the caller, if both do."""
    lines = call.conversation.transcript.lines
    for line in reversed(lines[-3:]):
        if line.speaker == "caller" and not line.text and line.ended_at <= line.started_at:
            return "caller"
    return "agent" if call.conversation.playout.playing() else ""


class AnswerLatencies:
    """How long the caller waits for each answer, computed as lines are added."""

    def __init__(self) -> None:
        self._found: list[Latency] = []
        self._stopped: float | None = None

    def add(self, lines: Iterable[Line]) -> None:
        """Add lines that began after all lines added before."""
        self._stopped = _add_latencies(self._found, self._stopped, lines)

    def after(self, lines: Iterable[Line]) -> tuple[Latency, ...]:
        """Return all latencies including those of `lines`, which are not stored."""
        found: list[Latency] = []
        _add_latencies(found, self._stopped, lines, number=len(self._found))
        return (*self._found, *found)


def _add_latencies(
    found: list[Latency], stopped: float | None, lines: Iterable[Line], *, number: int = 0
) -> float | None:
    """Add the latencies of `lines` to `found`, numbered from `number`.

    Return when the caller stopped speaking, if they are still waiting.
    """
    for line in sorted(lines, key=lambda line: line.started_at):
        if line.speaker == "caller":
            stopped = line.ended_at
        elif line.speaker == "agent" and stopped is not None and line.text:
            if 0 <= line.started_at - stopped <= _ANSWER_LIMIT_SECONDS:
                found.append(
                    Latency(
                        id=str(number + len(found)), started_at=stopped, ended_at=line.started_at
                    )
                )
            stopped = None
    return stopped


def _handoff(call: Call, trace: Trace) -> HandoffNow | None:
    handoff = call.handoff
    if not handoff.running or handoff.request is None:
        return None
    request = handoff.request
    return HandoffNow(
        state=handoff.state.value,
        destination=request.destination.key,
        reason=request.reason,
        summary=request.summary,
        source=request.source,
        asked_at=_after(call.info.arrived_at, request.asked_at),
        until=_until(call, trace),
    )


def _until(call: Call, trace: Trace) -> float | None:
    """Return when the hand-off's state times out, or None."""
    handoff = call.handoff
    if handoff.state is HandoffState.RINGING and handoff.stays:
        # The limit of the state is later: the carrier may report the end of the ringing late.
        return handoff.ring_until if handoff.ring_order.rang_at is not None else None
    if handoff.deadline is not None:
        return handoff.deadline
    if handoff.state in (HandoffState.FAREWELL, HandoffState.CLOSING):
        return call.conversation.farewell.deadline
    rung = [leg.started_at for leg in trace.legs.values() if leg.ended_at is None]
    if handoff.state is HandoffState.RINGING and rung:
        # The carrier rings by itself, for the plan's ring time.
        return max(rung) + handoff.plan.ring_seconds
    return None


def _question(call: Call, trace: Trace) -> Question | None:
    for question_id, text in call.conversation.questions.items():
        asked_at = trace.questions.get(question_id, call.info.arrived_at)
        return Question(id=question_id, text=text, asked_at=_after(call.info.arrived_at, asked_at))
    return None


def _is_settled(call: Call, line: Said) -> bool:
    """Return whether a line no longer changes, once there are newer lines."""
    if line.speaker == "agent":
        return call.conversation.transcript.is_settled(line.item_id)
    return line.speaker != "caller" or bool(line.text)


def _shown(call: Call, number: int, now: float) -> Iterator[Line]:
    """Yield a line as heard; an unsettled line of the agent up to what was heard. Notes are
    skipped."""
    transcript, ledger, since = (
        call.conversation.transcript,
        call.conversation.playout,
        call.info.arrived_at,
    )
    line = transcript.lines[number]
    if line.speaker == "note":
        return
    text, ahead, began, ended = line.text, "", line.started_at, line.ended_at
    is_open = line.speaker == "caller" and not line.text and ended <= began
    item = ledger.item(line.item_id)
    if line.speaker == "agent" and not transcript.is_settled(line.item_id):
        is_open = True
        heard_ms = ledger.heard_ms(line.item_id, now) if item is not None else 0.0
        made_ms = max(ms(item.generated) if item is not None else 0.0, 1.0)
        if item is None or not item.ended:
            made_ms = max(made_ms, len(line.whole) * _MS_PER_CHARACTER)
        text, ahead = _split(line.whole, heard_ms / made_ms)
        if item is not None and item.began_at is not None:
            began = item.began_at
    yield Line(
        id=str(number),
        speaker=line.speaker,
        text=text,
        started_at=_after(since, began),
        ended_at=None if is_open else _after(since, max(began, ended)),
        ahead=ahead,
        cut=line.cut,
    )


def _split(text: str, share: float) -> tuple[str, str]:
    """Split `text` where `share` of it is heard, at a word boundary."""
    place = int(len(text) * min(share, 1.0))
    if place >= len(text):
        return text, ""
    place = text.rfind(" ", 0, place + 1) + 1
    return text[:place].rstrip(), text[place:]


def _tool(call_id: str, seen: ToolSeen, since: float) -> Tool:
    seconds = None if seen.ended_at is None else round(seen.ended_at - seen.started_at, 3)
    return Tool(
        id=call_id,
        name=seen.name,
        arguments=seen.arguments[:_TEXT_CHARACTERS],
        status=seen.status,
        started_at=_after(since, seen.started_at),
        seconds=seconds,
        output=seen.output[:_TEXT_CHARACTERS],
    )


def _leg(sid: str, seen: LegSeen, since: float) -> Leg:
    status: Literal["ringing", "answered", "over"] = "ringing"
    if seen.ended_at is not None:
        status = "over"
    elif seen.answered_at is not None:
        status = "answered"
    return Leg(
        id=sid,
        status=status,
        started_at=_after(since, seen.started_at),
        answered_at=_then(since, seen.answered_at),
        ended_at=_then(since, seen.ended_at),
        outcome=seen.outcome,
    )


def _after(since: float, moment: float) -> float:
    return round(max(0.0, moment - since), 3)


def _then(since: float, moment: float | None) -> float | None:
    return None if moment is None else _after(since, moment)
