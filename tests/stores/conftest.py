"""Databases for the tests: SQLite in a simulated world, and a PostgreSQL server of our own.

Tests that take a `database` or an `empty_database` run without a thread and on a virtual clock.
`test_contract.py` runs them again, on the drivers that serve calls.

The server is Debian's, started once for each test process in a folder that is thrown away. It
listens on a socket in that folder and on no port. Where it is missing the tests fail: they are
not skipped, since half of what they check would not have been checked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from pwd import getpwnam

import pytest

from hookflash_local.simulation.world import SimulatedWorld, make_database

from .parts import Database


def _server_programs() -> Path:
    """Return the folder of the newest `initdb` and `postgres` on this machine."""
    found = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if (path.parent / "postgres").is_file()
    ]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    pytest.fail("PostgreSQL is not installed: apt-get install postgresql", pytrace=False)


def _server_user() -> str | None:
    """Return whom to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.fail("PostgreSQL does not run as root, and there is no user postgres or nobody")


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A running server's folder: the socket to connect to is in it."""
    programs, user = _server_programs(), _server_user()
    # Not pytest's own folder: the path of a socket must be short, and the user must get there.
    folder = Path(tempfile.mkdtemp(prefix="hookflash-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        made = subprocess.run(
            [*initdb, "--no-sync", "-E", "UTF8", "--locale=C"],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=50"
        started = subprocess.run(
            [*control, "-o", options, "start"],
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert started.returncode == 0, (folder / "log").read_text()
        try:
            yield folder
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"],
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
