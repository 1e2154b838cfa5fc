"""The audit trail of the console, and sessions that ended before their expiry.

Entries are added and never changed. An action waits until its entry is on disk; if that fails, the
action is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.stores import tables

_COLUMNS = ("at", "who", "via", "action", "call_sid", "text", "peer")
_CHARACTERS = {"who": 200, "via": 16, "action": 64, "call_sid": 128, "text": 4000, "peer": 100}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An action at `at` (seconds since 1970); `id` is set when it is read."""

    at: float
    who: str
    via: str
    action: str
    call_sid: str = ""
    text: str = ""
    peer: str = ""
    id: int = 0


class AuditStore:
    """The audit trail in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, entry: Entry) -> None:
        """Add an entry. Texts are cut to the length of their column."""
        row: dict[str, object] = {"at": entry.at}
        for name, most in _CHARACTERS.items():
            value: str = getattr(entry, name)
            row[name] = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:most]
        async with self._engine.begin() as connection:
            await connection.execute(insert(tables.audit).values(row))

    async def page(
        self,
        *,
        who: str = "",
        action: str = "",
        call_sid: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Entry]:
        """Return entries, newest first. `before` is the id of the last entry of the previous
        page."""
        audit = tables.audit.c
        where: list[ColumnElement[bool]] = []
        for column, value in ((audit.who, who), (audit.action, action), (audit.call_sid, call_sid)):
            if value:
                where.append(column == value)
        if before is not None:
            where.append(audit.id < before)
        query = select(audit.id, *(audit[name] for name in _COLUMNS)).where(*where)
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.order_by(audit.id.desc()).limit(limit))
            return [Entry(**dict(zip(("id", *_COLUMNS), row, strict=True))) for row in rows]

    # --- ended sessions ---------------------------------------------------------------------------

    async def end_session(self, session_id: str, *, until: float, now: float) -> None:
        """Note that a session has ended, until its cookie expires (`until`)."""
        ended = tables.ended_sessions
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(ended).values(session_id=session_id, until=until)
        async with self._engine.begin() as connection:
            await connection.execute(delete(ended).where(ended.c.until < now))
            await connection.execute(statement.on_conflict_do_nothing())

    async def session_ended(self, session_id: str) -> bool:
        ended = tables.ended_sessions.c.session_id
        async with self._engine.connect() as connection:
            return (
                await connection.execute(select(ended).where(ended == session_id))
            ).first() is not None
