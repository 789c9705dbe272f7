"""The last check of each site, in memory."""

from __future__ import annotations

from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.site_checks import SiteCheck


class MemorySiteChecks:
    """SiteChecks that are gone with their process, of sites of records in memory."""

    def __init__(self, sites: SiteRecords) -> None:
        self._sites = sites
        self._checks: dict[EntityRef, SiteCheck] = {}

    async def last(self, entity: EntityRef) -> SiteCheck | None:
        """Return the last check of a site, or None."""
        return self._checks.get(entity) if await self._sites.pointer(entity) is not None else None

    async def remember(self, entity: EntityRef, check: SiteCheck) -> None:
        """Remember a check, unless the pointer has moved on meanwhile, or a later check is known."""
        pointer, known = await self._sites.pointer(entity), self._checks.get(entity)
        if pointer is None or pointer.version != check.version:
            return
        if known is None or known.version != check.version or known.check_time < check.check_time:
            self._checks[entity] = check
