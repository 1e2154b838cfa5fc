from __future__ import annotations

from hookflash.core.model_line import ModelLine, State

T = 1000.0


def test_a_session_is_opened_and_ready() -> None:
    line = ModelLine(seconds=10, attempts=3)
    assert not line.listening
    line.open(T)
    assert line.listening
    assert not line.due(T + 9)
    assert line.due(T + 10)
    line.ready()
    assert line.listening
    assert line.deadline is None
    assert not line.due(T + 99)


def test_each_try_waits_longer_and_the_third_is_the_last() -> None:
    line = ModelLine(seconds=10, attempts=3)
    waits = []
    for _ in range(3):
        line.open(T)
        again = line.lost(hopeless=False, now=T)
        waits.append(line.deadline - T if again and line.deadline is not None else None)
    assert waits == [0.0, 1.0, None]
    assert line.state is State.DEAD


def test_a_session_that_worked_is_a_new_beginning() -> None:
    line = ModelLine(seconds=10, attempts=2)
    for _ in range(5):
        line.open(T)
        line.ready()
        line.worked()
        assert line.lost(hopeless=False, now=T)


def test_nothing_is_tried_again_that_cannot_help() -> None:
    line = ModelLine(seconds=10, attempts=3)
    line.open(T)
    assert not line.lost(hopeless=True, now=T)
    line.close()
    assert line.state is State.CLOSED
