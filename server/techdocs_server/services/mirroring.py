"""Keeping a classic bucket as our sites are, for a Backstage that still reads it.

A mirror is behind what is published, never in its way. A site is written in an order
in which readers find what pages name: assets, then pages, then the metadata file,
which is marked with the revision. So the mark says what is there in whole, and nothing
needs to be remembered here: a start, and a pass every few minutes, finds every site
that is behind. What a revision no longer has stays for a while, for who reads an old
page, and is then removed.

The pointer is read again when a site is written: whoever writes last has written the
current revision.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BlobMissing, DigestMismatch, TechDocsError
from techdocs_server.domain.site_metadata import METADATA_PATH
from techdocs_server.ports.classic import ClassicBucket
from techdocs_server.ports.classic_writer import ClassicMark, ClassicWriter
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.mirror_queue import MirrorQueue
from techdocs_server.services.mirror_upload import MirrorUploader, in_safe_order
from techdocs_server.services.reading import SiteReader, SiteView

_log = logging.getLogger(__name__)

PASS_SECONDS = 300.0
"""Pause between two looks at every site."""
PAUSE_SECONDS = 30.0
"""When a site that could not be mirrored is tried again."""
_LISTED = 500


class Mirror:
    """Writes sites with `run`, for the whole life of the server."""

    def __init__(
        self,
        *,
        sites: SiteRecords,
        reader: SiteReader,
        bucket: ClassicBucket,
        writer: ClassicWriter,
        uploader: MirrorUploader,
        clock: Clock,
        grace_seconds: float,
        pass_seconds: float = PASS_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._sites = sites
        self._reader = reader
        self._bucket = bucket
        self._writer = writer
        self._uploader = uploader
        self._clock = clock
        self._grace = timedelta(seconds=grace_seconds)
        self._pass_seconds = pass_seconds
        self._pause_seconds = pause_seconds
        self._queue = MirrorQueue()
        # Of each site the revision of which nothing is left to be removed, as far as this process saw.
        self._tidy: dict[EntityRef, str] = {}

    def moved(self, entity: EntityRef) -> None:
        """Take note that a pointer moved. Returns at once and never fails."""
        self._queue.add_moved(entity)

    async def run(self) -> None:
        """Mirror until cancelled. What fails is logged and tried again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_at_all())
            while True:
                await self._try(await self._queue.take())

    async def _look_at_all(self) -> None:
        while True:
            after: EntityRef | None = None
            try:
                while sites := await self._sites.sites(namespace=None, kind=None, after=after, limit=_LISTED):
                    for site in sites:
                        self._queue.add_in_turn(site.entity)
                    after = sites[-1].entity
            except TechDocsError as error:
                _log.warning("mirror_failed", extra={"entity": "", "problem": error.message})
            await asyncio.sleep(self._pass_seconds)

    async def _try(self, entity: EntityRef) -> None:
        try:
            await self._mirror(entity)
        except (TechDocsError, BlobMissing, DigestMismatch) as error:
            self._fail(entity, error, None)
        except Exception as error:  # a defect with one site must not end the mirror of all others
            self._fail(entity, error, error)

    def _fail(self, entity: EntityRef, error: Exception, trace: Exception | None) -> None:
        _log.warning("mirror_failed", extra={"entity": str(entity), "problem": str(error)}, exc_info=trace)
        asyncio.get_running_loop().call_later(self._pause_seconds, self._queue.add_in_turn, entity)

    async def _mirror(self, entity: EntityRef) -> None:
        """Write what is behind and remove what is due, until the pointer stands still."""
        while True:
            pointer = await self._sites.pointer(entity)
            if pointer is None:
                return  # deleted: the bucket is left as it is
            mark = await self._writer.mark(entity, METADATA_PATH)
            if mark is None or mark.revision != pointer.revision:
                await self._write(await self._reader.open_own(entity, pointer.revision))
            elif self._tidy.get(entity) != pointer.revision and self._is_due(mark):
                await self._remove_stale(await self._reader.open_own(entity, pointer.revision))
            now = await self._sites.pointer(entity)
            if now is None or now.revision == pointer.revision:
                return

    def _is_due(self, mark: ClassicMark) -> bool:
        """Whether whatever the marked revision does not have has not been needed for long enough."""
        return mark.last_modified + self._grace <= self._clock.now()

    async def _write(self, view: SiteView) -> None:
        there = {file.path: file for file in await self._bucket.files(view.entity)}
        uploaded = 0
        for paths in in_safe_order(view.paths):
            uploaded += await self._uploader.upload(view, paths, there)
            if not await self._is_current(view):
                return
        await self._uploader.finish(view)
        self._tidy.pop(view.entity, None)
        _log.info("site_mirrored", extra={"entity": str(view.entity), "revision": view.revision, "files": uploaded})

    async def _remove_stale(self, view: SiteView) -> None:
        listed = await self._bucket.files(view.entity)
        stale = [file for file in listed if file.path not in view.manifest.files]
        # One that somebody wrote after the mark has its own time to wait.
        due = [file for file in stale if file.last_modified + self._grace <= self._clock.now()]
        if due:
            if not await self._is_current(view):
                return
            await self._writer.remove(due)
            _log.info("mirror_tidied", extra={"entity": str(view.entity), "files": len(due)})
        if due == stale:
            self._tidy[view.entity] = view.revision

    async def _is_current(self, view: SiteView) -> bool:
        pointer = await self._sites.pointer(view.entity)
        return pointer is not None and pointer.revision == view.revision
