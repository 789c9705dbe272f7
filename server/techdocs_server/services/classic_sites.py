"""Sites that Backstage's own tools have published, open for reading as they are.

Nobody announces a publish there, so a listing is believed for some seconds: what
it costs bounds how often it is made. A file is read as the object that the listing
showed or not at all, and then the listing is made anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentNotFound
from techdocs_server.domain.site_path import index_candidates
from techdocs_server.ports.classic import ClassicBucket, ClassicFile, ClassicFileGone

FRESH_SECONDS = 5.0
"""How long a listing is believed."""
BELIEVED_FOR = 10
"""How many times as long as it took it is believed when that is more: at most a tenth of the time goes into listing."""
CACHED_FILES = 200_000
"""Files of all listings in memory. An entry is about 500 bytes: 100 MB."""


@dataclass(frozen=True, slots=True)
class ClassicContent:
    """One file of such a site."""

    path: str
    revision: str
    file: ClassicFile

    # Nobody has read it yet, so nobody knows.
    sha256 = ""

    @property
    def size_bytes(self) -> int:
        """Size of the whole file."""
        return self.file.size_bytes

    @property
    def etag(self) -> str:
        """Strong entity tag with its quotes: that of the object."""
        return f'"{self.file.etag}"'

    @property
    def last_modified(self) -> datetime | None:
        """When the object was written."""
        return self.file.last_modified


@dataclass(frozen=True)
class ClassicView:
    """A site as a listing showed it.

    ``revision`` is a digest of the listing: another one as soon as a file is. There is
    no going back to it.
    """

    entity: EntityRef
    revision: str
    files: Mapping[str, ClassicFile] = field(repr=False)
    paths: tuple[str, ...] = field(repr=False)

    def locate(self, path: str) -> ClassicContent:
        """Return the file a requested path means. Raises `ContentNotFound`."""
        for candidate in index_candidates(path):
            if candidate in self.files:
                return self.content(candidate)
        raise ContentNotFound(str(self.entity), self.revision, path)

    def content(self, path: str) -> ClassicContent:
        """Return a file by its path, which must be one of ``paths``."""
        return ClassicContent(path, self.revision, self.files[path])


class ClassicSites:
    """Opens such sites, and reads their files. Listings are kept in memory, within bounds; contents are not."""

    def __init__(
        self,
        bucket: ClassicBucket,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        believed_for: float = BELIEVED_FOR,
        max_files: int = CACHED_FILES,
    ) -> None:
        self._bucket = bucket
        self._fresh_seconds = fresh_seconds
        self._believed_for = believed_for
        self._max_files = max_files
        self._views: OrderedDict[EntityRef, tuple[float, ClassicView | None]] = OrderedDict()
        self._count = 0
        self._listings: dict[EntityRef, asyncio.Task[ClassicView | None]] = {}

    async def open(self, entity: EntityRef) -> ClassicView | None:
        """Return a site, or None when the bucket has no file of it. Raises `StorageUnavailable`."""
        believed_until, view = self._views.get(entity, (0.0, None))
        if time.monotonic() < believed_until:
            return view
        listing = self._listings.get(entity)
        if listing is None:
            # One for all who wait, and whoever leaves does not end it: it ends by itself, at the bucket's timeouts.
            listing = self._listings[entity] = asyncio.create_task(self._list(entity))
            listing.add_done_callback(lambda done: self._end(entity, done))
        return await asyncio.shield(listing)

    async def read(
        self, view: ClassicView, content: ClassicContent, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file, or a part of them.

        Raises `StorageUnavailable`, and at the first step `ContentReplaced` when the file is not the one that was
        located any more; opening the site again then shows what there is.
        """
        try:
            async for chunk in self._bucket.read(content.file, offset=offset, length=length):
                yield chunk
        except ClassicFileGone as error:
            self._forget(view.entity)
            raise ContentReplaced(content.path) from error

    async def _list(self, entity: EntityRef) -> ClassicView | None:
        began = time.monotonic()
        listed = await self._bucket.files(entity)
        view = _view(entity, {file.path: file for file in listed}) if listed else None
        ended = time.monotonic()
        self._forget(entity)
        self._views[entity] = (ended + max(self._fresh_seconds, self._believed_for * (ended - began)), view)
        self._count += _weight(view)
        while self._count > self._max_files and len(self._views) > 1:
            self._forget(next(iter(self._views)))
        return view

    def _forget(self, entity: EntityRef) -> None:
        if entity in self._views:
            self._count -= _weight(self._views.pop(entity)[1])

    def _end(self, entity: EntityRef, listing: asyncio.Task[ClassicView | None]) -> None:
        del self._listings[entity]
        if not listing.cancelled():
            listing.exception()  # whoever waited was told; nobody may have


def _weight(view: ClassicView | None) -> int:
    # Sites that are not there count as well, or there could be any number of them.
    return 1 if view is None else 1 + len(view.files)


def _view(entity: EntityRef, files: Mapping[str, ClassicFile]) -> ClassicView:
    paths = tuple(sorted(files))
    listing = [[path, files[path].etag, files[path].size_bytes] for path in paths]
    revision = hashlib.sha256(json.dumps(["classic", str(entity), listing]).encode()).hexdigest()
    return ClassicView(entity, revision, files, paths)
