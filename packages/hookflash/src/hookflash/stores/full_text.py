"""The full-text index of calls: FTS5 in SQLite, a text search vector in PostgreSQL.

SQLAlchemy's tables support neither, so the statements are written out here, and only here. A call
matches if all words were said in it; a word may be the beginning of one.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Protocol

from sqlalchemy import Connection, TextClause, text

_WORD = re.compile(r"[^\W_]+")
MAX_WORDS = 12


class FullTextIndex(Protocol):
    """The index of one kind of database. All statements run in the caller's transaction."""

    def put(self, connection: Connection, call_sid: str, said: str) -> None:
        """Index what was said in a call; replaces its earlier entry."""

    def drop(self, connection: Connection, call_sid: str) -> None:
        """Remove a call."""

    def said(self, words: list[str]) -> TextClause:
        """Return a query for the SIDs of the calls in which all the words were said."""


def words_in(typed: str) -> list[str]:
    """Return the words of a search text, as the index has them."""
    return _WORD.findall(typed.lower())[:MAX_WORDS]


def indexed(said: str) -> str:
    """Return only the words of a text, so that both kinds of index agree on what a word is."""
    return " ".join(_WORD.findall(said.lower()))


def full_text_index(dialect: str) -> FullTextIndex:
    return _Vectors() if dialect == "postgresql" else _Fts5()


class _Fts5:
    """SQLite. Rows are found by a number derived from the SID: only that lookup is fast."""

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
    """PostgreSQL. Words are indexed unchanged, independent of a language."""

    def put(self, connection: Connection, call_sid: str, said: str) -> None:
        # A vector holds at most 1 MB, about one day of speech.
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
