"""Erase calls: only a tombstone without the number remains.

The tombstone has the call's agent, disposition and times, and the outcomes of its hand-offs, so
that figures over time stay correct. It has no number, no words, and no SID that a carrier knows.
All other data of the call in the database is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.stores import tables
from hookflash.stores.full_text import full_text_index
from hookflash.stores.tables import TOMBSTONE_PREFIX
from hookflash.world import SYSTEM

_WORDS = ("reason", "note")
"""Columns with free text about a hand-off."""

_WITHOUT_NUMBERS = {"caller": "", "called": "", "digits": "", "summary": "", "recorded_from": None}


async def erase_record(
    engine: AsyncEngine,
    call_sid: str,
    *,
    entropy: Random = SYSTEM.entropy("tombstones"),
) -> bool:
    """Replace a call with a tombstone. Return False if the call is unknown."""
    calls = tables.calls
    words = full_text_index(engine.dialect.name)
    async with engine.begin() as connection:
        # A write first, to lock the row against a writer of the same call.
        mine = calls.c.call_sid == call_sid
        await connection.execute(update(calls).where(mine).values(caller=""))
        row = (await connection.execute(select(calls).where(mine))).mappings().first()
        for table in (tables.deliveries, tables.call_events):
            await connection.execute(delete(table).where(table.c.call_sid == call_sid))
        if row is None or call_sid.startswith(TOMBSTONE_PREFIX):
            return False
        tombstone = TOMBSTONE_PREFIX + entropy.randbytes(16).hex()
        await connection.execute(
            insert(calls).values(dict(row) | _WITHOUT_NUMBERS | {"call_sid": tombstone})
        )
        handoffs = tables.handoffs
        await connection.execute(
            update(handoffs)
            .where(handoffs.c.call_sid == call_sid)
            .values({"call_sid": tombstone} | {name: "" for name in _WORDS if name in handoffs.c})
        )
        await connection.run_sync(words.drop, call_sid)
        # Deletes all other rows of the call by cascade.
        await connection.execute(delete(calls).where(mine))
        return True


async def calls_before(engine: AsyncEngine, moment: float, *, limit: int) -> Sequence[str]:
    """Return the SIDs of calls that arrived before `moment` and are not erased, oldest first."""
    calls = tables.calls.c
    query = (
        select(calls.call_sid)
        .where(calls.arrived_at < moment, calls.call_sid.not_like(f"{TOMBSTONE_PREFIX}%"))
        .order_by(calls.arrived_at)
        .limit(limit)
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def set_summary(engine: AsyncEngine, call_sid: str, summary: str) -> bool:
    """Store a call's summary. Return False if the call is not in the database."""
    calls = tables.calls
    text = summary.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    async with engine.begin() as connection:
        changed = await connection.execute(
            update(calls).where(calls.c.call_sid == call_sid).values(summary=text)
        )
        return bool(changed.rowcount)
