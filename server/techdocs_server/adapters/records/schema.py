"""The tables, as the code that reads and writes them sees them.

The tables themselves are made by the migrations; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from techdocs_server.adapters.records.column_types import UTCDateTime, name_type

metadata = MetaData()

sites = Table(
    "sites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", name_type(63), nullable=False),
    Column("kind", name_type(63), nullable=False),
    Column("name", name_type(63), nullable=False),
    # No revision: nothing is published, yet or any more. The row stays for its version.
    Column("revision", name_type(64)),
    Column("version", BigInteger, nullable=False),
    Column("source_etag", Text, nullable=False),
    Column("create_time", UTCDateTime),
    Column("update_time", UTCDateTime),
    # The version that the object store knows of, for the day on which this database is lost.
    Column("saved_version", BigInteger, nullable=False, server_default="0"),
    # When the site was last found to be what its source makes, and the version that was found so.
    Column("check_time", UTCDateTime),
    Column("checked_version", BigInteger),
    UniqueConstraint("namespace", "kind", "name", name="sites_entity"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("site_id", Integer, ForeignKey("sites.id", name="revisions_site"), primary_key=True),
    Column("revision", name_type(64), primary_key=True),
    Column("create_time", UTCDateTime, nullable=False),
    Column("manifest_bytes", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("build", Text, nullable=False),
    Column("source_etag", Text, nullable=False),
    Column("site_name", Text, nullable=False),
    Column("site_description", Text, nullable=False),
    # Whether a pointer ever named it. Until then readers do not see it.
    Column("is_published", Boolean, nullable=False),
    Column("is_pinned", Boolean, nullable=False, server_default=false()),
    # Nobody sees it any more, but readers who began before may need its blobs for a while.
    Column("delete_time", UTCDateTime),
    Index("revisions_newest", "site_id", "create_time", "revision"),
)

ACTIVE = text("state NOT IN ('succeeded', 'failed', 'cancelled')")

builds = Table(
    "builds",
    metadata,
    Column("id", name_type(64), primary_key=True),
    Column("namespace", name_type(63), nullable=False),
    Column("kind", name_type(63), nullable=False),
    Column("name", name_type(63), nullable=False),
    Column("state", name_type(16), nullable=False),
    Column("create_time", UTCDateTime, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("request_id", Text),
    Column("start_time", UTCDateTime),
    Column("end_time", UTCDateTime),
    Column("revision", Text, nullable=False),
    Column("source_etag", Text, nullable=False),
    Column("updated", Boolean, nullable=False),
    Column("problem", JSON(none_as_null=True)),
    Column("last_sequence", BigInteger, nullable=False),
    Column("trigger", name_type(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("isolation", Text, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("pages", JSON(none_as_null=True)),
    Column("full_build_reason", Text, nullable=False),
    Column("phases", JSON, nullable=False),
    Column("phase_time", UTCDateTime),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("worker", Text, nullable=False, server_default=""),
    UniqueConstraint("request_id", name="builds_request"),
    Index("builds_one_active", "namespace", "kind", "name", unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE),
    Index("builds_newest", "create_time", "id"),
    Index("builds_newest_of_entity", "namespace", "kind", "name", "create_time", "id"),
)

events = Table(
    "events",
    metadata,
    Column("build_id", name_type(64), ForeignKey("builds.id", name="events_build"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("event_time", UTCDateTime, nullable=False),
    Column("happening", JSON, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("change_time", UTCDateTime, nullable=False),
    Column("namespace", name_type(63), nullable=False),
    Column("kind", name_type(63), nullable=False),
    Column("name", name_type(63), nullable=False),
    Column("action", name_type(32), nullable=False),
    Column("revision", name_type(64), nullable=False),
    Column("previous_revision", name_type(64), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("build", Text, nullable=False),
    Index("changes_of_entity", "namespace", "kind", "name", "sequence"),
    sqlite_autoincrement=True,
)

blob_leases = Table(
    "blob_leases",
    metadata,
    Column("namespace", name_type(63), primary_key=True),
    Column("kind", name_type(63), primary_key=True),
    Column("name", name_type(63), primary_key=True),
    Column("sha256", name_type(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("until", UTCDateTime, nullable=False),
    Index("blob_leases_digest", "sha256"),
    Index("blob_leases_end", "until"),
)

# Blobs that a collector is about to delete. Whoever needs one waits until it is gone.
doomed_blobs = Table("doomed_blobs", metadata, Column("sha256", name_type(64), primary_key=True))

publish_requests = Table(
    "publish_requests",
    metadata,
    Column("request_id", name_type(64), primary_key=True),
    Column("fingerprint", name_type(64), nullable=False),
    Column("namespace", name_type(63), nullable=False),
    Column("kind", name_type(63), nullable=False),
    Column("name", name_type(63), nullable=False),
    Column("revision", name_type(64), nullable=False),
    Column("updated", Boolean, nullable=False),
    Column("create_time", UTCDateTime, nullable=False),
    Index("publish_requests_age", "create_time"),
)

# Private keys: whoever reads this table can sign as this service.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kid", name_type(64), nullable=False),
    Column("private_key", Text, nullable=False),
    Column("create_time", UTCDateTime, nullable=False),
)
