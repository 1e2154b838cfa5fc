from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hookflash.cli.console import command
from hookflash.console.passwords import verify_password
from hookflash.console.people import read_people
from hookflash.errors import ConfigError

PASSWORD = "correct horse battery"


def run(*arguments: str, typed: str | None = None):
    return CliRunner().invoke(command, list(arguments), input=typed)


def test_a_password_becomes_an_entry_that_the_server_reads(tmp_path: Path) -> None:
    options = ("--role", "supervisor", "--rings", "+15550142", "--password", PASSWORD)
    printed = run("password", "anna", *options)
    assert printed.exit_code == 0
    assert PASSWORD not in printed.output
    file = tmp_path / "users.toml"
    file.write_text(printed.stdout)
    anna = read_people(file).users["anna"]
    assert anna.role == "supervisor"
    assert verify_password(PASSWORD, anna.password)


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    printed = run("password", "vera", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert printed.exit_code == 0
    assert PASSWORD not in printed.output
    assert 'role = "viewer"' in printed.output
    assert run("password", "vera", typed=f"{PASSWORD}\nanother\n").exit_code != 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("password", "anna", "--password", "short"), "12 to 1000 characters"),
        (("password", "an na", "--password", PASSWORD), "a name is at most 64"),
        (("password", "anna", "--password", PASSWORD, "--rings", "911"), "rings is a number"),
    ],
)
def test_an_entry_that_the_server_would_refuse_is_not_printed(
    arguments: tuple[str, ...], complaint: str
) -> None:
    printed = run(*arguments)
    assert isinstance(printed.exception, ConfigError)
    assert complaint in str(printed.exception)
    assert printed.stdout == ""


def test_a_token_is_shown_once_and_its_entry_lets_it_in(tmp_path: Path) -> None:
    printed = run("token", "crm", "--role", "viewer")
    token = printed.stderr.removeprefix("token: ").strip()
    file = tmp_path / "users.toml"
    file.write_text(printed.stdout)
    assert token not in printed.stdout
    program = read_people(file).with_token(token)
    assert program is not None and (program.name, program.role) == ("crm", "viewer")
