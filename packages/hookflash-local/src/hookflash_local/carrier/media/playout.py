"""A playback buffer on an exact sample clock: what a listener has heard. No I/O, no clock.

Audio is G.711 mu-law, 8,000 samples a second, one byte a sample. Time is a number of seconds that
the code that calls passes in and that never goes back. Inside, everything is counted in whole
samples, so a position is a function of time and not of ticks.

    play  -> audio is appended where the buffer ends, or begins now if the buffer is empty
    mark  -> comes back when all audio before it was played; at once if nothing is buffered
    clear -> audio that is not played is dropped, and every outstanding mark comes back at once

Played sound is retained: `heard` returns it without gaps, `segments` with the time of each piece.
Source of the rules: Twilio, Media Streams WebSocket messages (media, mark, clear); more than ten
minutes of buffered audio is dropped (error 31931).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

SAMPLES_PER_SECOND = 8000
FRAME_SAMPLES = 160
"""20 ms: what one media message carries."""

SILENCE = b"\xff"
"""The mu-law byte of a zero sample."""

BUFFER_SECONDS = 600
"""Sound that would be further ahead than this is dropped."""


def sample_at(seconds: float) -> int:
    """Return the index of the sample that is played at `seconds`."""
    return round(seconds * SAMPLES_PER_SECOND)


def seconds_at(sample: int) -> float:
    """Return when the sample with this index is played."""
    return sample / SAMPLES_PER_SECOND


class Playout:
    """One buffer and its past. `start` is the time from which `heard` counts.

    Raises ValueError if `now` goes back in any call that changes the buffer.
    """

    def __init__(self, start: float = 0.0, *, limit_seconds: float = BUFFER_SECONDS) -> None:
        self._first = sample_at(start)
        self._limit = round(limit_seconds * SAMPLES_PER_SECOND)
        self._now = self._first
        self._end = self._first
        self._starts: list[int] = []
        self._pieces: list[bytearray] = []
        self._marks: deque[tuple[int, str]] = deque()

    def play(self, payload: bytes, now: float) -> int:
        """Append sound and return how many bytes were taken; the rest exceeded the limit."""
        here = self._advance(now)
        if here >= self._end:
            self._end = here
        taken = payload[: max(0, self._limit - (self._end - here))]
        if not taken:
            return 0
        if self._pieces and self._starts[-1] + len(self._pieces[-1]) == self._end:
            self._pieces[-1] += taken
        else:
            self._starts.append(self._end)
            self._pieces.append(bytearray(taken))
        self._end += len(taken)
        return len(taken)

    def mark(self, name: str, now: float) -> list[str]:
        """Add a mark and return the names, in order, of every mark that is reached by `now`."""
        here = self._advance(now)
        self._marks.append((max(here, self._end), name))
        return [name for _, name in self.due(now)]

    def clear(self, now: float) -> list[str]:
        """Throw away what is not played; return the names of all outstanding marks in order."""
        here = self._advance(now)
        if here < self._end:
            del self._pieces[-1][here - self._starts[-1] :]
            if not self._pieces[-1]:
                self._starts.pop()
                self._pieces.pop()
            self._end = here
        names = [name for _, name in self._marks]
        self._marks.clear()
        return names

    def due(self, now: float) -> list[tuple[float, str]]:
        """Take the marks reached by `now`, in order, each with the time at which it was."""
        here = self._advance(now)
        reached = []
        while self._marks and self._marks[0][0] <= here:
            sample, name = self._marks.popleft()
            reached.append((seconds_at(sample), name))
        return reached

    @property
    def next_deadline(self) -> float | None:
        """When the first outstanding mark will be reached, if nothing is cleared before."""
        return seconds_at(self._marks[0][0]) if self._marks else None

    @property
    def end(self) -> float:
        """When the sound ends that was taken so far (in the past if the buffer is empty)."""
        return seconds_at(self._end)

    def buffered_ms(self, now: float) -> float:
        """Return how many milliseconds are not played yet."""
        return max(0, self._end - sample_at(now)) / 8

    def played(self, now: float) -> int:
        """Return how many bytes were played so far, silence between them not counted."""
        here = sample_at(now)
        return sum(
            min(len(piece), here - start)
            for start, piece in zip(self._starts, self._pieces, strict=True)
            if start < here
        )

    def heard(self, now: float) -> bytes:
        """Return everything heard from `start` until `now`, gaps filled with silence."""
        return self.read(self._first, sample_at(now))

    def segments(self, now: float) -> list[tuple[float, bytes]]:
        """Return what was played until `now`, as (start in seconds, bytes), silence left out."""
        here = sample_at(now)
        return [
            (seconds_at(start), bytes(piece[: here - start]))
            for start, piece in zip(self._starts, self._pieces, strict=True)
            if start < here
        ]

    def read(self, first: int, last: int) -> bytes:
        """Return the samples `first` to `last` (not included), gaps filled with silence.

        Only the past is settled: samples after the last call's `now` may still be cleared.
        """
        parts: list[bytes] = []
        position = first
        index = max(0, bisect_right(self._starts, first) - 1)
        while position < last and index < len(self._starts):
            start = self._starts[index]
            piece = self._pieces[index][max(0, position - start) : max(0, last - start)]
            if piece:
                begin = max(start, position)
                parts.append(SILENCE * (begin - position))
                parts.append(bytes(piece))
                position = begin + len(piece)
            index += 1
        parts.append(SILENCE * max(0, last - position))
        return b"".join(parts)

    def _advance(self, now: float) -> int:
        here = sample_at(now)
        if here < self._now:
            raise ValueError(
                f"time must not go back: {now} s comes after {seconds_at(self._now)} s"
            )
        self._now = here
        return here
