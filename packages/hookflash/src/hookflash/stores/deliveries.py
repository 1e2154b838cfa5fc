"""Deliveries in a database, and the leases of the workers that send them.

    free --claim()--> leased --finish(), release(), or its expiry--> free

A lease ends after a limited time, so that another worker takes over the deliveries of a dead
process. Every change goes through `core.delivery_retries` in one transaction. Two parts of a
delivery that arrive at once are joined. A part that arrives during an attempt makes a new revision,
and the attempt for the old one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Row,
    Table,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hookflash.core.call_events import TrackedEvent
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import DeliveryState, TrackedDelivery, join, revive, take
from hookflash.stores.tables import call_events, deliveries

_FREE = {"lease": "", "leased_until": 0.0}
_FORMER_STATE = "kept"
"""What `unroutable` was called: a process of an older version still writes it until it is stopped.
"""


class DeliveryStore:
    """Deliveries by their id. `engine` is from `open_database`, and is not closed here."""

    _table: Table = deliveries
    _type: type[TrackedDelivery] = TrackedDelivery

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._row = self._table.c

    async def put(self, delivery: Delivery, now: float) -> TrackedDelivery:
        """Store a delivery, or more parts of one; return the stored delivery. Idempotent."""
        delivery = _storable(delivery)
        first = take(delivery, now)
        async with self._engine.begin() as connection:
            if await self._insert(connection, first):
                return first
            return await self._change(
                connection, delivery.id, lambda stored: join(stored, delivery, now)
            )

    async def claim(
        self, now: float, *, lease: str, seconds: float, limit: int
    ) -> Sequence[TrackedDelivery]:
        """Return due deliveries, the earliest first, leased for `seconds`.

        `lease` names this claim only.
        """
        due = (
            select(self._row.delivery_id)
            .where(
                self._row.state == "waiting", self._row.due_at <= now, self._row.leased_until <= now
            )
            .order_by(self._row.due_at)
            .limit(limit)
            # Workers that claim at once get different deliveries without waiting. (SQLite has
            # one writer at a time anyway.)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(self._table)
            .where(self._row.delivery_id.in_(due))
            .values(lease=lease, leased_until=now + seconds)
            .returning(self._row.tracked)
        )
        async with self._engine.begin() as connection:
            found = [self._read(row) for row in await connection.execute(claimed)]
        return sorted(found, key=lambda stored: stored.due_at)

    async def finish(self, stored: TrackedDelivery, lease: str) -> bool:
        """Store the outcome of an attempt and end its lease.

        Return False if the lease has expired or the delivery has changed meanwhile: the outcome is
        then discarded, and another attempt follows.
        """
        mine = update(self._table).where(
            self._row.delivery_id == stored.delivery.id, self._row.lease == lease
        )
        same = mine.where(self._row.revision == stored.revision)
        async with self._engine.begin() as connection:
            written = await connection.execute(same.values(_columns(stored) | _FREE))
            if written.rowcount == 0:
                await connection.execute(mine.values(_FREE))
        return written.rowcount == 1

    async def release(self, lease: str) -> None:
        """End a lease: its remaining deliveries can be claimed again."""
        ended = update(self._table).where(self._row.lease == lease)
        async with self._engine.begin() as connection:
            await connection.execute(ended.values(_FREE))

    async def next_due(self) -> float | None:
        """Return when the next delivery can be claimed; None if none is waiting."""
        free = case(
            (self._row.leased_until > self._row.due_at, self._row.leased_until),
            else_=self._row.due_at,
        )
        query = select(func.min(free)).where(self._row.state == "waiting")
        async with self._engine.connect() as connection:
            due: float | None = (await connection.execute(query)).scalar()
        return due

    async def revive(
        self, now: float, *, state: DeliveryState | None = None, delivery_id: str | None = None
    ) -> int:
        """Retry deliveries that are dead or unroutable. Return their number."""
        wanted: list[Any] = [
            self._in_state("dead") | self._in_state("unroutable")
            if state is None
            else self._in_state(state)
        ]
        if delivery_id is not None:
            wanted.append(self._row.delivery_id == delivery_id)
        # A write, so that SQLite's write lock is taken from the start.
        found = update(self._table).where(*wanted).values(revision=self._row.revision)
        async with self._engine.begin() as connection:
            ids = list((await connection.execute(found.returning(self._row.delivery_id))).scalars())
            for each in ids:
                await self._change(connection, each, lambda stored: revive(stored, now))
        return len(ids)

    async def forget_before(self, moment: float) -> int:
        """Delete deliveries created before `moment` that are not waiting. Return their number."""
        old = delete(self._table).where(self._row.created_at < moment, self._row.state != "waiting")
        async with self._engine.begin() as connection:
            return int((await connection.execute(old)).rowcount)

    async def get(self, delivery_id: str) -> TrackedDelivery | None:
        """Return a delivery by its id, or None."""
        query = select(self._row.tracked).where(self._row.delivery_id == delivery_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else self._read(row)

    async def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
        state: DeliveryState | None = None,
        call_sid: str | None = None,
    ) -> Sequence[TrackedDelivery]:
        """Return deliveries, newest first; `before` is the id of the last one of the previous
        page."""
        wanted: list[Any] = []
        if state is not None:
            wanted.append(self._in_state(state))
        if call_sid is not None:
            wanted.append(self._row.call_sid == call_sid)
        if before is not None:
            last = select(self._row.created_at, self._row.delivery_id).where(
                self._row.delivery_id == before
            )
            wanted.append(
                tuple_(self._row.created_at, self._row.delivery_id) < last.scalar_subquery()
            )
        query = (
            select(self._row.tracked)
            .where(*wanted)
            .order_by(self._row.created_at.desc(), self._row.delivery_id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [self._read(row) for row in await connection.execute(query)]

    async def counts(self) -> dict[str, int]:
        """Return the number of deliveries by state."""
        query = select(self._row.state, func.count()).group_by(self._row.state)
        async with self._engine.connect() as connection:
            counted = {str(state): number for state, number in await connection.execute(query)}
        if former := counted.pop(_FORMER_STATE, 0):
            counted["unroutable"] = counted.get("unroutable", 0) + former
        return counted

    # --- rows ---------------------------------------------------------------------------------

    async def _insert(self, connection: AsyncConnection, stored: TrackedDelivery) -> bool:
        """Insert a row if the id is new. As a write, it also takes SQLite's write lock."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row = {
            "delivery_id": stored.delivery.id,
            "call_sid": stored.delivery.call_sid,
            "created_at": stored.delivery.created_at,
        }
        values = row | _columns(stored) | _FREE
        statement = dialect.insert(self._table).values(values).on_conflict_do_nothing()
        result: CursorResult[Any] = await connection.execute(statement)
        return result.rowcount == 1

    async def _change(
        self,
        connection: AsyncConnection,
        delivery_id: str,
        change: Callable[[TrackedDelivery], TrackedDelivery],
    ) -> TrackedDelivery:
        query = (
            select(self._row.tracked).where(self._row.delivery_id == delivery_id).with_for_update()
        )
        stored = self._read((await connection.execute(query)).one())
        changed = change(stored)
        if changed is not stored:
            row = update(self._table).where(self._row.delivery_id == delivery_id)
            await connection.execute(row.values(_columns(changed)))
        return changed

    def _in_state(self, state: DeliveryState) -> ColumnElement[bool]:
        """Return the condition that a delivery has this state, also by its former name."""
        names = (state, _FORMER_STATE) if state == "unroutable" else (state,)
        return self._row.state.in_(names)

    def _read(self, row: Row[Any]) -> TrackedDelivery:
        # Quotes within JSON text are escaped, so nothing that was said can match.
        text = row.tracked.replace(f'"state":"{_FORMER_STATE}"', '"state":"unroutable"')
        return msgspec.json.decode(text, type=self._type)


class EventStore(DeliveryStore):
    """Events of calls by their id, as `CallEvent`s."""

    _table = call_events
    _type = TrackedEvent


def _columns(stored: TrackedDelivery) -> dict[str, Any]:
    return {
        "state": stored.state,
        "revision": stored.revision,
        "due_at": stored.due_at,
        "tracked": msgspec.json.encode(stored).decode(),
    }


def _storable(delivery: Delivery) -> Delivery:
    """Return a delivery that both databases can store: without unpaired surrogates."""
    changed = {
        name: value.encode("utf-8", "replace").decode()
        for name in delivery.__struct_fields__
        if isinstance(value := getattr(delivery, name), str) and not value.isascii()
    }
    return msgspec.structs.replace(delivery, **changed)
