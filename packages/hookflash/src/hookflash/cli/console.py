"""`hookflash console`: print entries for the file of console users."""

from __future__ import annotations

import click

_ROLES = ("viewer", "supervisor")


@click.group()
def command() -> None:
    """Print entries for the file of console users."""


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="viewer", show_default=True)
@click.option("--rings", help="The phone on which they take over calls, such as +15550100.")
@click.password_option(help="Asked for twice if it is not given.")
def password(name: str, role: str, rings: str | None, password: str) -> None:
    """Print an entry for NAME, who signs in with a password.

    A viewer sees and listens; a supervisor also acts on calls and deletes them. Add the output to
    hookflash-users.toml (HOOKFLASH_CONSOLE_USERS): it is effective at once.
    """
    from hookflash.console.passwords import MAX_CHARACTERS, MIN_CHARACTERS, hash_password
    from hookflash.errors import ConfigError

    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise ConfigError(
            f"--password: expected {MIN_CHARACTERS} to {MAX_CHARACTERS} characters,"
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

    The token is shown once and stored nowhere: the program sends it as `Authorization: Bearer`.
    """
    from hookflash.console.passwords import new_token

    token, stored_hash = new_token()
    click.echo(f"token: {token}", err=True)
    _print("tokens", name, {"hash": stored_hash, "role": role})


def _print(kind: str, name: str, entry: dict[str, str]) -> None:
    """Print an entry after reading it as the server would. Raises `ConfigError`."""
    import json
    import tempfile
    from pathlib import Path

    from hookflash.console.people import read_people
    from hookflash.private_files import write_file

    # A TOML string is written like a JSON string.
    lines = [f"[{kind}.{json.dumps(name)}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    text = "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "entry"
        write_file(file, text)
        read_people(file)
    click.echo(text, nl=False)
