"""Writing to a classic bucket in memory: for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from techdocs_server.adapters.classic.layout import folder_of
from techdocs_server.adapters.classic.memory import MemoryClassicBucket
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.classic import ClassicFile
from techdocs_server.ports.classic_writer import ClassicMark, ClassicUpload


class MemoryClassicWriter:
    """A ClassicWriter that remembers what it did, in order. The request whose turn ``fail_at`` is fails."""

    def __init__(self, bucket: MemoryClassicBucket) -> None:
        self.uploads: list[ClassicUpload] = []
        self.removed: list[str] = []
        self.calls = 0
        self.fail_at: int | None = None
        self._bucket = bucket
        self._marks: dict[str, str] = {}

    async def put(self, upload: ClassicUpload, content: BinaryIO) -> str:
        """Write a file, as the port says."""
        self._turn()
        key, written = folder_of(upload.entity) + upload.path, content.read()
        self._bucket.objects[key] = written
        self._bucket.modified[key] = datetime.now(UTC)
        self._marks[key] = upload.revision
        self.uploads.append(upload)
        return hashlib.md5(written, usedforsecurity=False).hexdigest()

    async def remove(self, files: Sequence[ClassicFile]) -> None:
        """Remove objects, as the port says."""
        for file in files:
            self._turn()
            self._bucket.objects.pop(file.key, None)
            self.removed.append(file.path)

    async def mark(self, entity: EntityRef, path: str) -> ClassicMark | None:
        """Return how a file is marked, as the port says."""
        self._turn()
        key = folder_of(entity) + path
        revision = self._marks.get(key, "") if key in self._bucket.objects else ""
        return ClassicMark(revision, self._bucket.modified[key]) if revision else None

    def _turn(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at or self._bucket.broken:
            raise StorageUnavailable("it is told to fail now")
