from __future__ import annotations

import pytest

from hookflash.console.ring import Ring


def said(ring: Ring, number: int, *topics: str) -> list[str] | None:
    found = ring.after(number, topics or ("", "CA1"))
    return None if found is None else [each.event.decode() for each in found]


@pytest.fixture
def ring() -> Ring:
    made = Ring(most=4, most_bytes=1000)
    for topic, event in (("", b"a"), ("CA1", b"b"), ("CA2", b"c"), ("", b"d")):
        made.add(topic, event)
    return made


def test_a_page_gets_what_came_after_what_it_has_seen_and_concerns_it(ring: Ring) -> None:
    assert said(ring, 0) == ["a", "b", "d"]
    assert said(ring, 2) == ["d"]
    assert said(ring, 4) == []
    assert said(ring, 0, "") == ["a", "d"]
    assert said(ring, 0, "CA2") == ["c"]


def test_a_page_that_was_away_for_too_long_is_told_so(ring: Ring) -> None:
    ring.add("", b"e")
    assert said(ring, 0) is None
    assert said(ring, 1) == ["b", "d", "e"]
    ring.add("", b"x" * 1000)
    assert said(ring, 4) is None
    assert said(ring, 5) == ["x" * 1000]


def test_a_number_that_was_never_given_is_not_gone_on_from(ring: Ring) -> None:
    assert said(ring, 5) is None
    assert said(Ring(), 1) is None
    assert said(Ring(), 0) == []


def test_what_is_longer_than_everything_together_is_not_kept() -> None:
    ring = Ring(most=4, most_bytes=10)
    ring.add("", b"x" * 11)
    assert ring.number == 1
    assert said(ring, 0) is None
    assert said(ring, 1) == []
