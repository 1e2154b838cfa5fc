"""Open a database: create the engine for a URL, and migrate its tables.

SQLite by default (with a write-ahead log, so that readers never wait for a writer), PostgreSQL by
URL. Only the migrations in this package create and change tables, all in one transaction and under
a lock, so that processes may start together. A database of a newer Hookflash, or with foreign
tables of the same names, is refused and left unchanged.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from hookflash.errors import ConfigError
from hookflash.private_files import create_folder, make_file, restrict_trees
from hookflash.world import Connect

VERSION_TABLE = "hookflash_schema"
"""Not Alembic's default name, so that the database may be shared with the owner's application."""

_MIGRATIONS = Path(__file__).parent / "migrations"
# An arbitrary, fixed number: the key of the migrations' advisory lock.
_LOCK = 0x486F6F6B
_BUSY_MS = 5000
_one_at_a_time = threading.Lock()
_SIDE_FILES = ("-wal", "-shm", "-journal")
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}


async def open_database(
    url: str, *, connect: Connect | None = None, create: bool = True
) -> AsyncEngine:
    """Return an engine for `url`, with migrated tables.

    `connect` opens SQLite files instead of the driver, whose connections have a thread each.
    Without `create`, neither a file nor the first tables are created. Raises `ConfigError` if the
    URL is invalid, the database is not reachable or does not exist, or the tables cannot be
    changed.
    """
    if not create and (file := missing_file(url)) is not None:
        raise ConfigError(_no_database(f"there is no database {file}"))
    full = _full_url(url)
    try:
        if connect is not None:
            # Its connections belong to this thread.
            await _migrate(full, connect, create=create)
        else:
            # In a thread with a loop of its own: reading and running migrations blocks.
            await asyncio.to_thread(_migrate_alone, full, create)
    except (SQLAlchemyError, OSError) as error:
        raise ConfigError(_cannot_open(full, error)) from error
    return _engine(full, connect)


def missing_file(url: str) -> Path | None:
    """Return the SQLite file of `url` if there is no such file; None for every other database."""
    if not url.startswith("sqlite"):
        return None
    file = Path(str(make_url(url).database))
    return None if file.exists() else file


def _no_database(found: str) -> str:
    return (
        f"HOOKFLASH_DATABASE_URL: {found}, and nothing was created. Use the settings of"
        " `hookflash serve`, which creates it, and run the command in the same folder"
    )


def _full_url(url: str) -> str:
    """Return `url` with its driver; create the folder of an SQLite file."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("HOOKFLASH_DATABASE_URL: it cannot be read as a URL") from error
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in _DRIVERS:
        raise ConfigError(
            "HOOKFLASH_DATABASE_URL: expected sqlite:///FILE or postgresql://..., got"
            f" {parsed.drivername}://"
        )
    if scheme == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ConfigError("HOOKFLASH_DATABASE_URL: name a file, such as sqlite:///calls.db")
        try:
            file = Path(str(parsed.database))
            create_folder(file.parent)
            # SQLite gives its other files the mode of the database.
            make_file(file)
            restrict_trees(file.with_name(file.name + suffix) for suffix in _SIDE_FILES)
        except OSError as error:
            raise ConfigError(f"HOOKFLASH_DATABASE_URL: {error}; choose another folder") from error
    elif importlib.util.find_spec("asyncpg") is None:
        raise ConfigError(
            "HOOKFLASH_DATABASE_URL: PostgreSQL needs asyncpg: pip install 'asyncpg>=0.30'"
        )
    return parsed.set(drivername=_DRIVERS[scheme]).render_as_string(hide_password=False)


def _engine(url: str, connect: Connect | None = None, *, migrating: bool = False) -> AsyncEngine:
    # Parameters contain what callers said, and errors would show them in the log.
    options: dict[str, Any] = {"hide_parameters": True}
    if migrating:
        options["poolclass"] = NullPool
    if not url.startswith("sqlite"):
        if not migrating:
            # Detect a connection that the server closed while it was idle.
            options.update(pool_size=5, pool_pre_ping=True)
        return create_async_engine(url, **options)
    if connect is not None:
        options["async_creator"] = functools.partial(connect, str(make_url(url).database))
    engine = create_async_engine(url, **options)

    def connected(connection: Any, record: object) -> None:
        # By default the driver begins transactions late and commits them early, so a migration
        # could be incomplete. Transactions are therefore begun explicitly.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def began(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if migrating else "BEGIN")

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", began)
    return engine


def _migrate_alone(url: str, create: bool) -> None:
    """Migrate in this thread. Alembic has global state, so migrations run one at a time."""
    with _one_at_a_time:
        asyncio.run(_migrate(url, create=create))


async def _migrate(url: str, connect: Connect | None = None, *, create: bool) -> None:
    engine = _engine(url, connect, migrating=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, create)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, create: bool) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    present = context.get_current_revision()
    newest = _newest()
    if present is None and not create:
        raise ConfigError(_no_database("this database has no tables of Hookflash"))
    if present == newest:
        return
    known = ScriptDirectory.from_config(config)
    if present is not None and present not in {each.revision for each in known.walk_revisions()}:
        raise ConfigError(
            f"HOOKFLASH_DATABASE_URL: this database has version {present} of the tables, and"
            f" this Hookflash knows only up to {newest}; nothing was changed. Upgrade Hookflash,"
            " or use another database"
        )
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def _newest() -> str | None:
    """Return the newest version of the tables. Reading the migrations takes 10 ms, so it is
    cached."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _cannot_open(url: str, error: Exception) -> str:
    """Return the error in one line, without the password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return (
        f"HOOKFLASH_DATABASE_URL: {make_url(url).render_as_string()} cannot be opened:"
        f" {reason}; nothing was changed. Check the address and the permissions"
    )
