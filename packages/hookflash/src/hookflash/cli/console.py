"""`hookflash console`: entries for the file of those who may use the console."""

from __future__ import annotations

import click

_ROLES = ("viewer", "supervisor")


@click.group()
def command() -> None:
    """Make entries for the file of those who may use the console."""


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="viewer", show_default=True)
@click.option("--rings", help="Where a call that they take over rings, such as +15550100.")
@click.password_option(help="Asked for twice if it is not given.")
def password(name: str, role: str, rings: str | None, password: str) -> None:
    """Print an entry for NAME, who signs in with a password.

    A viewer sees and listens; a supervisor acts on calls and deletes them as well. Add what is
    printed to hookflash-users.toml (HOOKFLASH_CONSOLE_USERS): it counts at once.
    """
    from hookflash.console.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, hash_password
    from hookflash.errors import ConfigError

    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ConfigError(
            f"--password: expected {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters,"
            f" got {len(password)}; three or four words make a good one"
        )
    entry = {"password": hash_password(password), "role": role}
    if rings is not None:
        entry["rings"] = rings
    _print("users", name, entry)


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="supervisor", show_default=True)
def token(name: str, role: str) -> None:
    """Print a token for the program NAME, and an entry that lets it use /api.

    The token is shown once and kept nowhere: the program sends it as `Authorization: Bearer`.
    """
    from hookflash.console.passwords import new_token

    made, kept = new_token()
    click.echo(f"token: {made}", err=True)
    _print("tokens", name, {"hash": kept, "role": role})


def _print(kind: str, name: str, entry: dict[str, str]) -> None:
    """Print an entry, after it was read as the server would read it. Raises `ConfigError`."""
    import json
    import tempfile
    from pathlib import Path

    from hookflash.console.people import read_people

    # A text of TOML is written as one of JSON is.
    lines = [f"[{kind}.{json.dumps(name)}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    text = "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "entry"
        file.write_text(text, encoding="utf-8")
        read_people(file)
    click.echo(text, nl=False)
