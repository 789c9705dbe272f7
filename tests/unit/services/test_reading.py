from __future__ import annotations

import hashlib

import pytest
from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.records.caching_sites import CachingSiteRecords
from techdocs_server.adapters.records.memory import MemorySiteRecords
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.domain.manifest import Manifest
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.services.reading import SiteReader

from tests.support.blob_content import stored
from tests.support.clocks import NOON
from tests.support.record_values import entity

SITE = entity("docs")
PAGE = b"<h1>Docs</h1>"


class LostSiteRecords(MemorySiteRecords):
    """Records that can go away."""

    is_down = False

    async def pointer(self, entity: EntityRef) -> SitePointer | None:
        self._check()
        return await super().pointer(entity)

    async def revision(self, entity: EntityRef, revision: str) -> Revision | None:
        self._check()
        return await super().revision(entity, revision)

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")


async def test_site_whose_pointer_is_known_is_read_without_the_records() -> None:
    inner, blobs = LostSiteRecords(), MemoryBlobStore()
    sites = CachingSiteRecords(inner)
    manifest = Manifest({"index.html": await stored(blobs, PAGE)})
    await stored(blobs, manifest.canonical)
    await sites.add_revision(_revision(manifest))
    await sites.move_pointer(SITE, to=manifest.revision, source_etag="", expected=None, now=NOON)

    inner.is_down = True
    # One that has read nothing: it has no manifest in memory.
    reader = SiteReader(sites, blobs)
    view = await reader.open_own(SITE)
    assert await reader.read_all(view, view.locate("")) == PAGE
    assert (await reader.open_own(SITE, manifest.revision)).manifest == manifest
    # Whether another revision is one of the site's, only the records know.
    with pytest.raises(StorageUnavailable):
        await reader.open(SITE, hashlib.sha256(b"other").hexdigest())
    with pytest.raises(StorageUnavailable):
        await reader.open(entity("unknown"))


def _revision(manifest: Manifest) -> Revision:
    digest: Digest = manifest.digest
    return Revision(SITE, manifest.revision, NOON, digest.size_bytes, 1, len(PAGE), "", "", "Docs", "")
