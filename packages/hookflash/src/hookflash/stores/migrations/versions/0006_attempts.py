"""Which target each attempt to reach a human was for, in which manner, and what they said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # All records from before these columns moved the caller's leg at once.
    for column in (
        sa.Column("manner", sa.String(16), nullable=False, server_default="cold"),
        sa.Column("target", sa.Integer, nullable=True),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
    ):
        op.add_column("handoffs", column)
