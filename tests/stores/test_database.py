from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.errors import ConfigError
from hookflash.stores.database import VERSION_TABLE, open_database
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.search import CallQuery, CallSearch
from hookflash.stores.tables import metadata

from .parts import Database


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        # The index of words is of the database's own kind: `stores/full_text.py`.
        return kind != "table" or not str(name).startswith("call_words")

    options = {"version_table": VERSION_TABLE, "compare_type": True, "include_name": ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_the_tables_that_the_code_reads(
    empty_database: Database,
) -> None:
    engine = await empty_database.engine()
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_a_missing_database_is_created_only_if_asked_for(empty_database: Database) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match="no (database|tables) .* nothing was created"):
            await open_database(empty_database.url, connect=empty_database.connect, create=False)
    await (await empty_database.engine()).dispose()
    engine = await open_database(empty_database.url, connect=empty_database.connect, create=False)
    await engine.dispose()


async def test_calls_of_an_older_version_are_kept(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        engine = await empty_database.engine()
    call = "'CA1', 'shop', '+15550100', '+15550101', 'failed', 1.5, 2.5, 0"
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO calls VALUES ({call})"))
    await engine.dispose()
    store = await empty_database.records()
    record = await store.get("CA1")
    assert record is not None
    assert (record.seconds, record.recorded_from, record.summary) == (2.5, None, "")
    await store.close()


async def test_outcomes_and_deliveries_of_an_older_version_get_the_words_of_this_one(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, "0007"))
        engine = await empty_database.engine()
    unwanted = TrackedDelivery(
        delivery=Delivery(
            id="CA1-callback",
            kind="callback",
            call_sid="CA1",
            agent="shop",
            destination="desk",
            created_at=1.0,
            caller="+15550100",
        )
    )
    stored = {
        "calls": {
            "call_sid": "CA1",
            "agent": "shop",
            "caller": "+15550100",
            "called": "",
            "disposition": "handled_by_agent",
            "arrived_at": 1.5,
            "seconds": 2.5,
            "barge_ins": 0,
            "outcome": "canceled",
        },
        "handoffs": {
            "call_sid": "CA1",
            "position": 0,
            "destination": "desk",
            "reason": "",
            "source": "tool",
            "started_at": 1.0,
            "outcome": "canceled",
        },
        "deliveries": {
            "delivery_id": "CA1-callback",
            "call_sid": "CA1",
            "created_at": 1.0,
            "state": "kept",
            "revision": 1,
            "due_at": 0.0,
            "lease": "",
            "leased_until": 0.0,
            "kept": json.dumps(msgspec.to_builtins(unwanted) | {"state": "kept"}),
        },
    }
    async with engine.begin() as connection:
        for table, row in stored.items():
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            await connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    await engine.dispose()
    store = await empty_database.records()
    record = await store.get("CA1")
    assert record is not None
    assert [each.outcome for each in record.handoffs] == ["cancelled"]
    (call,) = await CallSearch(store.engine).find(CallQuery())
    assert call.outcome == "cancelled"
    (delivery,) = await DeliveryStore(store.engine).list(state="unroutable")
    assert delivery == msgspec.structs.replace(unwanted, state="unroutable")
    await store.close()


async def test_several_processes_may_start_on_one_empty_database(
    empty_database: Database,
) -> None:
    engines = await asyncio.gather(*(empty_database.engine() for _ in range(4)))
    async with engines[0].connect() as connection:
        versions = (await connection.execute(text(f"SELECT * FROM {VERSION_TABLE}"))).all()
    assert len(versions) == 1
    for engine in engines:
        await engine.dispose()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(
    database: Database,
) -> None:
    engine = await database.engine()
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"version 9999 .* Upgrade Hookflash"):
        await database.engine()
    async with engine.connect() as connection:
        versions = (await connection.execute(text(f"SELECT * FROM {VERSION_TABLE}"))).all()
    assert [tuple(row) for row in versions] == [("9999",)]
    await engine.dispose()


async def test_foreign_tables_are_not_touched_and_no_table_is_created(
    empty_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    foreign = sqlite3.connect(tmp_path / "data" / "hookflash.db")
    foreign.execute("CREATE TABLE handoffs (mine TEXT)")
    foreign.execute("INSERT INTO handoffs VALUES ('precious')")
    foreign.commit()
    with pytest.raises(ConfigError, match=r"handoffs.*nothing was changed"):
        await empty_database.engine()
    names = foreign.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert names == [("handoffs",)]
    assert foreign.execute("SELECT mine FROM handoffs").fetchall() == [("precious",)]
    foreign.close()


async def test_sqlite_has_a_write_ahead_log_and_checks_foreign_keys(
    database: Database, sqlite_url: str
) -> None:
    assert database.url == sqlite_url
    engine = await database.engine()
    async with engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 5000)):
            assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar() == value
    await engine.dispose()


async def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    engine = await database.engine()
    async with engine.begin() as writer:
        await writer.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0001'"))
        async with engine.connect() as reader:
            assert (await reader.execute(text("SELECT count(*) FROM calls"))).scalar() == 0
    await engine.dispose()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://localhost/calls", "expected sqlite:///FILE or postgresql"),
        ("not a url", "cannot be read as a URL"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:////dev/null/calls/hookflash.db", "choose another folder"),
        ("postgresql://ann:swordfish@/calls?host=/nowhere", "cannot be opened"),
    ],
)
async def test_a_url_that_cannot_be_used_is_named_with_its_remedy(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        await open_database(url)
    assert str(caught.value).startswith("HOOKFLASH_DATABASE_URL: ")
    assert "swordfish" not in str(caught.value)


async def test_a_file_that_is_no_database_is_refused(
    empty_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "hookflash.db"
    file.write_text("a letter to my aunt, long enough to be taken for a header" * 20)
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="not a database"):
        await empty_database.engine()
    assert file.read_bytes() == before


async def test_without_asyncpg_postgresql_is_refused_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'asyncpg>=0\.30'"):
        await open_database("postgresql://localhost/calls")


async def test_an_error_does_not_repeat_what_was_to_be_stored(database: Database) -> None:
    engine = await database.engine()
    statement = text("INSERT INTO no_such_table VALUES (:said)")
    with pytest.raises(DBAPIError) as caught:
        async with engine.begin() as connection:
            await connection.execute(statement, {"said": "my password is swordfish"})
    await engine.dispose()
    assert "swordfish" not in str(caught.value)


@pytest.mark.realtime
async def test_several_databases_may_be_opened_at_once_in_threads(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}/calls.db" for number in range(8)]
    engines = await asyncio.gather(*(open_database(url) for url in urls))
    for engine in engines:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()
