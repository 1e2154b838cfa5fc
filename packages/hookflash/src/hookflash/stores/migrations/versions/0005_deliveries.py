"""What calls leave for their owner, until the owner has it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.String(160), primary_key=True),
        sa.Column("call_sid", sa.String(128), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("lease", sa.String(64), nullable=False),
        sa.Column("leased_until", sa.Double, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
    )
    op.create_index("deliveries_by_state", "deliveries", ["state", "due_at"])
    op.create_index("deliveries_by_call", "deliveries", ["call_sid", "created_at"])
    op.create_index("deliveries_by_time", "deliveries", ["created_at", "delivery_id"])
