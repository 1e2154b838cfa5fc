"""Draw a call as an SVG timeline, one row per twenty seconds. No I/O.

Each row has these lanes, from top to bottom:

    stage     talking, farewell, ringing, with human ...
    caller    what the caller said (left track), with the text below
    agent     what was heard of the agent (right track); unheard text is struck out
    human     ringing, then what was heard of the human (right track, from the bridge on)
    tools     each tool call with its result
    seconds

Text and colours follow the light or dark mode of the browser. Every bar has a tooltip. The file
needs no script, font or network.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Iterator
from html import escape

import msgspec

from hookflash.core.state_words import CALL_STATES
from hookflash.replay.sound import BINS_PER_SECOND, Tracks, envelope, fit_to_recording
from hookflash.replay.svg import (
    CHARACTER,
    HATCH,
    STYLE,
    clock,
    line,
    path,
    rect,
    shorten,
    text,
    with_tooltip,
    wrap_text,
)
from hookflash.replay.timeline import Leg, Spoken, Timeline, ToolSpan

ROW_SECONDS = 20.0
PIXELS_PER_SECOND = 60.0
"""Pixels per second."""
LANES_LEFT = 84.0
_LANE_WIDTH = ROW_SECONDS * PIXELS_PER_SECOND
_WIDTH = LANES_LEFT + _LANE_WIDTH + 24
_HEAD = 84.0
_WAVE = 44.0
_TEXT_LINE = 13.0
_NARROWEST = 40.0
"""The narrowest line of text, in pixels."""

Span = tuple[float, float]
_WHOLE_CALL: list[Span] = [(-math.inf, math.inf)]
_SHOWN_STAGES = frozenset(CALL_STATES) - {"answering", "ending", "ended"}


def draw(timeline: Timeline, tracks: Tracks | None = None) -> str:
    """Return the SVG of a call: with waveforms if `tracks` are given, otherwise with bars."""
    if tracks is not None:
        timeline = fit_to_recording(timeline, tracks)
    return "".join(_Picture(timeline, tracks).parts())


class _Lanes(msgspec.Struct, frozen=True):
    """The lanes of one row, in pixels from the row's top. `seconds` is the row's length.

    `human` and `tools` are None in a row that has no such lane.
    """

    seconds: float
    caller: float
    agent: float
    human: float | None
    tools: float | None
    axis: float
    height: float


class _Picture:
    """Draws one call. `_first` is the second at which the current row begins."""

    def __init__(self, timeline: Timeline, tracks: Tracks | None) -> None:
        self._call = timeline
        self._tracks = tracks
        self._waits = timeline.latencies()
        self._first = 0.0
        self._lanes = _layout(timeline, 0.0)

    def parts(self) -> Iterator[str]:
        starts = [row * ROW_SECONDS for row in range(_row_count(self._call))]
        rows = [(first, _layout(self._call, first)) for first in starts]
        height = _HEAD + sum(lanes.height for _, lanes in rows)
        title = _title(self._call)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height:.0f}"'
            f' role="img" aria-label="{escape(title)}">\n<style>{STYLE}</style>\n{HATCH}'
        )
        yield rect(0, 0, _WIDTH, height, "paper", 0)
        yield text(24, 36, title, "title")
        yield text(24, 58, " · ".join(self._facts()), "fact soft") + "\n"
        top = _HEAD
        for self._first, self._lanes in rows:
            yield f'<g transform="translate(0 {top:.0f})">\n'
            yield from self._frame()
            yield from self._stages()
            yield from self._waves()
            for spoken in self._call.spoken:
                yield from self._speech(spoken)
            for leg in self._call.legs:
                yield from self._leg(leg)
            for tool in self._call.tools:
                yield from self._tool(tool)
            yield from self._marks()
            yield "</g>\n"
            top += self._lanes.height
        yield "</svg>\n"

    def _facts(self) -> list[str]:
        call = self._call
        facts = [clock(call.seconds)]
        if call.arrived_at:
            facts.insert(0, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(call.arrived_at)))
        if self._waits:
            median = statistics.median(wait.seconds for wait in self._waits)
            facts.append(f"answers after {median:.2f} s (median of {len(self._waits)})")
        counts = (len(call.barge_ins), "barge-in"), (len(call.tools), "tool call")
        facts += [f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count]
        handoffs = call.record.handoffs if call.record else ()
        waited = [one.seconds_to_human for one in handoffs if one.seconds_to_human is not None]
        return [*facts, *(f"a human after {seconds:.1f} s" for seconds in waited), call.call_sid]

    # --- one row ------------------------------------------------------------------------------

    def _x(self, seconds: float) -> float:
        return LANES_LEFT + (seconds - self._first) * PIXELS_PER_SECOND

    def _is_here(self, seconds: float) -> bool:
        return self._first <= seconds < self._first + ROW_SECONDS

    def _place(self, start: float, end: float) -> Span | None:
        """Return left edge and width of a span in this row, in pixels; None if it is outside."""
        first, last = max(start, self._first), min(end, self._first + ROW_SECONDS)
        if last < first or (last == first and end > start):
            return None
        return self._x(first), (last - first) * PIXELS_PER_SECOND

    def _frame(self) -> Iterator[str]:
        lanes = self._lanes
        for name, y in (("caller", lanes.caller), ("agent", lanes.agent), ("human", lanes.human)):
            if y is not None:
                yield rect(LANES_LEFT, y, lanes.seconds * PIXELS_PER_SECOND, _WAVE, "lane")
                yield text(24, y + _WAVE / 2 + 4, name, f"name {name}")
        if lanes.tools is not None:
            yield text(24, lanes.tools + 11, "tools", "name soft")
        for second in range(int(lanes.seconds) + 1):
            x = self._x(self._first + second)
            long = second % 5 == 0
            yield line(x, lanes.axis, x, lanes.axis + (7 if long else 3), "rule")
            if long and second < ROW_SECONDS:
                yield text(x, lanes.axis + 19, clock(self._first + second), "soft")
        yield "\n"

    def _stages(self) -> Iterator[str]:
        for stage in self._call.stages:
            place = self._place(stage.start, stage.end)
            if place is None or stage.name not in _SHOWN_STAGES:
                continue
            x, width = place
            parts = [
                rect(x, 2, max(width, 2), 15, f"stage stage-{stage.name.replace(' ', '-')}", 3)
            ]
            if width > len(stage.name) * 6 + 10:
                parts.append(text(x + 6, 13, stage.name, "on"))
            yield with_tooltip(f"{stage.name}: {clock(stage.start)} to {clock(stage.end)}", *parts)

    def _waves(self) -> Iterator[str]:
        if self._tracks is None:
            return
        lanes = self._lanes
        said, heard = self._tracks.said, self._tracks.heard
        yield self._wave(said, lanes.caller, "caller", _WHOLE_CALL)
        # The ringing tone is drawn in the human's lane: the agent does not make it.
        off_agent = merge_spans(
            (stage.start, stage.end)
            for stage in self._call.stages
            if stage.name in ("moving", "ringing", "with human")
        )
        if lanes.human is not None:
            yield self._wave(heard, lanes.human, "human", off_agent)
        yield self._wave(heard, lanes.agent, "agent", gaps_between(off_agent))

    def _wave(self, track: bytes, top: float, kind: str, spans: list[Span]) -> str:
        """Draw this row of a track as one path, mirrored about the lane's middle."""
        assert self._tracks is not None
        middle = top + _WAVE / 2
        start = round((self._first - self._tracks.starts_at) * 8000)
        skipped = max(0, -start)
        audio = track[max(0, start) : max(0, start + int(ROW_SECONDS * 8000))]
        steps = []
        for number, loud in enumerate(envelope(audio)):
            at = self._first + skipped / 8000 + number / BINS_PER_SECOND
            half = min(1.0, loud * _gain(track)) * _WAVE / 2
            if half >= 0.5 and any(begin <= at < end for begin, end in spans):
                x = self._x(at)
                steps.append(f"M{x:.1f} {middle - half:.1f}v{2 * half:.1f}h.9v{-2 * half:.1f}z")
        return path("".join(steps), kind) + "\n" if steps else ""

    def _speech(self, spoken: Spoken) -> Iterator[str]:
        lanes = {"caller": self._lanes.caller, "agent": self._lanes.agent}
        top = lanes.get(spoken.speaker, self._lanes.human)
        if top is None:
            return
        if spoken.cut_seconds > 0:
            # The unheard bar ends before the same speaker's next span begins.
            later = [
                one.start
                for one in self._call.spoken
                if one.speaker == spoken.speaker and one.start > spoken.end
            ]
            next_start = min(later, default=math.inf)
            place = self._place(spoken.end, min(spoken.end + spoken.cut_seconds, next_start - 0.1))
            if place is not None:
                bar = rect(place[0], top + 14, place[1], _WAVE - 28, "cut", 3)
                yield with_tooltip(f"never heard: {spoken.cut}", bar)
        unheard = f" [never heard: {spoken.cut}]" if spoken.cut else ""
        tooltip = f"{clock(spoken.start)} {spoken.speaker}: {spoken.text}{unheard}"
        for start, end, words, cut in row_pieces(spoken):
            if not self._is_here(start):
                continue
            x, width = self._x(start), (end - start) * PIXELS_PER_SECOND
            inset, kind = (0.0, "shade") if self._tracks else (10.0, "bar")
            height = _WAVE - 2 * inset
            parts = [rect(x, top + inset, max(width, 2), height, f"{spoken.speaker} {kind}")]
            rows = [(row, "") for row in wrap_text(words, max(_NARROWEST, width))]
            rows += [(row, "unheard") for row in wrap_text(cut, max(_NARROWEST, width))]
            for number, (row, style) in enumerate(rows, 1):
                parts.append(text(x, top + _WAVE + number * _TEXT_LINE, row, style))
            yield with_tooltip(tooltip, *parts)

    def _leg(self, leg: Leg) -> Iterator[str]:
        top = self._lanes.human
        if top is None:
            return
        end = self._call.seconds if leg.end is None else leg.end
        rung_until = end if leg.answered is None else leg.answered
        place = self._place(leg.start, rung_until)
        if place is not None:
            label = "ringing" if leg.answered is not None else leg.outcome or "ringing"
            bar = rect(place[0], top, place[1], _WAVE, "ringing")
            fits = place[1] > (len(label) + 2) * CHARACTER
            words = text(place[0] + 6, top + 13, label) if fits else ""
            yield with_tooltip(f"{label}, {rung_until - leg.start:.1f} s", bar, words)
        place = None if leg.answered is None else self._place(leg.answered, end)
        if place is not None:
            yield with_tooltip(
                "a human is on the line", rect(place[0], top, place[1], _WAVE, "human shade")
            )

    def _tool(self, tool: ToolSpan) -> Iterator[str]:
        end = tool.start if tool.end is None else tool.end
        place, top = self._place(tool.start, end), self._lanes.tools
        if place is None or top is None:
            return
        x, width = place[0], max(place[1], 4.0)
        answer = "cancelled" if tool.cancelled else tool.output
        bar = rect(x, top, width, 14, "tool failed" if tool.failed else "tool", 3)
        label = ""
        if self._is_here(tool.start):
            room = int((_WIDTH - x - width - 30) / CHARACTER)
            words = shorten(f"{tool.name} {tool.arguments} → {answer}", max(room, 12))
            label = text(x + width + 5, top + 11, words)
        yield with_tooltip(f"{tool.name}({tool.arguments}) → {answer}", bar, label)

    def _marks(self) -> Iterator[str]:
        lanes = self._lanes
        for at in filter(self._is_here, self._call.barge_ins):
            x = self._x(at)
            yield line(x, lanes.caller - 2, x, lanes.agent + _WAVE + 2, "barge")
            yield text(x + 4, lanes.agent - 5, "barge-in", "alarm") + "\n"
        for wait in self._waits:
            place = self._place(wait.start, wait.end)
            if place is None or not self._is_here(wait.end):
                continue
            x, width = place
            y = lanes.agent - 8
            yield with_tooltip(
                f"the caller waited {wait.seconds * 1000:.0f} ms for an answer",
                path(f"M{x:.1f} {y - 3}v6m0 -3h{width:.1f}m0 -3v6", "wait"),
                text(x + width + 4, y + 4, f"{wait.seconds:.2f} s", "soft"),
            )


