from __future__ import annotations

from hookflash.runtime.audio_rate_limit import BURST_SECONDS, FRAME_COST, TIMES_REAL, AudioRateLimit

FRAME = 160


class Stream:
    """A carrier that sends so many frames a second, in seconds of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.allowance = AudioRateLimit(lambda: self.now)
        self.taken = 0
        self.spent_at: list[float] = []

    def send(self, frames: int, seconds: float, size: int = FRAME) -> int:
        """Return how many were taken."""
        before = self.taken
        for _ in range(frames):
            self.now += seconds / frames
            self.allowance.left -= size + FRAME_COST
            if self.allowance.left >= 0 or not self.allowance.over_limit(size):
                self.taken += 1
            elif self.allowance.exceeded:
                self.spent_at.append(self.now)
        return self.taken - before


def test_a_caller_who_speaks_is_heard_for_hours() -> None:
    stream = Stream()
    assert stream.send(50 * 3600, 3600.0) == 50 * 3600


def test_what_a_pause_of_the_network_held_back_is_taken_at_once() -> None:
    stream = Stream()
    stream.send(50 * 60, 60.0)
    stream.now += 8.0
    assert stream.send(50 * 8, 0.0) == 50 * 8


def test_a_flood_is_cut_to_a_few_times_real_time_and_then_is_too_much() -> None:
    stream = Stream()
    taken = stream.send(10_000, 10.0)
    assert taken <= 50 * (2 * BURST_SECONDS + TIMES_REAL * 10)
    assert len(stream.spent_at) == 1
    assert 0.5 <= stream.spent_at[0] <= 3.0


def test_small_frames_in_great_number_are_a_flood_too() -> None:
    stream = Stream()
    assert stream.send(20_000, 10.0, size=1) < 10_000
    assert stream.spent_at


def test_after_a_burst_that_was_too_long_a_caller_is_heard_again() -> None:
    stream = Stream()
    stream.send(600, 0.1)
    assert not stream.spent_at
    assert stream.send(50 * 60, 60.0) >= 50 * 60 - 20
    assert not stream.spent_at
