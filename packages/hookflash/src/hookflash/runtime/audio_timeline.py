"""Compute when each piece of audio was heard, and place it on a track. No I/O.

All times are in ms on the server's clock, as the caller's audio arrives.

The caller: a frame with presentation time `at_ms` arrives after its end, plus the carrier's delay.
Of many frames, the one with the least delay shows where `at_ms` 0 is. All frames are placed by
their own times relative to it.

The agent: audio is placed where the playout ledger says that it was played, and only after the
ledger says so: a mark has returned, or counts as lost. The ledger's times are sending times (see
`core/playout.py`). Audio that plays at t is heard one way later, and the caller's words at that
moment arrive another way later. So it is placed at t plus one round trip.
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
"""A frame that arrives this much earlier than its time allows belongs to another clock."""

_STUCK_MS = 10_000.0
"""A frame that arrives this much later belongs to another clock, too."""

_WRONG_MS = 10.0
"""The largest error of the estimated clock offset that is not corrected."""

_WINDOW_FRAMES = 500
"""Frames per window. The least delay of the last two windows (10 to 20 s) counts: clocks drift."""

_JOIN_MS = 15.0
"""A mark that shows a gap of at most this length within speech is jitter."""

_MARKS = 2
_SETTLING_MS = 300.0
"""This many marks, and this much played audio, determine when speech began."""

_QUIET_MS = 400.0
"""Without a mark for this long after the last, the beginning is determined as well."""


class CallerTimeline:
    """Places frames of one presentation clock on a track; sample 0 is heard at `zero_ms`."""

    def __init__(self, track: Track, zero_ms: float) -> None:
        self.heard: list[tuple[CallerAudio, float]] = []
        """Frames that have arrived, each with its arrival time in seconds. `flush` places them."""
        self._track = track
        self._zero_ms = zero_ms
        self._begin()

    def _begin(self) -> None:
        self._base: float | None = None
        self._least = self._before = inf
        self._frames = 0
        self._pending: list[CallerAudio] = []

    def restart(self) -> None:
        """Place what has arrived. Later frames have a new presentation clock."""
        self.flush()
        self._begin()

    def flush(self) -> None:
        """Place the frames that have arrived, by the current estimate of their clock."""
        if not self.heard:
            return
        for event, now in self.heard:
            late = now * 1000 - event.at_ms - event.size / BYTES_PER_MS
            base = self._base
            if base is not None and not -_JUMP_MS < late - base < _STUCK_MS:
                self._write_pending()
                self._begin()
            if late < self._least:
                self._least = late
            self._pending.append(event)
        self.heard.clear()
        self._write_pending()

    def _write_pending(self) -> None:
        quickest = min(self._least, self._before)
        if self._base is None or abs(quickest - self._base) > _WRONG_MS:
            self._base = quickest
        shift = self._base - self._zero_ms
        for event in self._pending:
            at = round((event.at_ms + shift) * BYTES_PER_MS)
            self._track.place(at, event.payload, event.size)
        self._frames += len(self._pending)
        if self._frames >= _WINDOW_FRAMES:
            self._before, self._least, self._frames = self._least, inf, 0
        self._pending.clear()


class _Sent(NamedTuple):
    payload: str
    size: int
    sent_at: float


class _SpeechSegment:
    """Played speech without a gap: its start, and its length so far.

    A mark can be late, never early. So of the starts that the first marks imply, the earliest is
    right. Until these marks have returned, nothing of the segment is placed.
    """

    def __init__(self, sent_at: float) -> None:
        self.sent_at = sent_at
        self.start = sent_at
        self.length_ms = 0.0
        self.marks = 0
        self.held: list[_Sent] = []
        self.placed = False

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
        """Take a mark: the audio that was played so far ended at `edge_ms`."""
        start = max(edge_ms - self.length_ms, self.sent_at)
        if self.marks == 0 or (start < self.start and not self.placed):
            self.start = start
        elif self.placed and start > self.start + _JOIN_MS:
            self.start = start
        self.marks += 1


class AgentTimeline:
    """Places on a track what was played of the audio that was sent."""

    def __init__(self, track: Track, zero_ms: float) -> None:
        self._track = track
        self._zero_ms = zero_ms
        self._generation: int | None = None
        self._confirmed = 0
        self._waiting: deque[_Sent] = deque()
        self._run = _SpeechSegment(0.0)
        self._round_trip_ms = 0.0
        self._moved_ms = 0.0
        self._doubtful = -1
        """The chunk whose mark was sent after it must have ended; its mark does not show when."""
        self._end = 0
        """The sample after the audio that was placed last."""

    def mark_sent(self, now_ms: float) -> None:
        """Note that a mark was sent after all audio so far."""
        if now_ms >= self._ends_at():
            self._doubtful = self._confirmed + len(self._waiting)

    def follow(self, played: Played, sent: list[PlayAudio], now_ms: float, cut_ms: float) -> None:
        """Take sent audio and the ledger's state.

        `cut_ms` is the sending time at which a cut took effect, if there was one.
        """
        if self._generation is None:
            # Audio sent before the capture began has times, but no payload.
            older = list(played.waiting)[: len(played.waiting) - len(sent)]
            self._waiting.extend(_Sent("", chunk.size, chunk.sent_at) for chunk in older)
            self._generation, self._confirmed = played.generation, played.confirmed
            self._run = _SpeechSegment(played.edge_ms)
        self._round_trip_ms = played.round_trip_ms
        cut = self._generation != played.generation
        self._generation = played.generation
        if not cut:
            self._waiting.extend(_Sent(each.payload, each.size, now_ms) for each in sent)
        done = played.confirmed - self._confirmed
        if done:
            self._confirmed = played.confirmed
            self._moved_ms = now_ms
            # After a cut the ledger no longer has the exact time.
            exact = not cut and played.confirmed != self._doubtful
            self._confirm(done, played.edge_ms if exact else None)
        if cut:
            self._cut(cut_ms)
            self._waiting.extend(_Sent(each.payload, each.size, now_ms) for each in sent)

    def settled(self, now_ms: float) -> int:
        """Return the sample before which nothing more can be placed."""
        if self._run.held and not self._waiting and now_ms - self._moved_ms > _QUIET_MS:
            self._flush()
        here = self._sample(now_ms)
        if self._run.held:
            return min(here, self._sample(self._run.sent_at))
        if not self._waiting:
            return here
        next_at = self._waiting[0].sent_at
        return min(here, self._end if next_at <= self._run.end else self._sample(next_at))

    def _confirm(self, count: int, edge_ms: float | None) -> None:
        """Mark the next `count` chunks as played; the last ended at `edge_ms`, if that is known."""
        for _ in range(min(count, len(self._waiting))):
            self._play(self._waiting.popleft())
        if edge_ms is not None:
            self._run.ended(edge_ms)
        if self._run.settled:
            self._flush()

    def _cut(self, cut_ms: float) -> None:
        """Place what was heard of the waiting audio before the carrier dropped it."""
        for each in self._waiting:
            start = max(self._run.end, each.sent_at)
            heard_ms = min(ms(each.size), cut_ms - start)
            if heard_ms <= 0:
                break
            self._play(each._replace(size=int(heard_ms * BYTES_PER_MS)))
        self._waiting.clear()
        self._flush()

    def _play(self, each: _Sent) -> None:
        if each.sent_at > self._run.end:
            # The carrier's buffer was empty, so the chunk played at once.
            self._flush()
            self._run = _SpeechSegment(each.sent_at)
        self._run.add(each)

    def _flush(self) -> None:
        """Place the audio of the segment that was held back."""
        run = self._run
        at = self._sample(run.end - sum(ms(each.size) for each in run.held))
        if run.placed and self._end <= at < self._end + _JOIN_MS * BYTES_PER_MS:
            at = self._end
        for each in run.held:
            # Never drop audio: a small delay is better than missing words.
            at = max(at, self._track.end)
            self._track.place(at, each.payload, each.size)
            at = self._end = at + each.size
        run.held.clear()
        run.placed = True

    def _ends_at(self) -> float:
        end = self._run.end
        for each in self._waiting:
            end = max(end, each.sent_at) + ms(each.size)
        return end

    def _sample(self, sent_ms: float) -> int:
        return round((sent_ms + self._round_trip_ms - self._zero_ms) * BYTES_PER_MS)
