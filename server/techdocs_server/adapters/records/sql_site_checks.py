"""The last check of each site, in the site's row."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select, update

from techdocs_server.adapters.records.engine import SqlDatabase
from techdocs_server.adapters.records.schema import sites
from techdocs_server.adapters.records.site_rows import is_entity
from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.site_checks import SiteCheck


class SqlSiteChecks:
    """SiteChecks over a database that `upgrade` has brought up to date.

    Whoever moves the pointer need not know of checks: the version that was checked stands beside the time.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def last(self, entity: EntityRef) -> SiteCheck | None:
        """Return the last check of a site, or None."""
        return await self._database.read(_last, entity)

    async def remember(self, entity: EntityRef, check: SiteCheck) -> None:
        """Remember a check, unless the pointer has moved on meanwhile, or a later check is known."""
        await self._database.write(_remember, entity, check)


def _last(connection: Connection, entity: EntityRef) -> SiteCheck | None:
    row = connection.execute(
        select(sites.c.check_time, sites.c.checked_version).where(is_entity(entity), sites.c.revision.is_not(None))
    ).first()
    return None if row is None or row.check_time is None else SiteCheck(row.check_time, row.checked_version)


def _remember(connection: Connection, entity: EntityRef, check: SiteCheck) -> None:
    is_news = or_(
        sites.c.check_time.is_(None),
        sites.c.check_time < check.check_time,
        sites.c.checked_version != check.version,
    )
    connection.execute(
        update(sites)
        .where(is_entity(entity), sites.c.revision.is_not(None), sites.c.version == check.version, is_news)
        .values(check_time=check.check_time, checked_version=check.version)
    )
