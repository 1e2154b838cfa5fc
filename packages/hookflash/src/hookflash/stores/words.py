"""The words of each call, in an index of the database's own kind: FTS5 or a text search vector.

Neither kind is known to SQLAlchemy's tables, so the statements are written out here, and nowhere
else. A call is found when all the words were said in it; a word may be the beginning of one.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Protocol

from sqlalchemy import Connection, TextClause, text

_WORD = re.compile(r"[^\W_]+")
MOST_WORDS = 12


class Words(Protocol):
    """The index of one kind of database; all statements run within the caller's transaction."""

    def put(self, connection: Connection, call_sid: str, said: str) -> None:
        """Keep what was said in a call, in place of what was kept of it before."""

    def drop(self, connection: Connection, call_sid: str) -> None:
        """Forget a call."""

    def said(self, words: list[str]) -> TextClause:
        """Return a query for the SIDs of the calls in which all the words were said."""


def words_in(typed: str) -> list[str]:
    """Return the words that somebody has typed, as the index has them."""
    return _WORD.findall(typed.lower())[:MOST_WORDS]


def indexed(said: str) -> str:
    """Return what was said as words alone: the two kinds of index then agree on what a word is."""
    return " ".join(_WORD.findall(said.lower()))


def words_of(dialect: str) -> Words:
    return _Vectors() if dialect == "postgresql" else _Fts5()


class _Fts5:
    """SQLite. Rows are found by a number made of the SID, since only that is quick to find."""

    def put(self, connection: Connection, call_sid: str, said: str) -> None:
        connection.execute(
            text(
                "INSERT OR REPLACE INTO call_words (rowid, call_sid, words)"
                " VALUES (:row, :sid, :said)"
            ),
            {"row": _row(call_sid), "sid": call_sid, "said": indexed(said)},
        )

    def drop(self, connection: Connection, call_sid: str) -> None:
        connection.execute(
            text("DELETE FROM call_words WHERE rowid = :row"), {"row": _row(call_sid)}
        )

    def said(self, words: list[str]) -> TextClause:
        wanted = " ".join(f'"{word}"*' for word in words)
        return text(
            "SELECT call_sid FROM call_words WHERE call_words MATCH :wanted_words"
        ).bindparams(wanted_words=wanted)


class _Vectors:
    """PostgreSQL. Words are taken as they are, in no particular language."""

    def put(self, connection: Connection, call_sid: str, said: str) -> None:
        # A vector takes a megabyte at most, and that is a call of a day.
        values: dict[str, Any] = {"sid": call_sid, "said": indexed(said)[:500_000]}
        connection.execute(
            text(
                "INSERT INTO call_words (call_sid, words)"
                " VALUES (:sid, to_tsvector('simple', :said)) ON CONFLICT (call_sid)"
                " DO UPDATE SET words = EXCLUDED.words"
            ),
            values,
        )

    def drop(self, connection: Connection, call_sid: str) -> None:
        connection.execute(text("DELETE FROM call_words WHERE call_sid = :sid"), {"sid": call_sid})

    def said(self, words: list[str]) -> TextClause:
        wanted = " & ".join(f"'{word}':*" for word in words)
        return text(
            "SELECT call_sid FROM call_words WHERE words @@ to_tsquery('simple', :wanted_words)"
        ).bindparams(wanted_words=wanted)


def _row(call_sid: str) -> int:
    return int.from_bytes(blake2b(call_sid.encode(), digest_size=8).digest(), signed=True)
