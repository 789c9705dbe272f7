"""Keys that this service signs with.

A table of its own, which a server of the version before does not know and does
not miss.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from techdocs_server.adapters.records.column_types import UTCDateTime, name_type

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "signing_keys",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kid", name_type(64), nullable=False),
        sa.Column("private_key", sa.Text, nullable=False),
        sa.Column("create_time", UTCDateTime, nullable=False),
    )
