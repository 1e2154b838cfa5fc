"""When the recording of a call began, and what the call was about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("calls", sa.Column("recorded_from", sa.Double, nullable=True))
    op.add_column("calls", sa.Column("summary", sa.Text, nullable=False, server_default=""))
