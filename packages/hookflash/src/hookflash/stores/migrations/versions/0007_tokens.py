"""What each call has taken of its models, in tokens of each kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Tokens of earlier calls were not counted.
    for name in (
        "text_read",
        "text_cached",
        "sound_read",
        "sound_cached",
        "text_written",
        "sound_written",
    ):
        op.add_column("calls", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
