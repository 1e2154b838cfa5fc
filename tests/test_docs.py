"""The reference names everything there is, and its generated parts are those of this code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import click
import pytest
from tests.programs import load

from hookflash import errors
from hookflash.cli import hookflash as command_line
from hookflash.core.caller_leg.states import RouteState
from hookflash.core.commands import AnyCommand, Instruction
from hookflash.core.disposition import Disposition
from hookflash.core.events import AnyEvent, Outcome
from hookflash.core.handoff.states import HandoffState
from hookflash.core.timers import Limit
from hookflash.settings import SETTINGS

ROOT = Path(__file__).parent.parent
SRC = ROOT / "packages" / "hookflash" / "src" / "hookflash"
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def words(page: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", (REFERENCE / page).read_text()))


def names(union: object) -> set[str]:
    return {struct.__name__ for struct in typing.get_args(union)}


def test_the_generated_parts_are_up_to_date() -> None:
    finished = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def generator() -> Any:
    return load("scripts/reference")


def test_a_limit_that_the_page_does_not_tell_is_noticed(generator: Any) -> None:
    page = (REFERENCE / "states.md").read_text()
    assert generator.written(page) == page
    changed = page.replace("`: closing the stream | 5 s |", "`: closing the stream | 9 s |")
    assert changed != page
    assert generator.written(changed) == page


def test_a_limit_that_is_computed_in_another_way_needs_new_words(generator: Any) -> None:
    def seconds(handoff: Any, now: float) -> float:
        return float(handoff.weather)

    with pytest.raises(SystemExit, match="RINGING reads 'float weather' now"):
        generator.limit(HandoffState.RINGING, Limit(seconds, then=""))
    with pytest.raises(SystemExit, match="CLOSING is computed"):
        generator.limit(RouteState.CLOSING, Limit(seconds, then=""))
    with pytest.raises(SystemExit, match="RINGING is not computed any more"):
        generator.limit(HandoffState.RINGING, Limit(1.0, then=""))


def test_each_setting_is_documented() -> None:
    assert {one.variable for one in SETTINGS if not one.hidden} <= words("settings.md")


@pytest.mark.parametrize(
    ("page", "union"),
    [("events.md", AnyEvent), ("commands.md", AnyCommand), ("commands.md", Instruction)],
)
def test_each_event_and_each_command_is_documented(page: str, union: object) -> None:
    assert names(union) <= words(page)


def test_each_error_code_is_documented() -> None:
    codes = {
        one.code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.HookflashError)
    }
    assert codes <= words("errors.md")


def test_each_disposition_and_each_outcome_is_documented() -> None:
    assert set(typing.get_args(Disposition)) <= words("dispositions.md")
    assert set(typing.get_args(Outcome)) <= words("dispositions.md")


def test_each_address_of_the_server_is_documented() -> None:
    source = (SRC / "server").glob("*.py")
    served = set()
    for file in source:
        text = file.read_text()
        served |= set(re.findall(r'Route\(\s*f?"(?:\{PREFIX\})?(/[a-z]+)', text))
    told = " ".join(words("http.md"))
    assert served
    assert {path for path in served if path not in told} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("packages/*/README.md")), ids=lambda p: p.parent.name
)
def test_links_of_a_package_page_are_absolute_and_lead_to_a_file(page: Path) -> None:
    """The package index shows these pages, and has no other file of the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    assert targets
    repository = "https://github.com/hookflash/hookflash"
    for target in targets:
        assert target.startswith("https://"), target
        if target.startswith(repository):
            path = re.sub(r"^(?:/(?:blob|tree)/main)?/?|#.*$", "", target.removeprefix(repository))
            assert (ROOT / path).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_the_docs_compiles(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        compile(block, str(page), "exec")


def test_each_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for block in re.findall(r"```(?:sh|text|console)?\n(.*?)```", page.read_text(), re.S):
            asked = set(re.findall(r"^(?:\$ )?make (\w+)", block, re.M))
            assert asked <= targets, page


def test_each_command_of_ours_in_the_docs_exists() -> None:
    there = set(command_line.list_commands(click.Context(command_line)))
    for page in PAGES:
        asked = set(re.findall(r"^(?:\$ )?hookflash ([a-z-]+)", page.read_text(), re.M))
        assert asked <= there, page


def test_each_selection_of_tests_in_the_docs_selects_some() -> None:
    """Looks at the names of files and tests: collecting them takes much longer."""
    asked = {
        (path, word)
        for page in PAGES
        for path, word in re.findall(r"^scripts/test (\S+) -k (\w+)$", page.read_text(), re.M)
    }
    assert asked
    for path, word in asked:
        files = sorted((ROOT / path).rglob("test_*.py"))
        selected = [
            file for file in files if re.search(rf"(?m)^def test_\w*{word}", file.read_text())
        ]
        assert selected or [file for file in files if word in file.stem], (path, word)


def test_each_event_has_a_name_of_the_form_that_the_contributors_are_told() -> None:
    rule = next(
        item
        for item in (ROOT / "CONTRIBUTING.md").read_text().split("\n- ")
        if item.startswith("The name of an event ends with what happened")
    )
    exceptions = set(re.findall(r"`([A-Za-z]+)`", rule.partition("Exceptions")[2]))
    others = {name for name in names(AnyEvent) if not re.search("(ed|Given|Lost|Said)$", name)}
    assert others == exceptions - {"PlayAudio"}


def test_the_glossary_is_in_alphabetical_order() -> None:
    page = (REFERENCE / "glossary.md").read_text()
    terms = re.findall(r"^- \*\*(.+?)\.\*\*", page, re.M)
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=str.lower)


def defined_names(file: Path) -> set[str]:
    """Return what a module defines: functions, classes and their methods, and constants."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.FunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found.add(name)
                methods = (ast.FunctionDef, ast.AsyncFunctionDef)
                found |= {f"{name}.{each.name}" for each in body if isinstance(each, methods)}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def test_each_file_and_each_name_in_the_page_about_the_core_exists() -> None:
    rows = re.findall(r"^\|(.*)\|$", (ROOT / "docs/topics/call-core.md").read_text(), re.M)
    wrong, seen = [], 0
    for row in rows:
        cells = [re.findall(r"`([^`]+)`", cell) for cell in row.split("|")]
        for cell, following in zip(cells, [*cells[1:], []], strict=True):
            files = [SRC / path for path in cell if path.endswith(".py")]
            wrong += [str(file) for file in files if not file.exists()]
            if len(files) == 1 and files[0].exists():
                seen += len(following)
                wrong += sorted(set(following) - defined_names(files[0]))
    assert wrong == []
    assert seen > 100
