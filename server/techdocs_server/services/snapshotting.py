"""Letting the store of contents know of every site, so that the records can be made again from it.

It happens after the change, beside everything else, and delays or fails nothing: a site that
could not be saved stays behind, which the records know, and the next pass of any process saves it.
"""

from __future__ import annotations

import asyncio
import logging

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.saved_sites import SavedSites
from techdocs_server.ports.site_snapshots import SiteSnapshots

_log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0
_PAGE = 500
_AFTER_FAILURE_SECONDS = 5.0
# Changes that come one upon the other, as those of a collection do, are saved together.
_GATHER_SECONDS = 0.2


class Snapshotter:
    """Saves every site that is behind, at a change and at least every ``interval_seconds``.

    Whoever changes a site calls `heard`. Any number of processes may do so for the same records: they
    write the same, and each looks at its own changes first, so that one does the work as a rule.
    """

    def __init__(
        self,
        sites: SavedSites,
        snapshots: SiteSnapshots,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        after_failure_seconds: float = _AFTER_FAILURE_SECONDS,
    ) -> None:
        self._sites = sites
        self._snapshots = snapshots
        self._interval_seconds = interval_seconds
        self._after_failure_seconds = after_failure_seconds
        self._changed = asyncio.Event()
        self._is_failing = False
        self._failed: EntityRef | None = None

    def heard(self) -> None:
        """This process has changed a site, or may have."""
        self._changed.set()

    async def run(self) -> None:
        """Save until cancelled. What fails is logged once, and tried again."""
        while True:
            self._changed.clear()
            try:
                await self.save_all()
            except StorageUnavailable as error:
                if not self._is_failing:
                    _log.warning("snapshots_failing", extra={"problem": error.message})
                self._is_failing = True
                await asyncio.sleep(self._after_failure_seconds)
                continue
            if self._is_failing:
                _log.info("snapshots_recovered")
            self._is_failing = False
            await self._wait()

    async def save_all(self) -> int:
        """Save every site that is behind; return how many there were.

        Raises `StorageUnavailable`: those saved before are saved, and the next time goes on behind the
        one that could not be, so that it keeps no other waiting.
        """
        saved, begin = 0, self._failed
        after, self._failed = begin, None
        while page := await self._sites.behind(after=after, limit=_PAGE):
            for entity in page:
                await self._save(entity)
            saved += len(page)
            after = page[-1]
        return saved if begin is None else saved + await self.save_all()

    async def _save(self, entity: EntityRef) -> None:
        snapshot = await self._sites.snapshot(entity)
        if snapshot is None:
            return
        try:
            await self._snapshots.write(snapshot)
        except StorageUnavailable:
            self._failed = entity
            raise
        # Only when it is stored. A change since the snapshot was taken leaves the site behind, for the next pass.
        await self._sites.saved(snapshot)
        try:
            await self._snapshots.prune(entity)
        except StorageUnavailable as error:
            # What is too old does no harm, and goes with the next change of the site.
            _log.info("snapshots_not_removed", extra={"entity": str(entity), "problem": error.message})

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._interval_seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_GATHER_SECONDS)
