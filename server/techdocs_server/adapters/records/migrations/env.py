"""What Alembic runs to migrate. Uses the connection, and the transaction, of the upgrade."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
