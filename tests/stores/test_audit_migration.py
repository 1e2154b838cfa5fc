"""Calls that were kept before the console looked for them are found like those that came later."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from hookflash.stores import database
from hookflash.stores.search import CallQuery, CallSearch

from .parts import Database

MIGRATIONS = Path(database.__file__).parent / "migrations"
ROWS = (
    "INSERT INTO calls (call_sid, agent, caller, called, disposition, arrived_at, seconds,"
    " barge_ins) VALUES ('CA1', 'shop', '+15550101234', '', 'handed_off', 5, 60, 0)",
    "INSERT INTO calls (call_sid, agent, caller, called, disposition, arrived_at, seconds,"
    " barge_ins) VALUES ('CA2', 'shop', 'anonymous', '', 'abandoned', 6, 60, 0)",
    "INSERT INTO utterances VALUES ('CA1', 0, 'caller', 'My brake.', 1, 3, '')",
    "INSERT INTO utterances VALUES ('CA1', 1, 'agent', 'It is broken.', 4, 4.5, '')",
    "INSERT INTO handoffs (call_sid, position, destination, reason, source, started_at, outcome,"
    " seconds_to_human) VALUES ('CA1', 0, 'desk', '', 'tool', 5, 'busy', NULL)",
    "INSERT INTO handoffs (call_sid, position, destination, reason, source, started_at, outcome,"
    " seconds_to_human) VALUES ('CA1', 1, 'shop', '', 'tool', 9, 'bridged', 7.5)",
)


def before(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=database.VERSION_TABLE)
    command.upgrade(config, "0001")
    for row in ROWS:
        connection.execute(text(row))


async def test_calls_of_before_are_found_and_counted(empty_database: Database) -> None:
    full = database._full_url(empty_database.url)
    engine = database._engine(full, empty_database.connect)
    async with engine.begin() as connection:
        await connection.run_sync(before)
    await engine.dispose()
    store = await empty_database.records()
    search = CallSearch(store.engine)
    (found,) = await search.find(CallQuery(text="brake bro", digits="1234", destination="shop"))
    assert (found.call_sid, found.outcome, found.seconds_to_human) == ("CA1", "bridged", 7.5)
    assert (found.caller_seconds, found.agent_seconds) == (2.0, 0.5)
    assert [each.call_sid for each in await search.find(CallQuery())] == ["CA2", "CA1"]
    await store.close()
