"""Answering a sync by a check that was made lately, by whichever server."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from techdocs_server.domain.build import Build
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site import SitePointer
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.site_checks import SiteCheck, SiteChecks

_log = logging.getLogger(__name__)

# A check is not written down again this soon after the last one: a caller that asks a hundred times a second would
# make a hundred writes. A check answers for that much less.
_WRITE_AGAIN = timedelta(seconds=5)


class Checking:
    """Remembers that sites were current, and tells whether one was so lately.

    A check is of one version of the pointer. Whatever moves it, a publish or a
    rollback too, makes the next sync look at the source again: it is cheap, and what
    was published was never compared with the source.
    """

    def __init__(self, checks: SiteChecks, sites: SiteRecords, clock: Clock) -> None:
        self._checks = checks
        self._sites = sites
        self._clock = clock

    def now(self) -> datetime:
        """Return the time, for `found_current`: from before the source was looked at."""
        return self._clock.now()

    async def revision(self, entity: EntityRef, *, max_age: timedelta) -> str | None:
        """Return the revision that is current by a check no older than that, else None. Raises `StorageUnavailable`.

        Clocks of servers differ: a check from the future counts when it is no further away.
        """
        if max_age <= timedelta(0):
            return None
        last = await self._checks.last(entity)
        if last is None or abs(self._clock.now() - last.check_time) >= max_age:
            return None
        pointer = await self._sites.pointer(entity)
        return pointer.revision if pointer is not None and pointer.version == last.version else None

    async def found_current(self, entity: EntityRef, pointer: SitePointer, *, at: datetime) -> None:
        """Remember that a site was what its source makes. A store that is away only makes the next sync look again."""
        try:
            last = await self._checks.last(entity)
            if last is not None and last.version == pointer.version and at - last.check_time < _WRITE_AGAIN:
                return
            await self._checks.remember(entity, SiteCheck(at, pointer.version))
        except StorageUnavailable as error:
            _log.warning("check_not_stored", extra={"entity": str(entity), "problem": error.message})

    async def built(self, build: Build) -> None:
        """Remember that a build has made a site current, if it still is what the build left. Raises nothing of stores."""
        try:
            pointer = await self._sites.pointer(build.entity)
        except StorageUnavailable:
            return
        if pointer is None or (pointer.revision, pointer.source_etag) != (build.revision, build.source_etag):
            return
        # The source was read after the build began, so it is at least as new as that.
        await self.found_current(build.entity, pointer, at=build.start_time or build.create_time)
