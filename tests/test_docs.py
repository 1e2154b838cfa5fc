"""The reference names everything there is, and its generated parts are those of this code."""

from __future__ import annotations

import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from hookflash import errors
from hookflash.core.commands import AnyCommand, Instruction
from hookflash.core.events import AnyEvent, Outcome
from hookflash.core.record import Disposition
from hookflash.settings import SETTINGS

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def words(page: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", (REFERENCE / page).read_text()))


def names(union: object) -> set[str]:
    return {struct.__name__ for struct in typing.get_args(union)}


def test_the_generated_parts_are_up_to_date() -> None:
    finished = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


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
    source = (ROOT / "src" / "hookflash" / "server").glob("*.py")
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
    there = {file.stem.replace("_", "-") for file in (ROOT / "src/hookflash/cli").glob("[a-z]*.py")}
    for page in PAGES:
        asked = set(re.findall(r"^(?:\$ )?hookflash ([a-z-]+)", page.read_text(), re.M))
        assert asked <= there, page
