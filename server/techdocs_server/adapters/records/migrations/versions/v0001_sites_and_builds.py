"""Sites with their revisions, builds with their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from techdocs_server.adapters.records.column_types import UTCDateTime, name_type

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_sites()
    _make_revisions()
    _make_builds()
    _make_events()


def _make_sites() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", name_type(63), nullable=False),
        sa.Column("kind", name_type(63), nullable=False),
        sa.Column("name", name_type(63), nullable=False),
        sa.Column("revision", name_type(64)),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("source_etag", sa.Text, nullable=False),
        sa.Column("create_time", UTCDateTime),
        sa.Column("update_time", UTCDateTime),
        sa.UniqueConstraint("namespace", "kind", "name", name="sites_entity"),
    )


def _make_revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("site_id", sa.Integer, sa.ForeignKey("sites.id", name="revisions_site"), primary_key=True),
        sa.Column("revision", name_type(64), primary_key=True),
        sa.Column("create_time", UTCDateTime, nullable=False),
        sa.Column("manifest_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_count", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("build", sa.Text, nullable=False),
        sa.Column("source_etag", sa.Text, nullable=False),
        sa.Column("site_name", sa.Text, nullable=False),
        sa.Column("site_description", sa.Text, nullable=False),
        sa.Column("is_published", sa.Boolean, nullable=False),
    )
    op.create_index("revisions_newest", "revisions", ["site_id", "create_time", "revision"])


def _make_builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", name_type(64), primary_key=True),
        sa.Column("namespace", name_type(63), nullable=False),
        sa.Column("kind", name_type(63), nullable=False),
        sa.Column("name", name_type(63), nullable=False),
        sa.Column("state", name_type(16), nullable=False),
        sa.Column("create_time", UTCDateTime, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("start_time", UTCDateTime),
        sa.Column("end_time", UTCDateTime),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("source_etag", sa.Text, nullable=False),
        sa.Column("updated", sa.Boolean, nullable=False),
        sa.Column("problem", sa.JSON(none_as_null=True)),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("trigger", name_type(16), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("isolation", sa.Text, nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("pages", sa.JSON(none_as_null=True)),
        sa.Column("full_build_reason", sa.Text, nullable=False),
        sa.Column("phases", sa.JSON, nullable=False),
        sa.Column("phase_time", UTCDateTime),
        sa.UniqueConstraint("request_id", name="builds_request"),
    )
    active = sa.text("state NOT IN ('succeeded', 'failed', 'cancelled')")
    op.create_index(
        "builds_one_active",
        "builds",
        ["namespace", "kind", "name"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    op.create_index("builds_newest", "builds", ["create_time", "id"])
    op.create_index("builds_newest_of_entity", "builds", ["namespace", "kind", "name", "create_time", "id"])


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("build_id", name_type(64), sa.ForeignKey("builds.id", name="events_build"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_time", UTCDateTime, nullable=False),
        sa.Column("happening", sa.JSON, nullable=False),
    )
