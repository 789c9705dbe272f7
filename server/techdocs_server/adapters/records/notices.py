"""What PostgreSQL tells other processes when a transaction is committed, and in what words."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from techdocs_server.domain.entity import EntityRef

BUILD_CHANNEL = "techdocs_builds"
"""Each notice is the id of a build that went on."""
SITE_CHANNEL = "techdocs_sites"
"""Each notice is a site that changed, ``namespace/kind/name``."""


def tell_of_build(connection: Connection, build_id: str) -> None:
    """Tell that a build has new events. SQLite has one process and nobody to tell."""
    _tell(connection, BUILD_CHANNEL, build_id)


def tell_of_site(connection: Connection, entity: EntityRef) -> None:
    """Tell that a site changed."""
    _tell(connection, SITE_CHANNEL, f"{entity.namespace}/{entity.kind}/{entity.name}")


def told_site(notice: str) -> EntityRef:
    """Return the site of a notice. Raises `ValueError` for one that is none of ours."""
    namespace, kind, name = notice.split("/")
    return EntityRef(namespace, kind, name)


def _tell(connection: Connection, channel: str, notice: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(channel, notice)))
