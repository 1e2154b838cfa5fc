"""Search ended calls: by words, by the end of the number, by disposition and more.

Only the rows of calls are read, one page at a time. All criteria are in indexed columns
(`derived.py`) or in the full-text index, so a search stays fast with very many calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.core.token_usage import COUNTS, Tokens
from hookflash.stores import tables
from hookflash.stores.derived import last_digits
from hookflash.stores.full_text import full_text_index, words_in
from hookflash.stores.tables import TOMBSTONE_PREFIX

_EXCERPT_CHARACTERS = 200


class CallQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The criteria of a search; empty ones are ignored.

    `text`: all its words were said. `digits`: the caller's number ends with them. `since` and
    `until` are seconds since 1970; `before` is the SID of the last call of the previous page.
    """

    text: str = ""
    digits: str = ""
    disposition: str = ""
    destination: str = ""
    outcome: str = ""
    agent: str = ""
    since: float | None = None
    until: float | None = None
    before: str = ""
    limit: int = 50


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An ended call without its parts. `excerpt` contains one of the searched words."""

    call_sid: str
    agent: str
    caller: str
    called: str
    disposition: str
    arrived_at: float
    seconds: float
    barge_ins: int
    destination: str
    outcome: str
    seconds_to_human: float | None
    answer_seconds: float | None
    caller_seconds: float
    agent_seconds: float
    direction: str = "inbound"
    answered_by: str = ""
    tokens: Tokens = Tokens()
    excerpt: str = ""


_COLUMNS = tuple(name for name in Found.__struct_fields__ if name not in ("tokens", "excerpt"))


class CallSearch:
    """Searches calls in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._index = full_text_index(engine.dialect.name)

    async def find(self, wanted: CallQuery) -> Sequence[Found]:
        """Return matching calls, newest first, at most `limit`."""
        words = words_in(wanted.text)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(self._query(wanted, words))).all()
            found = [_found(row) for row in rows]
            if not words or not found:
                return found
            said = await connection.execute(_lines(words, [each.call_sid for each in found]))
            excerpts: dict[str, str] = {}
            for call_sid, text in said:
                excerpts.setdefault(call_sid, text[:_EXCERPT_CHARACTERS])
        return [
            msgspec.structs.replace(each, excerpt=excerpts.get(each.call_sid, "")) for each in found
        ]

    async def one(self, call_sid: str) -> Found | None:
        """Return one call, or None."""
        query = _all_calls().where(tables.calls.c.call_sid == call_sid)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return _found(row) if row is not None else None

    def _query(self, wanted: CallQuery, words: list[str]) -> Any:
        calls = tables.calls.c
        # A tombstone counts in the figures and is not a search result.
        where: list[ColumnElement[bool]] = [calls.call_sid.not_like(f"{TOMBSTONE_PREFIX}%")]
        if wanted.before:
            last = select(calls.arrived_at, calls.call_sid).where(calls.call_sid == wanted.before)
            where.append(tuple_(calls.arrived_at, calls.call_sid) < last.scalar_subquery())
        if wanted.since is not None:
            where.append(calls.arrived_at >= wanted.since)
        if wanted.until is not None:
            where.append(calls.arrived_at < wanted.until)
        for column, value in (
            (calls.disposition, wanted.disposition),
            (calls.destination, wanted.destination),
            (calls.outcome, wanted.outcome),
            (calls.agent, wanted.agent),
        ):
            if value:
                where.append(column == value)
        if digits := last_digits(wanted.digits):
            # A range, because LIKE does not always use the index. ":" follows "9".
            where += [calls.digits >= digits, calls.digits < digits + ":"]
        if words:
            said = self._index.said(words).columns(tables.calls.c.call_sid).subquery("said")
            where.append(calls.call_sid.in_(select(said.c.call_sid)))
        newest = (calls.arrived_at.desc(), calls.call_sid.desc())
        return _all_calls().where(*where).order_by(*newest).limit(wanted.limit)


def _all_calls() -> Any:
    return select(*(tables.calls.c[name] for name in (*_COLUMNS, *COUNTS)))


def _found(row: Row[Any]) -> Found:
    about = dict(zip((*_COLUMNS, *COUNTS), row, strict=True))
    tokens = Tokens(**{name: about.pop(name) for name in COUNTS})
    return Found(**about, tokens=tokens)


def _lines(words: Sequence[str], call_sids: Sequence[str]) -> Any:
    """Return the query for the lines of these calls that contain one of the words."""
    said = tables.utterances.c
    heard = or_(*(said.text.icontains(word, autoescape=True) for word in words))
    return (
        select(said.call_sid, said.text)
        .where(said.call_sid.in_(call_sids), heard)
        .order_by(said.call_sid, said.position)
    )
