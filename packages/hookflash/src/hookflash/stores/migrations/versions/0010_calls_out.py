"""Calls that the line has placed: the direction, and who answered when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    direction = sa.Column("direction", sa.String(16), nullable=False, server_default="inbound")
    op.add_column("calls", direction)
    answered_by = sa.Column("answered_by", sa.String(16), nullable=False, server_default="")
    op.add_column("calls", answered_by)
    op.add_column("calls", sa.Column("answered_after", sa.Double, nullable=True))
