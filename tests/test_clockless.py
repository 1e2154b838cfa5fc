"""What scripts/clockless.txt lists exists, and knows no clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTED = [
    line
    for text in (ROOT / "scripts" / "clockless.txt").read_text().splitlines()
    if (line := text.partition("#")[0].strip())
]
CLOCKS = {"asyncio", "multiprocessing", "selectors", "socket", "subprocess", "threading"}
CLOCKS |= {"concurrent", "playwright", "sched", "sqlalchemy", "time", "uvloop", "websockets"}


def files(listed: str) -> list[Path]:
    path = ROOT / listed
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("listed", LISTED)
def test_a_listed_test_imports_no_clock_and_is_no_coroutine(listed: str) -> None:
    assert (ROOT / listed).exists()
    assert files(listed)
    for file in files(listed):
        tree = ast.parse(file.read_text())
        assert not CLOCKS.intersection(imported(tree)), file
        assert not [each for each in ast.walk(tree) if isinstance(each, ast.AsyncFunctionDef)], file


def test_every_path_is_listed_once() -> None:
    assert len(LISTED) == len(set(LISTED))
