"""Making a generated site the current revision.

What always holds, wherever a publish stops:

* every digest that a stored manifest names is stored before the manifest;
* every manifest is stored before a pointer names it;
* a pointer moves by compare-and-set on its version;
* nothing is deleted by a publish.

So readers see the old revision or the new one, and a publish that broke off can
be repeated as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed, ContentCorrupt, RevisionConflict
from techdocs_server.domain.manifest import Manifest
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.domain.site_path import INDEX
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.generator import GeneratedSite
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.site_files import SiteFiles
from techdocs_server.services.reading import SiteReader

# Uploads at a time: enough to hide one store's latency, few enough to leave it to others.
_PARALLEL_PUTS = 8


@dataclass(frozen=True, slots=True)
class SiteToPublish:
    """A generated site on the local disk. ``expected`` is the pointer as it was when the build began."""

    entity: EntityRef
    root: Path
    generated: GeneratedSite
    source_etag: str
    build: str
    expected: SitePointer | None


@dataclass(frozen=True, slots=True)
class Published:
    """The revision that is current after a publish, and whether the publish made it so."""

    revision: str
    updated: bool


class Publisher:
    """Publishes generated sites."""

    def __init__(
        self, sites: SiteRecords, blobs: BlobStore, files: SiteFiles, reader: SiteReader, clock: Clock
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._files = files
        self._reader = reader
        self._clock = clock

    async def publish(self, site: SiteToPublish) -> Published:
        """Store what is missing and move the pointer.

        Publishes nothing when the files and the source etag are those of the
        current revision. Raises `RevisionConflict` when the pointer moved since
        ``site.expected`` was read, `QuotaExceeded`, `StorageUnavailable`, and
        `BuildStepFailed` when the site has no index.html.
        """
        digests = {
            path: digest for path, digest in (await self._files.digests(site.root)).items() if path != METADATA_PATH
        }
        if INDEX not in digests:
            raise no_front_page()
        previous = await self._previous_files(site)
        if site.expected is not None and previous == digests:
            return await self._keep(site, site.expected)
        return await self._replace(site, digests)

    async def _previous_files(self, site: SiteToPublish) -> Mapping[str, Digest] | None:
        """Return the current files less the metadata, or None where they cannot serve as a base."""
        if site.expected is None:
            return None
        try:
            view = await self._reader.open(site.entity, site.expected.revision)
        except ContentCorrupt:
            return None  # a forced sync of a damaged site must store everything again
        return {path: digest for path, digest in view.manifest.files.items() if path != METADATA_PATH}

    async def _keep(self, site: SiteToPublish, current: SitePointer) -> Published:
        if current.source_etag != site.source_etag:
            await self._sites.move_pointer(
                site.entity,
                to=current.revision,
                source_etag=site.source_etag,
                expected=current,
                now=self._clock.now(),
            )
        elif await self._sites.pointer(site.entity) != current:
            # Moved meanwhile: what this build calls current is not.
            raise RevisionConflict(str(site.entity))
        return Published(current.revision, updated=False)

    async def _replace(self, site: SiteToPublish, digests: Mapping[str, Digest]) -> Published:
        now = self._clock.now()
        metadata = SiteMetadata(
            site_name=site.generated.site_name,
            site_description=site.generated.site_description,
            etag=site.source_etag,
            build_timestamp=now,
            files=tuple(sorted({*digests, METADATA_PATH})),
        ).to_json()
        manifest = Manifest({**digests, METADATA_PATH: Digest.of(metadata)})
        await self._store_files(site.root, digests)
        await self._blobs.put(Digest.of(metadata), _once(metadata))
        await self._blobs.put(manifest.digest, _once(manifest.canonical))
        revision = await self._sites.add_revision(
            Revision(
                entity=site.entity,
                revision=manifest.revision,
                create_time=now,
                manifest_bytes=manifest.digest.size_bytes,
                file_count=len(manifest.files),
                size_bytes=manifest.size_bytes,
                build=site.build,
                source_etag=site.source_etag,
                site_name=site.generated.site_name,
                site_description=site.generated.site_description,
            )
        )
        pointer = await self._sites.move_pointer(
            site.entity, to=revision.revision, source_etag=site.source_etag, expected=site.expected, now=now
        )
        return Published(pointer.revision, updated=True)

    async def _store_files(self, root: Path, digests: Mapping[str, Digest]) -> None:
        paths = {digest: path for path, digest in digests.items()}
        missing = await self._blobs.missing(tuple(paths))
        slots = asyncio.Semaphore(_PARALLEL_PUTS)

        async def store(digest: Digest) -> None:
            async with slots:
                await self._blobs.put(digest, self._files.read(root, paths[digest]))

        async with asyncio.TaskGroup() as group:
            for digest in sorted(missing):
                group.create_task(store(digest))


def no_front_page() -> BuildStepFailed:
    """Return the failure of a site without index.html."""
    return BuildStepFailed(
        "the documentation has no front page",
        reason=BuildFailureReason.OUTPUT_REFUSED,
        hint="add an index.md to the root of docs_dir, or let the first page of nav be one",
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