def _title(call: Timeline) -> str:
    return f"{call.agent}: {call.disposition.replace('_', ' ') or 'not finished'}"


def _row_count(call: Timeline) -> int:
    return max(1, math.ceil(call.seconds / ROW_SECONDS))


@functools.lru_cache(maxsize=4)
def _gain(track: bytes) -> float:
    """Return the factor that draws the loud parts of a track at nearly full height."""
    loud = sorted(bin for bin in envelope(track) if bin > 0.1)
    return min(2.5, 0.9 / loud[int(len(loud) * 0.98)]) if loud else 1.0


def _layout(call: Timeline, first: float) -> _Lanes:
    """Return the lanes of the row that begins at second `first`, sized for its content."""
    last = first + ROW_SECONDS
    text_lines = {"caller": 1, "agent": 1, "human": 0}
    for spoken in call.spoken:
        for start, end, words, cut in row_pieces(spoken):
            if first <= start < last:
                width = max(_NARROWEST, (end - start) * PIXELS_PER_SECOND)
                needed = len(wrap_text(words, width)) + len(wrap_text(cut, width))
                text_lines[spoken.speaker] = max(text_lines[spoken.speaker], needed)
    away = [(leg.start, call.seconds if leg.end is None else leg.end) for leg in call.legs]
    caller = 24.0
    agent = caller + _WAVE + text_lines["caller"] * _TEXT_LINE + 20
    y = agent + _WAVE + text_lines["agent"] * _TEXT_LINE + 12
    human = tools = None
    if text_lines["human"] or any(
        start < last and end > first for start, end in (*away, *call.human_spans())
    ):
        human, y = y, y + _WAVE + text_lines["human"] * _TEXT_LINE + 10
    if any(first <= tool.start < last for tool in call.tools):
        tools, y = y, y + 22
    seconds = min(ROW_SECONDS, max(1.0, call.seconds - first))
    return _Lanes(seconds, caller, agent, human, tools, y, y + 46)


