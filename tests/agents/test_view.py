from __future__ import annotations

import pytest

from hookflash.agents.view import CallView, Utterances
from hookflash.core.record import Utterance


def said(number: int) -> Utterance:
    return Utterance(speaker="caller", text=f"{number}", started_at=number, ended_at=number + 1)


BEFORE = [said(0), said(1), said(2), said(3)]
SEEN = Utterances(BEFORE, 3, (said(4), said(5)))
WHOLE = (said(0), said(1), said(2), said(4), said(5))


def test_what_was_said_reads_like_a_tuple() -> None:
    assert list(SEEN) == list(WHOLE) and len(SEEN) == 5
    assert [SEEN[place] for place in range(-5, 5)] == [WHOLE[place] for place in range(-5, 5)]
    for part in (slice(-2, None), slice(None, 2), slice(None, None, -1), slice(9, 12)):
        assert SEEN[part] == WHOLE[part]
    assert said(4) in SEEN and said(3) not in SEEN
    assert repr(SEEN) == repr(WHOLE)


@pytest.mark.parametrize("place", [5, -6])
def test_an_index_out_of_range_is_an_index_error(place: int) -> None:
    with pytest.raises(IndexError, match=f"utterance {place} of 5"):
        SEEN[place]


def test_it_compares_and_hashes_like_a_tuple() -> None:
    assert SEEN == WHOLE and WHOLE == SEEN and SEEN == Utterances(list(WHOLE), 5)
    assert SEEN != WHOLE[:4] and SEEN != list(WHOLE)
    assert hash(SEEN) == hash(WHOLE)
    assert CallView(call_sid="CA1", transcript=SEEN) == CallView(call_sid="CA1", transcript=WHOLE)
