"""What the revisions need of a blob store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.domain.manifest import Manifest, ManifestInvalid
from techdocs_server.domain.site import KeptRevision, Revision
from techdocs_server.domain.upkeep_errors import ManifestUnreadable
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.retention import RevisionSweeping

_PAGE = 500
_READS_AT_ONCE = 16

RevisionKey = tuple[EntityRef, str]


def key_of(row: KeptRevision) -> RevisionKey:
    """Return what names a revision among all sites'."""
    return row.revision.entity, row.revision.revision


async def all_sites(revisions: RevisionSweeping) -> AsyncIterator[Sequence[KeptRevision]]:
    """Yield the revisions of one site after the other, deleted and never published ones too."""
    site: list[KeptRevision] = []
    async for page in _pages(revisions):
        for row in page:
            if site and site[0].revision.entity != row.revision.entity:
                yield site
                site = []
            site.append(row)
    if site:
        yield site


class LiveBlobs:
    """Manifests and files of revisions. Grows with every `read`: what was live once stays so, to be on the safe side.

    Takes about 110 bytes of memory for each blob.
    """

    def __init__(self, revisions: RevisionSweeping, blobs: BlobStore, *, without: Collection[RevisionKey] = ()) -> None:
        self._revisions = revisions
        self._without = without
        self._blobs = blobs
        self._needed: set[bytes] = set()
        self._read: set[str] = set()

    def __contains__(self, sha256: str) -> bool:
        return bytes.fromhex(sha256) in self._needed

    async def read(self) -> None:
        """Add what the revisions of all sites need, but for those that are left out.

        A manifest is read once, however often this is called and whoever has the same.
        Raises `ManifestUnreadable` and `StorageUnavailable`: then this is good for nothing.
        """
        async for page in _pages(self._revisions):
            new = {
                row.revision.revision: row.revision
                for row in page
                if row.revision.revision not in self._read and key_of(row) not in self._without
            }
            rows = list(new.values())
            for start in range(0, len(rows), _READS_AT_ONCE):
                reads = [self._add(revision) for revision in rows[start : start + _READS_AT_ONCE]]
                for problem in await asyncio.gather(*reads, return_exceptions=True):
                    if problem is not None:
                        raise problem

    async def _add(self, revision: Revision) -> None:
        digest = Digest(revision.revision, revision.manifest_bytes)
        try:
            content = b"".join([chunk async for chunk in self._blobs.get(digest)])
            # In a thread: a manifest of 50,000 files takes some 100 ms.
            manifest = await asyncio.to_thread(Manifest.parse, content)
        except (BlobMissing, DigestMismatch, ManifestInvalid) as error:
            raise ManifestUnreadable(str(revision.entity), revision.revision) from error
        self._needed.add(bytes.fromhex(digest.sha256))
        self._needed.update(bytes.fromhex(file.sha256) for file in manifest.files.values())
        self._read.add(revision.revision)


async def _pages(revisions: RevisionSweeping) -> AsyncIterator[Sequence[KeptRevision]]:
    after: RevisionKey | None = None
    while page := await revisions.kept(after=after, limit=_PAGE):
        yield page
        after = key_of(page[-1])
