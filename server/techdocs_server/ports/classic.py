"""The bucket that Backstage's own tools fill: one object for each file of a site, ``NAMESPACE/KIND/NAME/PATH``.

The layout is that of @backstage/plugin-techdocs-node, stages/publish.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from techdocs_server.domain.entity import EntityRef


@dataclass(frozen=True, slots=True)
class ClassicFile:
    """One object as a listing shows it. ``key`` is its whole name, ``etag`` its entity tag without quotes."""

    path: str
    key: str
    size_bytes: int
    etag: str
    last_modified: datetime


class ClassicFileGone(Exception):
    """The bucket does not hold the object that a listing showed: another one by now, or none. Not a failure of it.

    It never leaves the service: readers turn it into `ContentReplaced`.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"{key!r} is not the object that was listed")
        self.key = key


@dataclass(frozen=True, slots=True)
class ClassicInventory:
    """What a bucket has: the entities with files, in order, and the names of what belongs to none."""

    entities: Sequence[EntityRef]
    unmanaged: Sequence[str]


class ClassicBucket(Protocol):
    """Reads such a bucket, and changes nothing in it. Safe for any number of callers at once.

    Only `StorageUnavailable` leaves an implementation, besides what a method names.
    Missing is never reported for broken.
    """

    async def files(self, entity: EntityRef) -> Sequence[ClassicFile]:
        """Return the files of a site, none when there is no such site.

        Objects whose path no site can have are left out.
        """
        ...

    def read(self, file: ClassicFile, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from offset, at most length of them, in chunks of at most 256 KiB.

        ``0 <= offset <= file.size_bytes``; an empty range yields nothing and may look at nothing.
        All bytes are of the object that the listing showed: the first step of the
        iterator raises `ClassicFileGone` when it is another one by now, or gone.
        Closing the iterator early releases what it holds.
        """
        ...

    async def etag_is_md5(self, file: ClassicFile) -> bool:
        """Whether the entity tag is the MD5 of the bytes: not when they came in parts or are encrypted with a key.

        Raises `ClassicFileGone`.
        """
        ...

    async def inventory(self) -> ClassicInventory:
        """Return what there is in the whole bucket, without looking at single files."""
        ...
