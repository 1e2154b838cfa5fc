"""What the console looks for in calls that are over, who did what there, and who signed out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"

_BATCH = 500


def upgrade() -> None:
    for column in (
        sa.Column("destination", sa.Text, nullable=False, server_default=""),
        sa.Column("outcome", sa.String(64), nullable=False, server_default=""),
        sa.Column("seconds_to_human", sa.Double, nullable=True),
        sa.Column("answer_seconds", sa.Double, nullable=True),
        sa.Column("caller_seconds", sa.Double, nullable=False, server_default="0"),
        sa.Column("agent_seconds", sa.Double, nullable=False, server_default="0"),
        sa.Column("digits", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("calls", column)
    op.create_index("calls_by_digits", "calls", ["digits"])
    op.create_index("calls_by_agent", "calls", ["agent", "arrived_at"])
    op.create_index("calls_by_destination", "calls", ["destination", "arrived_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("call_sid", sa.String(128), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
    )
    op.create_index("audit_by_call", "audit", ["call_sid", "id"])
    op.create_table(
        "ended_sessions",
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE call_words (call_sid VARCHAR(128) PRIMARY KEY"
            " REFERENCES calls (call_sid) ON DELETE CASCADE, words TSVECTOR NOT NULL)"
        )
        op.execute("CREATE INDEX call_words_words ON call_words USING gin (words)")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE call_words USING fts5"
            " (call_sid UNINDEXED, words, tokenize = 'unicode61', prefix = '2 3')"
        )
    _fill()


def _fill() -> None:
    """Give the calls that are there already what those to come will have; how long their answers
    took stays unknown."""
    from hookflash.stores.derived import last_digits
    from hookflash.stores.full_text import full_text_index

    connection = op.get_bind()
    words = full_text_index(connection.dialect.name)
    last = "(SELECT max(h.position) FROM handoffs h WHERE h.call_sid = calls.call_sid)"
    spoken = (
        "COALESCE((SELECT sum(u.ended_at - u.started_at) FROM utterances u"
        " WHERE u.call_sid = calls.call_sid AND u.speaker = '{}'), 0)"
    )
    for name in ("destination", "outcome", "seconds_to_human"):
        op.execute(
            f"UPDATE calls SET {name} = (SELECT h.{name} FROM handoffs h"
            f" WHERE h.call_sid = calls.call_sid AND h.position = {last})"
            " WHERE EXISTS (SELECT 1 FROM handoffs h WHERE h.call_sid = calls.call_sid)"
        )
    op.execute(
        f"UPDATE calls SET caller_seconds = {spoken.format('caller')},"
        f" agent_seconds = {spoken.format('agent')}"
    )
    calls = connection.execute(sa.text("SELECT call_sid, caller FROM calls")).all()
    for start in range(0, len(calls), _BATCH):
        for call_sid, caller in calls[start : start + _BATCH]:
            said = connection.execute(
                sa.text("SELECT text FROM utterances WHERE call_sid = :sid ORDER BY position"),
                {"sid": call_sid},
            ).scalars()
            words.put(connection, call_sid, "\n".join(said))
            connection.execute(
                sa.text("UPDATE calls SET digits = :digits WHERE call_sid = :sid"),
                {"digits": last_digits(caller), "sid": call_sid},
            )
