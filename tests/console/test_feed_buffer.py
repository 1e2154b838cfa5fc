from __future__ import annotations

import pytest

from hookflash.console.feed_buffer import FeedBuffer


def said(buffer: FeedBuffer, number: int, *topics: str) -> list[str] | None:
    found = buffer.after(number, topics or ("", "CA1"))
    return None if found is None else [each.event.decode() for each in found]


@pytest.fixture
def buffer() -> FeedBuffer:
    made = FeedBuffer(max_events=4, max_bytes=1000)
    for topic, event in (("", b"a"), ("CA1", b"b"), ("CA2", b"c"), ("", b"d")):
        made.add(topic, event)
    return made


def test_a_page_gets_what_came_after_what_it_has_seen_and_concerns_it(
    buffer: FeedBuffer,
) -> None:
    assert said(buffer, 0) == ["a", "b", "d"]
    assert said(buffer, 2) == ["d"]
    assert said(buffer, 4) == []
    assert said(buffer, 0, "") == ["a", "d"]
    assert said(buffer, 0, "CA2") == ["c"]


def test_a_page_that_was_away_for_too_long_is_told_so(buffer: FeedBuffer) -> None:
    buffer.add("", b"e")
    assert said(buffer, 0) is None
    assert said(buffer, 1) == ["b", "d", "e"]
    buffer.add("", b"x" * 1000)
    assert said(buffer, 4) is None
    assert said(buffer, 5) == ["x" * 1000]


def test_a_number_that_was_never_given_is_not_gone_on_from(buffer: FeedBuffer) -> None:
    assert said(buffer, 5) is None
    assert said(FeedBuffer(), 1) is None
    assert said(FeedBuffer(), 0) == []


def test_an_event_larger_than_the_whole_buffer_is_not_stored() -> None:
    buffer = FeedBuffer(max_events=4, max_bytes=10)
    buffer.add("", b"x" * 11)
    assert buffer.number == 1
    assert said(buffer, 0) is None
    assert said(buffer, 1) == []
