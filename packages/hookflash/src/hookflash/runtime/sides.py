"""When sound was heard: what a caller said, and what an agent said as it was played. No I/O.

All of it is told on our own clock as the caller's sound reaches us, in ms. A frame of theirs with
presentation time `at_ms` comes no sooner than its end and the carrier's road up; so of many frames
the one that took least tells where `at_ms` 0 lies, and all are laid by their own times.

The agent's sound is laid where the ledger says it was played, and only when it says so: a mark has
returned, or must have been lost. The ledger's times are those of sending (see `core/playout.py`):
sound that plays from t on reaches the ear a road down later, and what the caller says at that
moment comes to us a road up later still. So it is laid at t and a whole road.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from hookflash.core.audio import BYTES_PER_MS, ms
from hookflash.core.commands import PlayAudio
from hookflash.core.conversation.playout import Played
from hookflash.core.events import CallerAudio
from hookflash.runtime.tracks import Track

_JUMP_MS = 1000.0
"""A frame that comes so much sooner than its time allows is of another clock."""

_STUCK_MS = 10_000.0
"""So is one that comes so much later."""

_WRONG_MS = 10.0
"""So much may the first guess of where a clock begins be wrong, before it is put right."""

_WINDOW_FRAMES = 500
"""The quickest frame counts for ten seconds at least and twenty at most: clocks drift."""

_JOIN_MS = 15.0
"""A mark that tells of a gap no longer than this in the middle of speech only trembles."""

_MARKS = 2
_SETTLING_MS = 300.0
"""So many marks, and so much that was played, settle when speech began."""

_QUIET_MS = 400.0
"""So does this long without one, after the last."""


class CallerSide:
    """Lays frames of one presentation clock on a track, whose sample 0 is heard at `zero_ms`."""

    def __init__(self, track: Track, zero_ms: float) -> None:
        self.heard: list[tuple[CallerAudio, float]] = []
        """Frames that have come, each with its moment in seconds: to be laid in one go."""
        self._track = track
        self._zero_ms = zero_ms
        self._begin()

    def _begin(self) -> None:
        self._base: float | None = None
        self._least = self._before = inf
        self._frames = 0
        self._pending: list[CallerAudio] = []

    def restart(self) -> None:
        """What comes from now on counts its time anew."""
        self.lay()
        self._begin()

    def lay(self) -> None:
        """Lay down what has come, by what is known of its clock now."""
        if not self.heard:
            return
        for event, now in self.heard:
            late = now * 1000 - event.at_ms - event.size / BYTES_PER_MS
            base = self._base
            if base is not None and not -_JUMP_MS < late - base < _STUCK_MS:
                self._place()
                self._begin()
            if late < self._least:
                self._least = late
            self._pending.append(event)
        self.heard.clear()
        self._place()

    def _place(self) -> None:
        quickest = min(self._least, self._before)
        if self._base is None or abs(quickest - self._base) > _WRONG_MS:
            self._base = quickest
        shift = self._base - self._zero_ms
        for event in self._pending:
            at = round((event.at_ms + shift) * BYTES_PER_MS)
            self._track.lay(at, event.payload, event.size)
        self._frames += len(self._pending)
        if self._frames >= _WINDOW_FRAMES:
            self._before, self._least, self._frames = self._least, inf, 0
        self._pending.clear()


class _Sent(NamedTuple):
    payload: str
    size: int
    sent_at: float


class _Run:
    """Speech without a gap, as far as it was played: when it began, and how long it is by now.

    A mark comes late when somebody was busy, never early: of the beginnings that the first few tell
    the earliest is right, and until they are in, nothing of it is laid.
    """

    def __init__(self, sent_at: float) -> None:
        self.sent_at = sent_at
        self.start = sent_at
        self.length_ms = 0.0
        self.marks = 0
        self.held: list[_Sent] = []
        self.laid = False

    @property
    def end(self) -> float:
        return self.start + self.length_ms

    @property
    def settled(self) -> bool:
        return self.marks >= _MARKS and self.length_ms >= _SETTLING_MS

    def add(self, each: _Sent) -> None:
        self.held.append(each)
        self.length_ms += ms(each.size)

    def ended(self, edge_ms: float) -> None:
        """What was played of it ended at `edge_ms`, says a mark."""
        start = max(edge_ms - self.length_ms, self.sent_at)
        if self.marks == 0 or (start < self.start and not self.laid):
            self.start = start
        elif self.laid and start > self.start + _JOIN_MS:
            self.start = start
        self.marks += 1


class AgentSide:
    """Lays on a track what was played of what was sent."""

    def __init__(self, track: Track, zero_ms: float) -> None:
        self._track = track
        self._zero_ms = zero_ms
        self._generation: int | None = None
        self._confirmed = 0
        self._waiting: deque[_Sent] = deque()
        self._run = _Run(0.0)
        self._round_trip_ms = 0.0
        self._moved_ms = 0.0
        self._doubtful = -1
        """The chunk whose mark was sent when it must have been over, and does not tell when."""
        self._end = 0
        """Where the sound that was laid last ends, whatever is free behind it."""

    def mark_sent(self, now_ms: float) -> None:
        """A mark was sent behind what had been sent before."""
        if now_ms >= self._ends_at():
            self._doubtful = self._confirmed + len(self._waiting)

    def follow(self, played: Played, sent: list[PlayAudio], now_ms: float, cut_ms: float) -> None:
        """Something was sent, or the ledger has moved. `cut_ms`: when a cut took effect, if there
        was one, on the sender's clock."""
        if self._generation is None:
            # What was sent before anybody listened has its times, and no sound.
            older = list(played.waiting)[: len(played.waiting) - len(sent)]
            self._waiting.extend(_Sent("", chunk.size, chunk.sent_at) for chunk in older)
            self._generation, self._confirmed = played.generation, played.confirmed
            self._run = _Run(played.edge_ms)
        self._round_trip_ms = played.round_trip_ms
        cut = self._generation != played.generation
        self._generation = played.generation
        if not cut:
            self._waiting.extend(_Sent(each.payload, each.size, now_ms) for each in sent)
        done = played.confirmed - self._confirmed
        if done:
            self._confirmed = played.confirmed
            self._moved_ms = now_ms
            # A ledger that was cut has forgotten when it was.
            exact = not cut and played.confirmed != self._doubtful
            self._confirm(done, played.edge_ms if exact else None)
        if cut:
            self._cut(cut_ms)
            self._waiting.extend(_Sent(each.payload, each.size, now_ms) for each in sent)

    def settled(self, now_ms: float) -> int:
        """Return the sample before which nothing more can be laid."""
        if self._run.held and not self._waiting and now_ms - self._moved_ms > _QUIET_MS:
            self._lay()
        here = self._sample(now_ms)
        if self._run.held:
            return min(here, self._sample(self._run.sent_at))
        if not self._waiting:
            return here
        next_at = self._waiting[0].sent_at
        return min(here, self._end if next_at <= self._run.end else self._sample(next_at))

    def _confirm(self, count: int, edge_ms: float | None) -> None:
        """So many were played, one after another, the last until `edge_ms` if that is known."""
        for _ in range(min(count, len(self._waiting))):
            self._play(self._waiting.popleft())
        if edge_ms is not None:
            self._run.ended(edge_ms)
        if self._run.settled:
            self._lay()

    def _cut(self, cut_ms: float) -> None:
        """What waits was thrown away: it was heard as far as it had come."""
        for each in self._waiting:
            start = max(self._run.end, each.sent_at)
            heard_ms = min(ms(each.size), cut_ms - start)
            if heard_ms <= 0:
                break
            self._play(each._replace(size=int(heard_ms * BYTES_PER_MS)))
        self._waiting.clear()
        self._lay()

    def _play(self, each: _Sent) -> None:
        if each.sent_at > self._run.end:
            # The buffer was empty, so it played at once.
            self._lay()
            self._run = _Run(each.sent_at)
        self._run.add(each)

    def _lay(self) -> None:
        """Lay down what is held of the run."""
        run = self._run
        at = self._sample(run.end - sum(ms(each.size) for each in run.held))
        if run.laid and self._end <= at < self._end + _JOIN_MS * BYTES_PER_MS:
            at = self._end
        for each in run.held:
            # Never cut off: rather a moment late than words that are missing.
            at = max(at, self._track.end)
            self._track.lay(at, each.payload, each.size)
            at = self._end = at + each.size
        run.held.clear()
        run.laid = True

    def _ends_at(self) -> float:
        end = self._run.end
        for each in self._waiting:
            end = max(end, each.sent_at) + ms(each.size)
        return end

    def _sample(self, sent_ms: float) -> int:
        return round((sent_ms + self._round_trip_ms - self._zero_ms) * BYTES_PER_MS)
