"""Writing what changed of a site to a classic bucket."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.media_type import media_type
from techdocs_server.domain.site_metadata import METADATA_PATH
from techdocs_server.domain.site_path import INDEX
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.classic import ClassicFile
from techdocs_server.ports.classic_writer import ClassicUpload, ClassicWriter
from techdocs_server.ports.spool import Spool
from techdocs_server.services.reading import SiteView

# Few: readers and builds go first.
_CONCURRENCY = 4
# A digest with its entity tags is about 400 bytes in memory: 80 MB, some dozen large sites.
_MOST_KNOWN = 200_000
_PAGE = ".html"


def in_safe_order(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the files of a site in groups, so that whatever is in one finds what is in those before.

    The metadata file is in none: it comes when all others are there.
    """
    others = [path for path in paths if path not in (METADATA_PATH, INDEX)]
    yield [path for path in others if not path.endswith(_PAGE)]
    yield [path for path in others if path.endswith(_PAGE)]
    yield [path for path in paths if path == INDEX]


class MirrorUploader:
    """Compares files with what is listed, and writes those that differ.

    What is listed is the same when its size is and its entity tag is the MD5 of ours,
    or one that a write of the same bytes got. The MD5 of a blob is computed once, as
    long as it is remembered.
    """

    def __init__(self, blobs: BlobStore, writer: ClassicWriter, spool: Spool) -> None:
        self._blobs = blobs
        self._writer = writer
        self._spool = spool
        self._etags: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def upload(self, view: SiteView, paths: Sequence[str], there: Mapping[str, ClassicFile]) -> int:
        """Write those of the files that are not there as they are; return how many.

        Raises `BlobMissing`, `DigestMismatch` and `StorageUnavailable`; some may be written then.
        """
        rest = iter(paths)

        async def work() -> int:
            return sum([await self._bring(view, path, there.get(path)) for path in rest])

        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(work()) for _ in range(_CONCURRENCY)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return sum(worker.result() for worker in workers)

    async def finish(self, view: SiteView) -> None:
        """Write the metadata file, marked with the revision. Raises as `upload`."""
        await self._bring(view, METADATA_PATH, None, mark=view.revision)

    async def _bring(self, view: SiteView, path: str, file: ClassicFile | None, *, mark: str = "") -> bool:
        digest = view.manifest.files[path]
        if self._is_same(digest, file):
            return False
        spooled = await self._spool.take(self._blobs.get(digest))
        try:
            self._remember(digest, spooled.md5)
            if self._is_same(digest, file):
                return False
            upload = ClassicUpload(view.entity, path, digest.size_bytes, media_type(path), mark)
            with spooled.open() as content:
                self._remember(digest, await self._writer.put(upload, content))
        finally:
            spooled.discard()
        return True

    def _is_same(self, digest: Digest, file: ClassicFile | None) -> bool:
        if file is None or file.size_bytes != digest.size_bytes:
            return False
        return file.etag in self._etags.get(digest.sha256, ())

    def _remember(self, digest: Digest, etag: str) -> None:
        self._etags[digest.sha256] = self._etags.get(digest.sha256, frozenset()) | {etag}
        self._etags.move_to_end(digest.sha256)
        if len(self._etags) > _MOST_KNOWN:
            self._etags.popitem(last=False)
