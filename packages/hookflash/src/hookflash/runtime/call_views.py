"""Snapshots of a call for its owner's hooks and for consoles.

A transcript is read very often, and most of it no longer changes. So settled lines are read once,
and only the newest lines are read each time. A snapshot costs the same at any length of
a call.

    the transcript's lines:  settled, read once  |  newest, read each time
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from hookflash.agents.view import CallView, Utterances
from hookflash.core.call import Call
from hookflash.core.conversation.transcript import Line
from hookflash.core.record import Utterance

NEWEST = 32
"""How many lines are read each time; up to twice as many before some of them are settled.

The words of a human are transcribed a moment later, and are sorted into these lines.
"""

_OPEN = 128
"""An unsettled line with this many newer lines counts as settled."""


class CallViews:
    """Snapshots of one call. Use it in the event loop's thread."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._failed_tools = self._tools = 0
        self._begin()

    def _begin(self) -> None:
        self._since = self.call.info.arrived_at
        self._taken = 0
        self._newest: list[tuple[int, Line]] = []
        self._settled: list[Utterance] = []
        self._settled_until = -inf
        self._spoken: dict[str, float] = {}

    def of(self, now: float, said: str = "") -> CallView:
        """Return the call as plain facts. `said` is what the caller has just said."""
        call, facts = self.call, self.call.info
        tools = call.conversation.tool_uses
        while self._tools < len(tools):
            self._failed_tools += tools[self._tools].failed
            self._tools += 1
        return CallView(
            call_sid=facts.call_sid,
            agent=call.setup.agent,
            caller=facts.caller,
            called=facts.called,
            seconds=round(now - facts.arrived_at, 3),
            transcript=self.transcript(),
            said=said,
            failed_tools=self._failed_tools,
            barge_ins=call.conversation.barge_ins,
        )

    def transcript(self) -> Utterances:
        """Return what was said or prepared. Times are seconds since the call arrived."""
        self._read()
        newest = tuple(self._utterance(line) for _, line in self._newest if _is_shown(line))
        return Utterances(self._settled, len(self._settled), newest)

    def spoken_seconds(self, speaker: str) -> float:
        """Return how long a speaker has spoken: `caller`, `agent` or `human`."""
        self._read()
        seconds = self._spoken.get(speaker, 0.0)
        for _, line in self._newest:
            if line.speaker == speaker and _is_shown(line):
                seconds += max(0.0, line.ended_at - line.started_at)
        return seconds

    def _read(self) -> None:
        """Read new lines; then sort the newest lines by the time they began."""
        if self._since != self.call.info.arrived_at:
            self._begin()
        lines = self.call.conversation.transcript.lines
        if self._taken < len(lines):
            self._newest += enumerate(lines[self._taken :], start=self._taken)
            self._taken = len(lines)
        self._newest.sort(key=_moment)
        if any(_is_shown(line) and line.started_at < self._settled_until for line in self._late()):
            # A line arrived late and belongs among the settled lines: read everything again.
            self._begin()
            self._newest = sorted(enumerate(lines), key=_moment)
            self._taken = len(lines)
        if len(self._newest) > 2 * NEWEST:
            self._settle()

    def _late(self) -> Iterator[Line]:
        """Yield the newest lines that began before the last settled line."""
        for _, line in self._newest:
            if line.started_at >= self._settled_until:
                return
            yield line

    def _settle(self) -> None:
        """Move final lines from the newest to the settled ones, up to the first that may still
        change."""
        older = len(self._newest) - NEWEST
        place = 0
        for place in range(older):
            line = self._newest[place][1]
            if not self._is_final(line) and older - place < _OPEN:
                break
            if _is_shown(line):
                self._settled_until = line.started_at
                self._settled.append(self._utterance(line))
                seconds = max(0.0, line.ended_at - line.started_at)
                self._spoken[line.speaker] = self._spoken.get(line.speaker, 0.0) + seconds
        else:
            place = older
        del self._newest[:place]

    def _is_final(self, line: Line) -> bool:
        if line.speaker == "agent":
            return self.call.conversation.transcript.is_settled(line.item_id)
        return line.speaker == "note" or bool(line.text)

    def _utterance(self, line: Line) -> Utterance:
        assert line.speaker != "note"
        return Utterance(
            speaker=line.speaker,
            text=line.text,
            started_at=round(line.started_at - self._since, 3),
            ended_at=round(max(line.ended_at, line.started_at) - self._since, 3),
            cut=line.cut,
        )


def _moment(entry: tuple[int, Line]) -> tuple[float, int]:
    number, line = entry
    return line.started_at, number


def _is_shown(line: Line) -> bool:
    return line.speaker != "note" and bool(line.text or line.cut)
