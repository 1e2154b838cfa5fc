"""The commands that messages print as a remedy can be run."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from packaging.requirements import InvalidRequirement, Requirement

from hookflash.cli import hookflash
from hookflash_local.model.speech.assets import PIPER, SILERO, WHISPER

ROOT = Path(__file__).parents[2]
NOT_REQUIRED = {"tzdata"}
"""Packages that no distribution requires, because most systems have what they contain."""

FILLED_IN = "{}"
"""Stands for what is formatted into a text."""


def declared() -> dict[str, Requirement]:
    """Return what the distributions require, with their extras, by name."""
    found = {}
    for file in ROOT.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        for line in (*project["dependencies"], *(each for extra in extras for each in extra)):
            found[Requirement(line).name] = Requirement(line)
    return found


def texts(needle: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every string in the packages that contains `needle`."""
    for file in sorted(ROOT.glob("packages/*/src/**/*.py")):
        source = file.read_text()
        if needle not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.JoinedStr | ast.Constant):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else FILLED_IN
                    for part in parts
                )
                if needle in text:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def not_installable(arguments: str) -> list[str]:
    """Return the arguments of `pip install` that cannot work."""
    known = declared()
    wrong = []
    for argument in shlex.split(arguments):
        if argument.startswith("--") or FILLED_IN in argument or argument in NOT_REQUIRED:
            continue
        if argument.startswith("./"):
            if not (ROOT / argument / "pyproject.toml").is_file():
                wrong.append(f"{argument} is no folder of a distribution")
            continue
        try:
            wanted = Requirement(argument)
        except InvalidRequirement as error:
            wrong.append(str(error))
            continue
        if wanted.name.startswith("hookflash"):
            wrong.append(f"{argument} is on no index")
        elif wanted.name not in known or known[wanted.name].specifier != wanted.specifier:
            wrong.append(f"{argument} is not what the distributions require")
    return wrong


def test_what_messages_tell_to_install_can_be_installed() -> None:
    commands = [
        (place, found)
        for place, text in texts("pip install")
        for found in re.findall(r"pip install ([^:;)`\n]+)", text)
    ]
    assert len(commands) >= 6
    wrong = {place: each for place, found in commands if (each := not_installable(found))}
    assert not wrong


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('"hookflash[local]"', "on no index"),
        ("./packages/nothing", "no folder of a distribution"),
        ("asyncpg", "not what the distributions require"),
        ("not a name!", "Expected"),
    ],
)
def test_a_command_that_cannot_work_is_found(arguments: str, reason: str) -> None:
    assert reason in " ".join(not_installable(arguments))


def test_weights_are_pinned_like_the_requirements() -> None:
    known = declared()
    for weights in (WHISPER, PIPER, SILERO):
        assert str(known[weights.package]) == weights.pinned


def test_the_hookflash_commands_that_messages_name_exist() -> None:
    context = click.Context(hookflash)
    found = {
        (place, *command)
        for place, text in texts("`hookflash ")
        for command in re.findall(r"`hookflash ([a-z]+)(?: ([a-z]+))?", text)
    }
    assert len({name for _, name, _ in found}) >= 8
    for place, name, below in sorted(found):
        command = hookflash.get_command(context, name)
        assert command is not None, f"{place}: there is no command `hookflash {name}`"
        if below and isinstance(command, click.Group):
            assert command.get_command(context, below), f"{place}: `hookflash {name} {below}`"
