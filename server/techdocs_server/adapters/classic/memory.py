"""A classic bucket in memory: for tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from techdocs_server.adapters.blobs.ranges import chunks_of, range_of
from techdocs_server.adapters.classic.folders import CasedFolders
from techdocs_server.adapters.classic.layout import folder_of, inventory_of
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.site_path import path_problem
from techdocs_server.ports.classic import ClassicFile, ClassicFileGone, ClassicInventory


class MemoryClassicBucket:
    """A ClassicBucket whose objects tests put and remove by their names. ``broken`` makes every request fail."""

    def __init__(self, *, case_preserved: bool = False) -> None:
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.broken = False
        self.listings = 0
        self._case_preserved = case_preserved

    async def files(self, entity: EntityRef) -> Sequence[ClassicFile]:
        """Return the files of a site, as the port says."""
        self._ask()
        self.listings += 1
        folder = CasedFolders(self._subfolders).find(entity) if self._case_preserved else folder_of(entity)
        if folder is None:
            return ()
        now = datetime.now(UTC)
        etags = {key: hashlib.md5(content, usedforsecurity=False).hexdigest() for key, content in self.objects.items()}
        return [
            ClassicFile(key[len(folder) :], key, len(content), etags[key], self.modified.get(key, now))
            for key, content in sorted(self.objects.items())
            if key.startswith(folder) and path_problem(key[len(folder) :]) is None
        ]

    async def read(self, file: ClassicFile, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes, as the port says."""
        start, end = range_of(file.size_bytes, offset, length)
        self._ask()
        content = self.objects.get(file.key)
        if start == end:
            return
        if content is None or hashlib.md5(content, usedforsecurity=False).hexdigest() != file.etag:
            raise ClassicFileGone(file.key)
        for chunk in chunks_of(content, start, end):
            yield chunk

    async def etag_is_md5(self, file: ClassicFile) -> bool:
        """Return True for what is there."""
        self._ask()
        if file.key not in self.objects:
            raise ClassicFileGone(file.key)
        return True

    async def inventory(self) -> ClassicInventory:
        """Return what there is, as the port says."""
        self._ask()
        split = [key.split("/", 3) for key in self.objects]
        folders = {"/".join(parts[:3]) + "/" for parts in split if len(parts) > 3}
        others = ["/".join(parts) for parts in split if len(parts) <= 3]
        return inventory_of(folders, others, case_preserved=self._case_preserved)

    def _subfolders(self, folder: str) -> Sequence[str]:
        below = (key[len(folder) :] for key in self.objects if key.startswith(folder))
        return sorted({path.split("/", 1)[0] for path in below if "/" in path})

    def _ask(self) -> None:
        if self.broken:
            raise StorageUnavailable("it is told to fail now")
