"""When each site was last found current, and which version of its pointer that was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from techdocs_server.adapters.records.column_types import UTCDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, both empty, so that a server of the version before goes on working beside this one."""
    op.add_column("sites", sa.Column("check_time", UTCDateTime))
    op.add_column("sites", sa.Column("checked_version", sa.BigInteger))
