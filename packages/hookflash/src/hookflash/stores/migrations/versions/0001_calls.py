"""Calls, and what happened in each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("call_sid", sa.String(128), primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("called", sa.Text, nullable=False),
        sa.Column("disposition", sa.String(64), nullable=False),
        sa.Column("arrived_at", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("barge_ins", sa.Integer, nullable=False),
    )
    op.create_index("calls_by_arrival", "calls", ["arrived_at", "call_sid"])
    op.create_index("calls_by_caller", "calls", ["caller", "arrived_at"])
    op.create_index("calls_by_disposition", "calls", ["disposition", "arrived_at"])
    op.create_table(
        "utterances",
        *_of_call(),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("cut", sa.Text, nullable=False),
    )
    op.create_table(
        "handoffs",
        *_of_call(),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("seconds_to_human", sa.Double, nullable=True),
    )
    op.create_index("handoffs_by_destination", "handoffs", ["destination", "outcome"])
    op.create_table(
        "tool_uses",
        *_of_call(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )


def _of_call() -> tuple[sa.Column[str], sa.Column[int]]:
    call = sa.ForeignKey("calls.call_sid", ondelete="CASCADE")
    return (
        sa.Column("call_sid", sa.String(128), call, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    )
