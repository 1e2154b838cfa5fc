from __future__ import annotations

import pytest

from hookflash.console.throttle import Throttle

from .conftest import Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def throttle(time: Time) -> Throttle:
    return Throttle(time)


def fail(throttle: Throttle, times: int, name: str = "anna", peer: str = "p") -> None:
    for _ in range(times):
        throttle.failed(name, peer)


def test_a_few_mistakes_are_free_and_then_each_costs_more(throttle: Throttle) -> None:
    waits = []
    for _ in range(13):
        throttle.failed("anna", "p")
        waits.append(throttle.wait_seconds("anna", "p"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_peer_that_tries_many_names_has_to_wait(throttle: Throttle) -> None:
    for number in range(25):
        throttle.failed(f"name{number}", "p")
    assert throttle.wait_seconds("anybody", "p") == 32
    assert throttle.wait_seconds("anybody", "q") == 0


def test_a_throttled_name_is_released_after_its_time(throttle: Throttle, time: Time) -> None:
    fail(throttle, 7)
    time.now += 3.5
    assert throttle.wait_seconds("anna", "p") == pytest.approx(0.5)
    time.now += 0.5
    assert throttle.wait_seconds("anna", "p") == 0
    time.now += 901
    throttle.failed("anna", "p")
    assert throttle.wait_seconds("anna", "p") == 0


def test_the_right_password_clears_the_name_but_not_the_peer(throttle: Throttle) -> None:
    fail(throttle, 22)
    assert throttle.wait_seconds("anna", "p") == 60
    throttle.succeeded("anna", "p")
    assert throttle.wait_seconds("anna", "p") == 4


def test_a_peer_that_guesses_a_password_locks_nobody_else_out(throttle: Throttle) -> None:
    fail(throttle, 50)
    assert throttle.wait_seconds("anna", "p") == 60
    assert throttle.wait_seconds("anna", "q") == 0


def test_many_peers_that_guess_one_password_have_to_wait(throttle: Throttle) -> None:
    throttle.succeeded("anna", "home")
    for number in range(104):
        throttle.failed("anna", f"peer{number}")
    assert throttle.wait_seconds("anna", "another") == 16
    assert throttle.wait_seconds("anna", "home") == 0, "where she has signed in before"
    fail(throttle, 6, peer="home")
    assert throttle.wait_seconds("anna", "home") == 2


def test_the_memory_of_the_throttle_is_bounded(throttle: Throttle) -> None:
    for number in range(6000):
        throttle.failed(f"name{number}", f"peer{number}")
        throttle.succeeded(f"other{number}", "p")
        throttle.succeeded(f"other{number}", "q")
    assert len(throttle._failed) == 10_000
    assert len(throttle._known) == 10_000
