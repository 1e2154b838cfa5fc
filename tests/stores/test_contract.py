"""The tests of this folder on the drivers that serve calls: SQLite with its threads, PostgreSQL.

Every test that takes a `database` or an `empty_database`, and otherwise only what its module
makes of it (`made_NAME` makes the fixture NAME), runs on each kind of database.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from hookflash.stores.database import open_database
from hookflash_local.simulation.world import make_database

from . import (
    test_audit,
    test_audit_migration,
    test_database,
    test_deliveries,
    test_erasing,
    test_figures,
    test_records,
    test_search,
    test_writer,
)
from .parts import Database

MODULES = [
    test_audit,
    test_audit_migration,
    test_database,
    test_deliveries,
    test_erasing,
    test_figures,
    test_records,
    test_search,
    test_writer,
]
FEWEST = 54
"""As many tests as there are at least, so that none falls out unnoticed."""

Make = Callable[[bool], Awaitable[Database]]
"""Makes a database: an empty one, or one whose tables are up to date."""


def needs(module: ModuleType, function: Callable[..., Any]) -> set[str]:
    """Return the names of the fixtures that a test needs, and those that they need."""
    found: set[str] = set()
    for name in inspect.signature(function).parameters:
        maker = getattr(module, f"made_{name}", None)
        found |= {name} | (needs(module, maker) if maker is not None else set())
    return found


def contract() -> Iterator[tuple[ModuleType, Callable[..., Any]]]:
    for module in MODULES:
        known = {name.removeprefix("made_") for name in vars(module) if name.startswith("made_")}
        known |= {"database", "empty_database", "monkeypatch"}
        for name, test in vars(module).items():
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                needed = needs(module, test)
                if needed <= known and needed & {"database", "empty_database"}:
                    yield module, test


async def run(module: ModuleType, test: Callable[..., Any], make: Make) -> None:
    """Run a test, with what it needs."""
    made: dict[str, Any] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def value(name: str) -> Any:
            if name not in made:
                if name == "monkeypatch":
                    made[name] = stack.enter_context(pytest.MonkeyPatch.context())
                elif name in ("database", "empty_database"):
                    made[name] = await make(name == "empty_database")
                else:
                    maker = contextlib.asynccontextmanager(getattr(module, f"made_{name}"))
                    made[name] = await stack.enter_async_context(maker(**await values(maker)))
            return made[name]

        async def values(function: Callable[..., Any]) -> dict[str, Any]:
            return {name: await value(name) for name in inspect.signature(function).parameters}

        await test(**await values(test))


async def run_all(make: Make) -> None:
    tests = list(contract())
    assert len(tests) >= FEWEST
    failures: list[Exception] = []
    for module, test in tests:
        try:
            await run(module, test, make)
        except Exception as error:
            error.add_note(f"in {module.__name__}.{test.__name__}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(tests)} tests failed", failures)


@pytest.mark.realtime
async def test_sqlite_files_with_their_driver_keep_the_contract(tmp_path: Path) -> None:
    numbers = count(1)

    async def make(empty: bool) -> Database:
        file = tmp_path / str(next(numbers)) / "hookflash.db"
        if not empty:
            await make_database(file)
        return Database(f"sqlite:///{file}")

    await run_all(make)


@pytest.fixture
async def postgres(postgres_folder: Path) -> AsyncIterator[Make]:
    numbers = count(1)
    control = await asyncpg.connect(host=str(postgres_folder), user="postgres", database="postgres")

    async def make(empty: bool) -> Database:
        name = f"test_{next(numbers)}"
        template = "template0" if empty else "up_to_date"
        await control.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(url(name))

    def url(name: str) -> str:
        return f"postgresql://postgres@/{name}?host={postgres_folder}"

    await control.execute("CREATE DATABASE up_to_date TEMPLATE template0")
    await (await open_database(url("up_to_date"))).dispose()
    yield make
    await control.close()


@pytest.mark.realtime
async def test_postgresql_keeps_the_contract(postgres: Make) -> None:
    await run_all(postgres)
