from __future__ import annotations

from hookflash.replay.svg import clock, shorten, text, with_tooltip, wrap_text


def test_words_are_broken_into_lines_that_fit() -> None:
    assert wrap_text("one two three", 60.0) == ["one two", "three"]
    assert wrap_text("  ", 60.0) == []


def test_a_word_wider_than_the_line_has_a_line_of_its_own() -> None:
    assert wrap_text("incomprehensibilities yes", 30.0) == ["incomprehensibilities", "yes"]


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"


def test_a_clock_counts_minutes_and_seconds() -> None:
    assert [clock(0), clock(59.9), clock(61), clock(600)] == ["0:00", "0:59", "1:01", "10:00"]


def test_markup_in_what_was_said_stays_text() -> None:
    assert "<b>" not in text(0, 0, "<b>") + with_tooltip("<b>", "")
