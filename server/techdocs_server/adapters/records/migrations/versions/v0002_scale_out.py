"""Attempts of builds, changes of sites, leases of blobs, publishes, pins and the grace of what was deleted.

Every new column has a default, so that a server of the version before goes on
working beside this one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from techdocs_server.adapters.records.column_types import UTCDateTime, name_type

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and tables."""
    op.add_column("builds", sa.Column("attempt", sa.Integer, nullable=False, server_default="1"))
    op.add_column("builds", sa.Column("worker", sa.Text, nullable=False, server_default=""))
    op.add_column("sites", sa.Column("saved_version", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("revisions", sa.Column("is_pinned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("revisions", sa.Column("delete_time", UTCDateTime))
    _make_changes()
    _make_blobs()
    _make_publishes()


def _make_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("change_time", UTCDateTime, nullable=False),
        sa.Column("namespace", name_type(63), nullable=False),
        sa.Column("kind", name_type(63), nullable=False),
        sa.Column("name", name_type(63), nullable=False),
        sa.Column("action", name_type(32), nullable=False),
        sa.Column("revision", name_type(64), nullable=False),
        sa.Column("previous_revision", name_type(64), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("build", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_of_entity", "changes", ["namespace", "kind", "name", "sequence"])


def _make_blobs() -> None:
    op.create_table(
        "blob_leases",
        sa.Column("namespace", name_type(63), primary_key=True),
        sa.Column("kind", name_type(63), primary_key=True),
        sa.Column("name", name_type(63), primary_key=True),
        sa.Column("sha256", name_type(64), primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("until", UTCDateTime, nullable=False),
    )
    op.create_index("blob_leases_digest", "blob_leases", ["sha256"])
    op.create_index("blob_leases_end", "blob_leases", ["until"])
    op.create_table("doomed_blobs", sa.Column("sha256", name_type(64), primary_key=True))


def _make_publishes() -> None:
    op.create_table(
        "publish_requests",
        sa.Column("request_id", name_type(64), primary_key=True),
        sa.Column("fingerprint", name_type(64), nullable=False),
        sa.Column("namespace", name_type(63), nullable=False),
        sa.Column("kind", name_type(63), nullable=False),
        sa.Column("name", name_type(63), nullable=False),
        sa.Column("revision", name_type(64), nullable=False),
        sa.Column("updated", sa.Boolean, nullable=False),
        sa.Column("create_time", UTCDateTime, nullable=False),
    )
    op.create_index("publish_requests_age", "publish_requests", ["create_time"])
