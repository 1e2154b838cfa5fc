"""One spelling of the outcome `cancelled`, and a delivery that no outlet wants is `unroutable`."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for table in ("handoffs", "calls"):
        op.execute(f"UPDATE {table} SET outcome = 'cancelled' WHERE outcome = 'canceled'")
    connection = op.get_bind()
    query = "SELECT delivery_id, kept FROM deliveries WHERE state = 'kept'"
    change = sa.text(
        "UPDATE deliveries SET state = 'unroutable', kept = :tracked WHERE delivery_id = :id"
    )
    for delivery_id, tracked in connection.execute(sa.text(query)).all():
        # The state is in the document as well.
        document = json.loads(tracked) | {"state": "unroutable"}
        connection.execute(change, {"id": delivery_id, "tracked": json.dumps(document)})