def row_pieces(spoken: Spoken) -> Iterator[tuple[float, float, str, str]]:
    """Split a span of speech at row ends. Yield (start, end, words, unheard words) of each part."""
    total = spoken.end - spoken.start
    first, last = int(spoken.start // ROW_SECONDS), int(spoken.end // ROW_SECONDS)
    if total <= 0 or first == last or spoken.end == (first + 1) * ROW_SECONDS:
        yield spoken.start, spoken.end, spoken.text, spoken.cut
        return
    words = spoken.text.split()
    taken = 0
    for row in range(first, last + 1):
        start = max(spoken.start, row * ROW_SECONDS)
        end = min(spoken.end, (row + 1) * ROW_SECONDS)
        share = (end - spoken.start) / total
        upto = len(words) if row == last else round(len(words) * share)
        yield start, end, " ".join(words[taken:upto]), spoken.cut if row == last else ""
        taken = upto


def merge_spans(spans: Iterator[Span]) -> list[Span]:
    """Return the spans sorted, with spans that touch or overlap merged."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def gaps_between(spans: list[Span]) -> list[Span]:
    """Return the gaps between sorted spans, from minus to plus infinity."""
    edges = [-math.inf, *(edge for span in spans for edge in span), math.inf]
    return list(zip(edges[0::2], edges[1::2], strict=True))
