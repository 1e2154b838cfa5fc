"""Events of calls for the owner's webhook, until the owner has them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "call_events",
        sa.Column("delivery_id", sa.String(160), primary_key=True),
        sa.Column("call_sid", sa.String(128), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("lease", sa.String(64), nullable=False),
        sa.Column("leased_until", sa.Double, nullable=False),
        sa.Column("tracked", sa.Text, nullable=False),
    )
    op.create_index("call_events_by_state", "call_events", ["state", "due_at"])
    op.create_index("call_events_by_call", "call_events", ["call_sid", "created_at"])
    op.create_index("call_events_by_time", "call_events", ["created_at", "delivery_id"])
