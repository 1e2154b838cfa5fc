"""Forgetting calls: what remains of one is a stone without a name.

The stone has the call's agent, disposition and times, and how its hand-offs went, so that figures
over time stay true; no number, no word, no SID that a carrier knows. Whatever else is kept of the
call in the database is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.stores import tables
from hookflash.stores.tables import STONE
from hookflash.stores.words import words_of
from hookflash.world import SYSTEM

_WORDS = ("reason", "note")
"""What is said of a hand-off in somebody's words."""

_NAMELESS = {"caller": "", "called": "", "digits": "", "summary": "", "recorded_from": None}


async def erase_record(
    engine: AsyncEngine,
    call_sid: str,
    *,
    entropy: Random = SYSTEM.entropy("tombstones"),
) -> bool:
    """Put a stone in the place of a call. Return False if the call was not known."""
    calls = tables.calls
    words = words_of(engine.dialect.name)
    async with engine.begin() as connection:
        # Written first, so that who writes the call at the same time comes before or after.
        mine = calls.c.call_sid == call_sid
        await connection.execute(update(calls).where(mine).values(caller=""))
        row = (await connection.execute(select(calls).where(mine))).mappings().first()
        deliveries = tables.deliveries
        await connection.execute(delete(deliveries).where(deliveries.c.call_sid == call_sid))
        if row is None or call_sid.startswith(STONE):
            return False
        stone = STONE + entropy.randbytes(16).hex()
        await connection.execute(insert(calls).values(dict(row) | _NAMELESS | {"call_sid": stone}))
        handoffs = tables.handoffs
        await connection.execute(
            update(handoffs)
            .where(handoffs.c.call_sid == call_sid)
            .values({"call_sid": stone} | {name: "" for name in _WORDS if name in handoffs.c})
        )
        await connection.run_sync(words.drop, call_sid)
        # What else belongs to the call goes with it.
        await connection.execute(delete(calls).where(mine))
        return True


async def calls_before(engine: AsyncEngine, moment: float, *, limit: int) -> Sequence[str]:
    """Return the SIDs of calls that arrived before `moment` and are not erased, the oldest
    first."""
    calls = tables.calls.c
    query = (
        select(calls.call_sid)
        .where(calls.arrived_at < moment, calls.call_sid.not_like(f"{STONE}%"))
        .order_by(calls.arrived_at)
        .limit(limit)
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def set_summary(engine: AsyncEngine, call_sid: str, summary: str) -> bool:
    """Keep what a call was about. Return False if it is not there, or not any more."""
    calls = tables.calls
    text = summary.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    async with engine.begin() as connection:
        changed = await connection.execute(
            update(calls).where(calls.c.call_sid == call_sid).values(summary=text)
        )
        return bool(changed.rowcount)
