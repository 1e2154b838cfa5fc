from __future__ import annotations

from hookflash.core.conversation.model_session import ModelSession
from hookflash.core.conversation.states import SessionState

T = 1000.0


def test_a_session_is_opened_and_ready() -> None:
    session = ModelSession(seconds=10, attempts=3)
    assert not session.listening
    session.open(T)
    assert session.listening
    assert not session.due(T + 9)
    assert session.due(T + 10)
    session.ready(T)
    assert session.listening
    assert session.deadline is None
    assert not session.due(T + 99)


def test_each_try_waits_longer_and_the_third_is_the_last() -> None:
    session = ModelSession(seconds=10, attempts=3)
    waits = []
    for _ in range(3):
        session.open(T)
        again = session.lost(hopeless=False, now=T)
        waits.append(session.deadline - T if again and session.deadline is not None else None)
    assert waits == [0.0, 1.0, None]
    assert session.state is SessionState.DEAD


def test_a_session_that_worked_is_a_new_beginning() -> None:
    session = ModelSession(seconds=10, attempts=2)
    for _ in range(5):
        session.open(T)
        session.ready(T)
        session.worked()
        assert session.lost(hopeless=False, now=T)


def test_nothing_is_tried_again_that_cannot_help() -> None:
    session = ModelSession(seconds=10, attempts=3)
    session.open(T)
    assert not session.lost(hopeless=True, now=T)
    session.close(T)
    assert session.state is SessionState.CLOSED
