"""`hookflash new`: begin a project with an agent."""

from __future__ import annotations

from pathlib import Path

import click

FILES = {
    "agent.py": "agent.py.txt",
    "test_agent.py": "test_agent.py.txt",
    ".env.example": "env.txt",
    ".gitignore": "gitignore.txt",
    "AGENTS.md": "AGENTS.md.txt",
}
"""What a project begins with, and the file of `project_files` that has it."""


@click.command
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> None:
    """Begin a project in FOLDER: an agent and its tests.

    Writes agent.py with comments, test_agent.py, .env.example, .gitignore, and AGENTS.md for coding
    assistants. Files that exist are not changed.
    """
    from importlib.resources import files

    from hookflash.errors import ConfigError
    from hookflash.private_files import create_folder, write_file

    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise ConfigError(
            f"{folder / there[0]} exists already, and nothing was written; choose a new folder"
        )
    try:
        create_folder(folder)
        for name, source in FILES.items():
            text = (files("hookflash") / "project_files" / source).read_text(encoding="utf-8")
            text = text.replace("@NAME@", agent_name(folder))
            write_file(folder / name, text)
    except OSError as error:
        raise ConfigError(f"{folder}: it cannot be written: {error.strerror}") from None
    for name in FILES:
        click.echo(f"  {folder / name}")
    click.echo("")
    for line in (
        f"cd {folder}",
        "hookflash chat agent.py          # talk with the agent in text",
        "pytest                           # play calls against it",
        "hookflash call --agent agent.py  # let a voice call it",
        "hookflash doctor agent.py        # what a real number needs",
    ):
        click.echo(f"  {line}")


def agent_name(folder: Path) -> str:
    """Return a name for the agent of a folder: its letters and digits, with `-` between."""
    name = "".join(each if each.isalnum() else "-" for each in folder.resolve().name.lower())
    return name.strip("-") or "front-desk"
