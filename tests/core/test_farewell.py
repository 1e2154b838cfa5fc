from __future__ import annotations

import pytest

from hookflash.core.conversation.farewell import Farewell
from hookflash.core.signals import Purpose

T = 1000.0


def begun() -> Farewell:
    farewell = Farewell(8.0)
    farewell.begin("hand-off", "", spoke=False, now=T)
    return farewell


@pytest.mark.parametrize(
    ("purpose", "seconds"),
    [("hand-off", 8.0), ("voicemail", 8.0), ("hang-up", 2.8), ("consulted", 2.8)],
)
def test_a_silent_model_is_waited_for_so_long(purpose: Purpose, seconds: float) -> None:
    farewell = Farewell(8.0)
    assert farewell.deadline is None
    farewell.begin(purpose, "", spoke=False, now=T)
    assert farewell.deadline == T + seconds
    farewell.end(T)
    assert farewell.deadline is None


def test_a_shorter_time_of_the_owners_counts_for_a_call_that_ends() -> None:
    farewell = Farewell(1.0)
    farewell.begin("hang-up", "", spoke=False, now=T)
    assert farewell.deadline == T + 1


def test_sound_is_waited_for_until_it_must_have_been_heard() -> None:
    farewell = begun()
    farewell.sounding(T + 3, T)
    assert farewell.spoke
    assert farewell.deadline == T + 8
    farewell.sounding(T + 20, T)
    assert farewell.deadline == T + 21.5


def test_a_model_that_never_stops_does_not_hold_the_caller() -> None:
    farewell = begun()
    farewell.sounding(T + 500, T)
    assert farewell.deadline == T + 60


def test_a_line_that_was_asked_for_has_its_own_time() -> None:
    farewell = begun()
    farewell.wait_for_line(T + 55)
    assert farewell.deadline == T + 63
    farewell.sounding(T + 70, T + 60)
    assert farewell.deadline == T + 71.5
