"""Tokens, remembered answers, stand-ins: the rules without a server."""

from __future__ import annotations

import pytest

from hookflash.errors import ConfigError
from hookflash.server.request_auth import (
    CACHED_ANSWERS,
    TOKEN_SECONDS,
    TOKENS_A_CALL,
    AnswerCache,
    StreamTokens,
    require_stand_ins,
)

from .conftest import Time


def test_a_token_works_once_and_tells_its_step() -> None:
    tokens = StreamTokens()
    token = tokens.mint("CA1", 3)
    assert tokens.redeem("CA1", token) == 3
    assert tokens.redeem("CA1", token) is None


def test_a_token_belongs_to_its_call_and_is_not_spent_by_another() -> None:
    tokens = StreamTokens()
    token = tokens.mint("CA1", 1)
    tokens.mint("CA2", 1)
    assert tokens.redeem("CA2", token) is None
    assert tokens.redeem("CA3", token) is None
    assert tokens.redeem("CA1", token) == 1


@pytest.mark.parametrize("wrong", ["", "x", "\u20ac\ud800", "good"])
def test_a_wrong_token_is_refused(wrong: str) -> None:
    tokens = StreamTokens()
    token = tokens.mint("CA1", 1)
    assert tokens.redeem("CA1", wrong) is None
    assert tokens.redeem("CA1", token[:-1]) is None
    assert tokens.redeem("CA1", token) == 1


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = StreamTokens()
    made = {tokens.mint("CA1", 1) for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 43


def test_a_token_expires() -> None:
    time = Time()
    tokens = StreamTokens(time)
    old = tokens.mint("CA1", 1)
    time.now += TOKEN_SECONDS / 2
    young = tokens.mint("CA1", 2)
    time.now += TOKEN_SECONDS / 2
    assert tokens.redeem("CA1", old) is None
    assert tokens.redeem("CA1", young) == 2


def test_expired_and_surplus_tokens_are_forgotten() -> None:
    time = Time()
    tokens = StreamTokens(time)
    first = tokens.mint("CA1", 0)
    for step in range(1, TOKENS_A_CALL + 1):
        tokens.mint("CA1", step)
    assert tokens.redeem("CA1", first) is None
    for number in range(1000):
        tokens.mint(f"CA{number}", 1)
    time.now += TOKEN_SECONDS
    tokens.mint("CA1", 1)
    assert len(tokens._issued) == 1
    assert len(tokens._order) == 1


def test_an_answer_is_found_by_any_of_its_keys_and_the_oldest_are_forgotten() -> None:
    answers = AnswerCache()
    answers.store([("a", "1"), ("b", "1")], "one")
    assert answers.find([("x",), ("b", "1")]) == "one"
    assert answers.find([("x",)]) is None
    for number in range(CACHED_ANSWERS):
        answers.store([(str(number),)], "more")
    assert answers.find([("a", "1"), ("b", "1")]) is None


def test_only_this_machine_is_a_stand_in() -> None:
    require_stand_ins(["http://127.0.0.1:8080", "ws://localhost:9/v1", "http://[::1]:7"])
    for url in ("https://api.twilio.com", "http://127.0.0.1.example.com", "", "http://10.0.0.1"):
        with pytest.raises(ConfigError, match="set TWILIO_AUTH_TOKEN"):
            require_stand_ins(["http://127.0.0.1:8080", url])
