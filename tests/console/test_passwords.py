from __future__ import annotations

import pytest

from hookflash.console.passwords import (
    hash_password,
    hash_token,
    is_hash,
    new_token,
    verify_password,
)

KEPT = hash_password("correct horse battery")


def test_a_password_is_known_again_and_no_other_is() -> None:
    assert verify_password("correct horse battery", KEPT)
    assert not verify_password("correct horse batterx", KEPT)
    assert not verify_password("", KEPT)


def test_the_same_password_is_kept_differently_each_time() -> None:
    assert hash_password("correct horse battery") != KEPT
    assert "correct" not in KEPT


def test_a_password_may_be_of_any_script_and_is_not_too_long() -> None:
    assert verify_password("mot de passe été \ud800", hash_password("mot de passe été \ud800"))
    assert not verify_password("x" * 1001, hash_password("x" * 1001))


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "correct horse battery",
        "scrypt$32768$8$1$AAAA",
        "scrypt$1024$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
        "scrypt$40000$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
        "scrypt$1073741824$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
        "scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAA",
        "scrypt$32768$8$1$!!!!$" + "A" * 43 + "=",
        "scrypt$x$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
        "bcrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
    ],
)
def test_a_weak_or_broken_hash_verifies_no_password(kept: str) -> None:
    assert not is_hash(kept)
    assert not verify_password("", kept)


def test_a_token_is_long_and_only_its_hash_is_kept() -> None:
    token, kept = new_token()
    assert len(token) > 40
    assert hash_token(token) == kept
    assert token not in kept
    assert new_token()[0] != token
