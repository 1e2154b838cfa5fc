"""Wake-ups are coalesced where there are many frames, and never where there are few."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.server.coalescing import Coalescing, pause_seconds


class Loop:
    """A loop whose time and rounds are the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[Any] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Any) -> None:
        self.soon.append(callback)

    def round(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [
        (0, 0.0),
        (1199, 0.0),
        (1200, 0.000844),
        (3000, 0.00061),
        (6000, 0.00022),
        (7199, 0.00006413),
        (7200, 0.00072),
        (9000, 0.0009),
        (1e6, 0.001),
    ],
)
def test_the_rest_is_short_while_a_round_can_be_and_long_where_the_core_fills_up(
    frames: float, seconds: float
) -> None:
    assert pause_seconds(frames) == pytest.approx(seconds)


def served(frames_a_second: int, seconds: float) -> tuple[Loop, list[float]]:
    """Let frames come evenly, a round of the loop for each, and return the rests."""
    loop, rests = Loop(), []
    coalescing = Coalescing(loop, rests.append)  # type: ignore[arg-type]  # what it asks of a loop
    for _ in range(int(frames_a_second * seconds)):
        loop.now += 1 / frames_a_second
        coalescing.frame_served()
        loop.round()
    return loop, rests


def test_a_line_with_few_calls_never_rests() -> None:
    _, rests = served(1100, 2.0)
    assert rests == []


def test_a_busy_line_rests_after_each_round_as_soon_as_it_is_known_to_be_busy() -> None:
    _, rests = served(5000, 2.0)
    assert len(rests) >= 5000 * 1.8
    assert rests == [pytest.approx(0.00035, abs=0.00001)] * len(rests)


def test_the_frames_of_one_round_share_one_rest() -> None:
    loop, rests = Loop(), []
    coalescing = Coalescing(loop, rests.append)  # type: ignore[arg-type]  # what it asks of a loop
    for _ in range(100):
        loop.now += 0.01
        for _ in range(50):
            coalescing.frame_served()
        assert len(loop.soon) == 1
        loop.round()
    assert 85 <= len(rests) <= 100


def test_a_line_that_has_become_quiet_stops_resting() -> None:
    loop, rests = served(5000, 1.0)
    coalescing = Coalescing(loop, rests.append)  # type: ignore[arg-type]  # what it asks of a loop
    for _ in range(5000):
        loop.now += 1 / 5000
        coalescing.frame_served()
        loop.round()
    rests.clear()
    for _ in range(100):
        loop.now += 0.02
        coalescing.frame_served()
        loop.round()
    assert len(rests) <= 6
