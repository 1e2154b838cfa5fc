from __future__ import annotations

from hookflash.core.conversation.model_session import ModelSession
from hookflash.core.conversation.states import SessionState

T = 1000.0


def session(*, attempts: int = 3, session_seconds: float = 3600.0) -> ModelSession:
    return ModelSession(seconds=10, attempts=attempts, session_seconds=session_seconds)


def test_a_session_is_opened_and_ready() -> None:
    line = session(attempts=3)
    assert not line.listening
    line.open(T)
    assert line.listening
    assert not line.due(T + 9)
    assert line.due(T + 10)
    line.ready(T)
    assert line.listening
    assert not line.due(T + 99)


def test_a_session_is_replaced_in_a_pause_before_the_models_limit() -> None:
    line = session()
    line.open(T)
    line.ready(T)
    assert line.deadline == T + 3300
    line.age(T + 3300)
    assert line.ageing and line.listening
    assert line.deadline is None, "the next pause is waited for"
    line.open(T + 3310)
    assert not line.ageing


def test_a_session_is_left_alone_for_a_minute_at_least() -> None:
    line = session(session_seconds=90.0)
    line.open(T)
    line.ready(T)
    assert line.deadline == T + 60


def test_each_try_waits_longer_and_the_third_is_the_last() -> None:
    line = session(attempts=3)
    waits = []
    for _ in range(3):
        line.open(T)
        again = line.lost(hopeless=False, now=T)
        waits.append(line.deadline - T if again and line.deadline is not None else None)
    assert waits == [0.0, 1.0, None]
    assert line.state is SessionState.DEAD


def test_a_session_that_worked_resets_the_attempts() -> None:
    line = session(attempts=2)
    for _ in range(5):
        line.open(T)
        line.ready(T)
        line.worked()
        assert line.lost(hopeless=False, now=T)


def test_a_failure_that_a_retry_cannot_cure_is_not_retried() -> None:
    line = session(attempts=3)
    line.open(T)
    assert not line.lost(hopeless=True, now=T)
    line.close(T)
    assert line.state is SessionState.CLOSED
