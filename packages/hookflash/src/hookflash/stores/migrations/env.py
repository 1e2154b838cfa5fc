"""Alembic runs this file: it carries out the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context

from hookflash.stores.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
)
# The caller owns the transaction: all steps are made, or none.
context.run_migrations()
