"""Rows of sites and revisions, and the values they hold."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, func, or_, select

from techdocs_server.adapters.records.schema import revisions, sites
from techdocs_server.adapters.records.upserts import insert_if_absent
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionConflict
from techdocs_server.domain.site import Revision, Site, SitePointer

_IS_THE_ENTITY = and_(
    sites.c.namespace == bindparam("namespace"), sites.c.kind == bindparam("kind"), sites.c.name == bindparam("name")
)

SITE_ROW = select(sites.c.id, sites.c.revision, sites.c.version, sites.c.source_etag).where(_IS_THE_ENTITY)
"""Takes `entity_key`."""

POINTER_ROW = (
    select(sites.c.revision, sites.c.version, sites.c.source_etag, sites.c.update_time, revisions.c.manifest_bytes)
    .join_from(sites, revisions, and_(revisions.c.site_id == sites.c.id, revisions.c.revision == sites.c.revision))
    .where(_IS_THE_ENTITY)
)
"""Takes `entity_key`."""

REVISION_ROWS = select(revisions, sites.c.namespace, sites.c.kind, sites.c.name).join_from(revisions, sites)

UNSAVED = 0
"""The saved version of a site that has changed and whose version has not."""

IS_VISIBLE = and_(revisions.c.is_published, revisions.c.delete_time.is_(None))
"""The condition that readers can open a revision."""

PUBLISHED_REVISIONS = REVISION_ROWS.where(_IS_THE_ENTITY, IS_VISIBLE)
"""Takes `entity_key`."""

_REVISION_COUNT = (
    select(func.count()).where(revisions.c.site_id == sites.c.id, IS_VISIBLE).correlate(sites).scalar_subquery()
)

SITE_LISTING = select(sites, revisions.c.site_name, _REVISION_COUNT.label("revision_count")).join_from(
    sites, revisions, and_(revisions.c.site_id == sites.c.id, revisions.c.revision == sites.c.revision)
)
"""Published sites as listings show them."""


def entity_key(entity: EntityRef) -> dict[str, object]:
    """Return an entity as the columns of a row, or the parameters of a statement."""
    return {"namespace": entity.namespace, "kind": entity.kind, "name": entity.name}


def is_entity(entity: EntityRef) -> ColumnElement[bool]:
    """Return the condition that a site is the entity's."""
    return and_(sites.c.namespace == entity.namespace, sites.c.kind == entity.kind, sites.c.name == entity.name)


def comes_after(entity: EntityRef) -> ColumnElement[bool]:
    """Return the condition that a site follows the entity's in listings."""
    return or_(
        sites.c.namespace > entity.namespace,
        and_(sites.c.namespace == entity.namespace, sites.c.kind > entity.kind),
        and_(sites.c.namespace == entity.namespace, sites.c.kind == entity.kind, sites.c.name > entity.name),
    )


def is_older(than: tuple[datetime, str]) -> ColumnElement[bool]:
    """Return the condition that a revision follows one of this time and id in listings."""
    create_time, revision = than
    return or_(
        revisions.c.create_time < create_time,
        and_(revisions.c.create_time == create_time, revisions.c.revision < revision),
    )


def pointer_of(row: RowMapping | None) -> SitePointer | None:
    """Return the pointer of a `SITE_ROW` or `POINTER_ROW`; None when there is no row or nothing is published."""
    if row is None or row["revision"] is None:
        return None
    return SitePointer(
        row["revision"], row["version"], row["source_etag"], row.get("manifest_bytes", 0), row.get("update_time")
    )


def revision_of(row: RowMapping) -> Revision:
    """Return a row of `REVISION_ROWS`."""
    return Revision(
        entity=entity_of(row),
        revision=row["revision"],
        create_time=row["create_time"],
        manifest_bytes=row["manifest_bytes"],
        file_count=row["file_count"],
        size_bytes=row["size_bytes"],
        build=row["build"],
        source_etag=row["source_etag"],
        site_name=row["site_name"],
        site_description=row["site_description"],
        is_pinned=row["is_pinned"],
    )


def revision_row(site_id: int, revision: Revision) -> dict[str, object]:
    """Return the row of a revision that no pointer has named yet."""
    return {
        "site_id": site_id,
        "revision": revision.revision,
        "create_time": revision.create_time,
        "manifest_bytes": revision.manifest_bytes,
        "file_count": revision.file_count,
        "size_bytes": revision.size_bytes,
        "build": revision.build,
        "source_etag": revision.source_etag,
        "site_name": revision.site_name,
        "site_description": revision.site_description,
        "is_published": False,
        "is_pinned": False,
        "delete_time": None,
    }


def site_of(row: RowMapping) -> Site:
    """Return a row of `SITE_LISTING`."""
    return Site(
        entity=entity_of(row),
        pointer=SitePointer(revision=row["revision"], version=row["version"], source_etag=row["source_etag"]),
        title=row["site_name"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        revision_count=row["revision_count"],
    )


def entity_of(row: RowMapping) -> EntityRef:
    """Return the entity in a row of `REVISION_ROWS` or `SITE_LISTING`."""
    return EntityRef(row["namespace"], row["kind"], row["name"])


def locked_site(connection: Connection, entity: EntityRef) -> RowMapping:
    """Return the row of a site, locked until the end of the transaction; made when there is none."""
    insert_if_absent(connection, sites, {**entity_key(entity), "version": 0, "source_etag": ""})
    return connection.execute(SITE_ROW.with_for_update(), entity_key(entity)).mappings().one()


def check_pointer(entity: EntityRef, site: RowMapping | None, expected: SitePointer | None) -> None:
    """Raise `RevisionConflict` unless the pointer in a site's row has the expected version."""
    current = pointer_of(site)
    if (current and current.version) != (expected and expected.version):
        raise RevisionConflict(str(entity))
