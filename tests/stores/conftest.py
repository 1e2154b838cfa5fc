"""Databases for the tests: SQLite in a simulated world, and a PostgreSQL server of our own.

Tests that take a `database` or an `empty_database` run without a thread and on a virtual clock.
`test_contract.py` runs them again, on the drivers that serve calls.

The server is Debian's, started once for each test process. Where it is missing the tests fail: they
are not skipped, since half of what they check would not have been checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hookflash_local.simulation.world import SimulatedWorld, make_database

from .parts import Database
from .postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A running server's folder: the socket to connect to is in it."""
    with PostgresServer() as server:
        yield server.folder


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/hookflash.db"


@pytest.fixture
async def empty_database(sqlite_url: str) -> AsyncIterator[Database]:
    """An SQLite file that is not there yet, in a simulated world."""
    world = SimulatedWorld(0)
    yield Database(sqlite_url, world.sqlite)
    world.close()


@pytest.fixture
async def database(empty_database: Database, tmp_path: Path) -> Database:
    """An SQLite file whose tables are up to date, in a simulated world."""
    await make_database(tmp_path / "data" / "hookflash.db")
    return empty_database
