"""Alembic runs this file: over the connection that it was given, in its transaction."""

from alembic import context

from fleet import schema
from fleet.migrations.options import OPTIONS

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
