from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hookflash.console.people import PeopleFile, read_people
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError

from .conftest import KEPT, TOKEN, TOKEN_KEPT, USERS, Time


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.toml"
    path.write_text(USERS)
    return path


def test_users_and_tokens_are_read_with_what_they_may_do(file: Path) -> None:
    people = read_people(file)
    assert {name: person.role for name, person in people.users.items()} == {
        "anna": "supervisor",
        "vera": "viewer",
    }
    assert people.users["anna"].rings == Target.phone("+15550142")
    program = people.with_token(TOKEN)
    assert program is not None and (program.name, program.role) == ("crm", "supervisor")
    assert people.with_token(TOKEN + "x") is None
    assert people.with_token("") is None


@pytest.mark.parametrize(
    ("rings", "target"),
    [
        ("sip:anna@example.com", Target.sip("sip:anna@example.com")),
        ("client:anna", Target.client("anna")),
    ],
)
def test_a_call_that_is_taken_over_may_ring_anywhere(
    file: Path, rings: str, target: Target
) -> None:
    file.write_text(f'[users.a]\npassword = "{KEPT}"\nrole = "viewer"\nrings = "{rings}"\n')
    assert read_people(file).users["a"].rings == target


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("users =", "not valid TOML"),
        ("[user.anna]", r"expected \[users.NAME\]"),
        ("users = 3", r"expected \[users.NAME\]"),
        ("[users]\nanna = 3", r"expected \[users.NAME\]"),
        ('[users."an na"]', "a name is at most 64"),
        ('[users.a]\npassword = "secret"\nrole = "viewer"', "never the password itself"),
        (f'[users.a]\npassword = "{KEPT}"', "role is one of viewer, supervisor; got None"),
        (f'[users.a]\npassword = "{KEPT}"\nrole = "boss"', "got 'boss'"),
        (f'[users.a]\npassword = "{KEPT}"\nrole = "viewer"\nphone = "1"', "got 'phone'"),
        (f'[users.a]\npassword = "{KEPT}"\nrole = "viewer"\nrings = "911"', "rings is a number"),
        (f'[tokens.a]\nhash = "{TOKEN}"\nrole = "viewer"', "hash is what"),
        (f'[tokens.a]\nhash = "{TOKEN_KEPT}"', "role is one of"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(file: Path, text: str, complaint: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_people(file)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_people(tmp_path)
    big = tmp_path / "big.toml"
    big.write_text("#" * 1_000_001)
    with pytest.raises(ConfigError, match="more than 1 MB"):
        read_people(big)
    big.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_people(big)


def test_a_change_of_the_file_counts_without_a_restart(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    people = PeopleFile(file, time)
    assert set(people.current().users) == {"anna", "vera"}
    file.write_text(f'[users.ben]\npassword = "{KEPT}"\nrole = "viewer"\n')
    assert set(people.current().users) == {"anna", "vera"}
    time.now += 3
    assert set(people.current().users) == {"ben"}
    file.write_text("[users")
    time.now += 3
    with caplog.at_level(logging.ERROR):
        assert set(people.current().users) == {"ben"}
    assert "are not reloaded" in caplog.text
    file.unlink()
    time.now += 3
    assert not people.current().users
