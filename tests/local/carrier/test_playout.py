"""What was heard, checked with numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookflash_local.carrier.media.playout import Playout, sample_at


def test_sound_begins_when_it_arrives_and_is_heard_without_gaps() -> None:
    playout = Playout()
    playout.play(b"\x01" * 8, 0.002)
    assert playout.heard(0.004) == b"\xff" * 16 + b"\x01" * 8 + b"\xff" * 8


def test_sound_that_comes_while_playing_is_appended_to_the_end() -> None:
    playout = Playout()
    playout.play(b"\x01" * 160, 0.0)
    playout.play(b"\x02" * 160, 0.001)
    assert playout.end == 0.04
    assert playout.heard(0.03) == b"\x01" * 160 + b"\x02" * 80


def test_an_underrun_is_a_gap_between_two_segments() -> None:
    playout = Playout()
    playout.play(b"\x01" * 80, 0.0)
    playout.play(b"\x02" * 80, 0.02)
    assert playout.segments(1.0) == [(0.0, b"\x01" * 80), (0.02, b"\x02" * 80)]
    assert playout.played(1.0) == 160
    assert playout.heard(0.03) == b"\x01" * 80 + b"\xff" * 80 + b"\x02" * 80


def test_a_mark_comes_back_when_the_sound_before_it_was_played() -> None:
    playout = Playout()
    playout.play(b"\x01" * 160, 0.0)
    assert playout.mark("a", 0.0) == []
    playout.play(b"\x02" * 160, 0.0)
    assert playout.mark("b", 0.001) == []
    assert playout.next_deadline == 0.02
    assert playout.due(0.0195) == []
    assert playout.due(0.02) == [(0.02, "a")]
    assert playout.due(0.1) == [(0.04, "b")]
    assert playout.next_deadline is None


def test_a_mark_with_nothing_buffered_comes_back_at_once() -> None:
    assert Playout().mark("a", 1.0) == ["a"]


def test_marks_that_were_reached_come_back_before_a_new_one() -> None:
    playout = Playout()
    playout.play(b"\x01" * 160, 0.0)
    playout.mark("a", 0.0)
    assert playout.mark("b", 0.5) == ["a", "b"]


def test_clear_throws_away_what_was_not_heard_and_returns_every_mark() -> None:
    playout = Playout()
    playout.play(b"\x01" * 800, 0.0)
    playout.mark("a", 0.0)
    playout.play(b"\x02" * 800, 0.0)
    playout.mark("b", 0.0)
    assert playout.clear(0.05) == ["a", "b"]
    assert playout.heard(0.2) == b"\x01" * 400 + b"\xff" * 1200
    assert playout.buffered_ms(0.05) == 0
    playout.play(b"\x03" * 8, 0.05)
    assert playout.heard(0.051) == b"\x01" * 400 + b"\x03" * 8


def test_sound_cleared_before_its_first_sample_was_never_there() -> None:
    playout = Playout()
    playout.play(b"\x01" * 800, 1.0)
    assert playout.clear(1.0) == []
    assert playout.segments(2.0) == []


def test_more_than_ten_minutes_ahead_is_not_taken() -> None:
    playout = Playout()
    assert playout.play(b"\x01" * (600 * 8000 - 10), 0.0) == 600 * 8000 - 10
    assert playout.play(b"\x01" * 160, 0.0) == 10
    assert playout.play(b"\x01" * 160, 0.0) == 0
    assert playout.play(b"\x01" * 160, 0.02) == 160


def test_a_start_other_than_zero_is_where_hearing_begins() -> None:
    playout = Playout(start=2.0)
    playout.play(b"\x01" * 8, 2.001)
    assert playout.heard(2.002) == b"\xff" * 8 + b"\x01" * 8


def test_time_must_not_go_back() -> None:
    playout = Playout()
    playout.play(b"\x01", 1.0)
    with pytest.raises(ValueError, match="time must not go back"):
        playout.clear(0.5)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["play", "mark", "clear", "due"]),
        st.floats(0, 0.3),
        st.integers(1, 4000),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_in_any_order_each_mark_comes_back_once_and_the_past_never_changes(
    steps: list[tuple[str, float, int]],
) -> None:
    playout, now, returned, asked = Playout(), 0.0, list[str](), list[str]()
    past, sent = b"", 0
    for number, (what, pause, size) in enumerate(steps):
        now += pause
        heard = playout.heard(now)
        assert heard.startswith(past)
        past = heard
        if what == "play":
            sent += playout.play(bytes([number]) * size, now)
        elif what == "mark":
            asked.append(str(number))
            returned += playout.mark(str(number), now)
        elif what == "clear":
            returned += playout.clear(now)
            assert playout.end <= now + 1 / 8000
        else:
            returned += [name for _, name in playout.due(now)]
        assert playout.played(now) <= sent
        assert len(playout.heard(now)) == sample_at(now)
    returned += [name for _, name in playout.due(now + 1000)]
    assert returned == asked


@settings(deadline=None)
@given(STEPS, st.integers(1, 400))
def test_reading_in_pieces_gives_what_reading_at_once_gives(
    steps: list[tuple[str, float, int]], piece: int
) -> None:
    playout, now = Playout(), 0.0
    for number, (what, pause, size) in enumerate(steps[:8]):
        now += pause
        if what == "clear":
            playout.clear(now)
        else:
            playout.play(bytes([number]) * size, now)
    last = sample_at(now)
    pieces = [playout.read(at, min(at + piece, last)) for at in range(0, last, piece)]
    assert b"".join(pieces) == playout.heard(now)
