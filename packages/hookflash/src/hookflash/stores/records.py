"""Store call records in a database that `database.py` has opened.

Writing waits for the disk, so calls never use `put` directly: a `StoreWriter` does, from a queue.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Table, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hookflash.core.record import CallRecord
from hookflash.core.token_usage import COUNTS
from hookflash.stores import tables
from hookflash.stores.database import open_database
from hookflash.stores.derived import derived
from hookflash.stores.full_text import full_text_index
from hookflash.world import Connect

# Field of a CallRecord -> the table of its parts. A part's fields are its table's columns.
_PARTS: dict[str, Table] = {
    "utterances": tables.utterances,
    "handoffs": tables.handoffs,
    "tools": tables.tool_uses,
    "transfers": tables.agent_transfers,
}
_CALL_COLUMNS = tuple(
    name for name in tables.calls.c.keys() if name in CallRecord.__struct_fields__
)


async def open_store(
    url: str, *, connect: Connect | None = None, create: bool = True
) -> RecordStore:
    """Open the database at `url` (`sqlite:///FILE` or `postgresql://...`), with migrated tables.

    `connect` opens SQLite files instead of the driver. Without `create`, a missing database is an
    error. Raises `ConfigError`, which says what to change.
    """
    return RecordStore(await open_database(url, connect=connect, create=create))


class RecordStore:
    """Call records by call SID. Created by `open_store`; close it when done."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._index = full_text_index(engine.dialect.name)

    async def put(self, record: CallRecord) -> None:
        """Store a record. It replaces one with the same call SID, so storing it twice changes
        nothing."""
        worked_out = {name: _storable(value) for name, value in derived(record).items()}
        counted = msgspec.structs.asdict(record.tokens)
        call = _row(record, _CALL_COLUMNS) | counted | worked_out
        said = _storable("\n".join(each.text for each in record.utterances))
        async with self.engine.begin() as connection:
            # The call's row first: it stays locked, so that two writers of one call run one after
            # the other.
            await connection.execute(self._upsert(call))
            for field, table in _PARTS.items():
                await connection.execute(delete(table).where(table.c.call_sid == call["call_sid"]))
                rows = [
                    {"call_sid": call["call_sid"], "position": position}
                    | _row(part, part.__struct_fields__)
                    for position, part in enumerate(getattr(record, field))
                ]
                if rows:
                    await connection.execute(insert(table), rows)
            await connection.run_sync(self._index.put, call["call_sid"], said)

    async def get(self, call_sid: str) -> CallRecord | None:
        """Return the record of a call, or None."""
        found = await self._read([tables.calls.c.call_sid == call_sid], 1)
        return found[0] if found else None

    async def stored(self, call_sids: Collection[str]) -> set[str]:
        """Return which of these calls have a record."""
        calls = tables.calls.c
        query = select(calls.call_sid).where(calls.call_sid.in_(call_sids))
        async with self.engine.connect() as connection:
            return set((await connection.execute(query)).scalars())

    async def delete(self, call_sid: str) -> bool:
        """Delete a call with all its parts and its deliveries, sent or not.

        Return False if it is unknown.
        """
        calls, left = tables.calls, tables.deliveries
        async with self.engine.begin() as connection:
            await connection.run_sync(self._index.drop, call_sid)
            await connection.execute(delete(left).where(left.c.call_sid == call_sid))
            gone = await connection.execute(delete(calls).where(calls.c.call_sid == call_sid))
            return bool(gone.rowcount)

    async def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
    ) -> Sequence[CallRecord]:
        """Return records, newest call first. To search, use `search.CallSearch`.

        `before` is the call SID of the last record of the previous page.
        """
        calls = tables.calls.c
        wanted: list[ColumnElement[bool]] = []
        if before is not None:
            last = select(calls.arrived_at, calls.call_sid).where(calls.call_sid == before)
            wanted.append(tuple_(calls.arrived_at, calls.call_sid) < last.scalar_subquery())
        return await self._read(wanted, limit)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    def _upsert(self, call: dict[str, Any]) -> Any:
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(tables.calls).values(call)
        return statement.on_conflict_do_update(index_elements=["call_sid"], set_=call)

    async def _read(
        self, wanted: Sequence[ColumnElement[bool]], limit: int
    ) -> Sequence[CallRecord]:
        calls = tables.calls.c
        query = (
            select(tables.calls)
            .where(*wanted)
            .order_by(calls.arrived_at.desc(), calls.call_sid.desc())
            .limit(limit)
        )
        async with self.engine.connect() as connection:
            found = [_plain(row) for row in (await connection.execute(query)).mappings()]
            by_sid = {call["call_sid"]: call for call in found}
            for field, table in _PARTS.items():
                await _add_parts(connection, by_sid, field, table)
        for call in found:
            call["tokens"] = {name: call.pop(name) for name in COUNTS}
        return [msgspec.convert(call, CallRecord) for call in found]


async def _add_parts(
    connection: AsyncConnection, by_sid: dict[str, dict[str, Any]], field: str, table: Table
) -> None:
    for call in by_sid.values():
        call[field] = []
    query = select(table).where(table.c.call_sid.in_(by_sid)).order_by(table.c.position)
    for row in (await connection.execute(query)).mappings():
        by_sid[row["call_sid"]][field].append(_plain(row))


def _plain(row: RowMapping) -> dict[str, Any]:
    # SQLAlchemy's names are a subclass of str, which msgspec does not accept.
    return {str(name): value for name, value in row.items()}


def _row(value: msgspec.Struct, columns: Sequence[str]) -> dict[str, Any]:
    return {name: _storable(getattr(value, name)) for name in columns}


def _storable(value: Any) -> Any:
    """Return `value` as both databases can store it: without NUL and unpaired surrogates."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
