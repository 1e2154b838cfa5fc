"""Deliveries in a database, and who is at work on which.

    free --claim()--> leased --finish(), release(), or its time is up--> free

A lease is for a bounded time, so that what a process that died was at work on is taken up by
another. What is written goes through `core.delivery_tracking`, in one transaction each: two parts
of a delivery that come at once are joined, and a part that comes during an attempt makes that
attempt one of an older revision, which changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import CursorResult, Row, case, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_tracking import State, TrackedDelivery, join, revive, take
from hookflash.stores.tables import deliveries

_row = deliveries.c
_FREE = {"lease": "", "leased_until": 0.0}


class DeliveryStore:
    """Deliveries by their id. `engine` is that of `open_database`, and is not closed here."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, delivery: Delivery, now: float) -> TrackedDelivery:
        """Keep a delivery, or what more is known of it; return what is kept. Putting the same
        twice changes nothing."""
        delivery = _storable(delivery)
        first = take(delivery, now)
        async with self._engine.begin() as connection:
            if await self._insert(connection, first):
                return first
            return await self._change(
                connection, delivery.id, lambda kept: join(kept, delivery, now)
            )

    async def claim(
        self, now: float, *, lease: str, seconds: float, limit: int
    ) -> Sequence[TrackedDelivery]:
        """Return deliveries that are due, the one due first at the head, leased for `seconds`.

        `lease` names this claim and no other.
        """
        due = (
            select(_row.delivery_id)
            .where(_row.state == "waiting", _row.due_at <= now, _row.leased_until <= now)
            .order_by(_row.due_at)
            .limit(limit)
            # Several workers ask at once: each gets others, and none waits. (SQLite has one
            # writer at a time anyway.)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(deliveries)
            .where(_row.delivery_id.in_(due))
            .values(lease=lease, leased_until=now + seconds)
            .returning(_row.kept)
        )
        async with self._engine.begin() as connection:
            found = [_read(row) for row in await connection.execute(claimed)]
        return sorted(found, key=lambda kept: kept.due_at)

    async def finish(self, kept: TrackedDelivery, lease: str) -> bool:
        """Keep what came of an attempt and end its lease.

        Return False if the lease was over, or the delivery has changed meanwhile: then nothing
        is kept of the attempt, and another follows.
        """
        mine = update(deliveries).where(_row.delivery_id == kept.delivery.id, _row.lease == lease)
        same = mine.where(_row.revision == kept.revision)
        async with self._engine.begin() as connection:
            written = await connection.execute(same.values(_columns(kept) | _FREE))
            if written.rowcount == 0:
                await connection.execute(mine.values(_FREE))
        return written.rowcount == 1

    async def release(self, lease: str) -> None:
        """End a lease: what is left of it is free for everybody again."""
        ended = update(deliveries).where(_row.lease == lease)
        async with self._engine.begin() as connection:
            await connection.execute(ended.values(_FREE))

    async def next_due(self) -> float | None:
        """Return when the next delivery can be claimed; None when none waits."""
        free = case((_row.leased_until > _row.due_at, _row.leased_until), else_=_row.due_at)
        query = select(func.min(free)).where(_row.state == "waiting")
        async with self._engine.connect() as connection:
            due: float | None = (await connection.execute(query)).scalar()
        return due

    async def revive(
        self, now: float, *, state: State | None = None, delivery_id: str | None = None
    ) -> int:
        """Try again what is dead or was kept because nobody wanted it; return how many."""
        wanted: list[Any] = [_row.state.in_(("dead", "kept") if state is None else (state,))]
        if delivery_id is not None:
            wanted.append(_row.delivery_id == delivery_id)
        # Written, and not only read, so that SQLite's lock for writing is ours from the start.
        found = update(deliveries).where(*wanted).values(revision=_row.revision)
        async with self._engine.begin() as connection:
            ids = list((await connection.execute(found.returning(_row.delivery_id))).scalars())
            for each in ids:
                await self._change(connection, each, lambda kept: revive(kept, now))
        return len(ids)

    async def forget_before(self, moment: float) -> int:
        """Delete what was left before `moment` and waits for nothing; return how many it were."""
        old = delete(deliveries).where(_row.created_at < moment, _row.state != "waiting")
        async with self._engine.begin() as connection:
            return int((await connection.execute(old)).rowcount)

    async def get(self, delivery_id: str) -> TrackedDelivery | None:
        """Return a delivery by its id, or None."""
        query = select(_row.kept).where(_row.delivery_id == delivery_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _read(row)

    async def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
        state: State | None = None,
        call_sid: str | None = None,
    ) -> Sequence[TrackedDelivery]:
        """Return deliveries, the newest first; `before` is the id of the last one of a page."""
        wanted: list[Any] = []
        if state is not None:
            wanted.append(_row.state == state)
        if call_sid is not None:
            wanted.append(_row.call_sid == call_sid)
        if before is not None:
            last = select(_row.created_at, _row.delivery_id).where(_row.delivery_id == before)
            wanted.append(tuple_(_row.created_at, _row.delivery_id) < last.scalar_subquery())
        query = (
            select(_row.kept)
            .where(*wanted)
            .order_by(_row.created_at.desc(), _row.delivery_id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [_read(row) for row in await connection.execute(query)]

    async def counts(self) -> dict[str, int]:
        """Return how many deliveries are in each state that has any."""
        query = select(_row.state, func.count()).group_by(_row.state)
        async with self._engine.connect() as connection:
            return {str(state): number for state, number in await connection.execute(query)}

    # --- rows ---------------------------------------------------------------------------------

    async def _insert(self, connection: AsyncConnection, kept: TrackedDelivery) -> bool:
        """Write a row if there is none of this id yet. It also takes SQLite's lock for writing,
        before anything is read."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row = {
            "delivery_id": kept.delivery.id,
            "call_sid": kept.delivery.call_sid,
            "created_at": kept.delivery.created_at,
        }
        values = row | _columns(kept) | _FREE
        statement = dialect.insert(deliveries).values(values).on_conflict_do_nothing()
        result: CursorResult[Any] = await connection.execute(statement)
        return result.rowcount == 1

    async def _change(
        self,
        connection: AsyncConnection,
        delivery_id: str,
        change: Callable[[TrackedDelivery], TrackedDelivery],
    ) -> TrackedDelivery:
        query = select(_row.kept).where(_row.delivery_id == delivery_id).with_for_update()
        kept = _read((await connection.execute(query)).one())
        changed = change(kept)
        if changed is not kept:
            row = update(deliveries).where(_row.delivery_id == delivery_id)
            await connection.execute(row.values(_columns(changed)))
        return changed


def _columns(kept: TrackedDelivery) -> dict[str, Any]:
    return {
        "state": kept.state,
        "revision": kept.revision,
        "due_at": kept.due_at,
        "kept": msgspec.json.encode(kept).decode(),
    }


def _read(row: Row[Any]) -> TrackedDelivery:
    return msgspec.json.decode(row.kept, type=TrackedDelivery)


def _storable(delivery: Delivery) -> Delivery:
    """Return a delivery whose texts both databases can keep: half a surrogate pair is no text."""
    changed = {
        name: value.encode("utf-8", "replace").decode()
        for name in delivery.__struct_fields__
        if isinstance(value := getattr(delivery, name), str) and not value.isascii()
    }
    return msgspec.structs.replace(delivery, **changed)
