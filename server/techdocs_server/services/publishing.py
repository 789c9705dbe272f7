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

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import SiteAction
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
from techdocs_server.services.attribution import built
from techdocs_server.services.compressing import Variants
from techdocs_server.services.reading import SiteReader


@dataclass(frozen=True, slots=True)
class SiteToPublish:
    """A generated site on the local disk. ``expected`` is the pointer as it was when the build began.

    ``stores_everything`` asks the store even for what the expected revision has, to heal a damaged one.
    ``fence`` lets the publish happen only while it is of the build's present attempt.
    """

    entity: EntityRef
    root: Path
    generated: GeneratedSite
    source_etag: str
    build: str
    expected: SitePointer | None
    stores_everything: bool = False
    fence: BuildFence | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The revision that is current after a publish, and whether the publish made it so."""

    revision: str
    updated: bool


class Publisher:
    """Publishes generated sites."""

    def __init__(
        self,
        sites: SiteRecords,
        blobs: BlobStore,
        files: SiteFiles,
        reader: SiteReader,
        clock: Clock,
        variants: Variants | None = None,
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._files = files
        self._reader = reader
        self._clock = clock
        self._variants = variants

    async def publish(self, site: SiteToPublish) -> Published:
        """Store what is missing and move the pointer.

        Publishes nothing when the files and the source etag are those of the
        current revision. With ``stores_everything`` a damaged store is whole
        afterwards, as far as the site goes. Raises `RevisionConflict` when the pointer moved since
        ``site.expected`` was read, `QuotaExceeded`, `StorageUnavailable`,
        `BuildStepFailed` when the site has no index.html, and `BuildSuperseded`.
        """
        before = await self._manifest_before(site)
        previous = None if before is None else _without_metadata(before)
        written = _without_metadata(await self._files.digests(site.root))
        digests = {**_reused(site, previous), **written}
        if INDEX not in digests:
            raise no_front_page()
        self._files.check(digests)
        # What the revision before names is stored, unless the store is damaged: for that one forces a build.
        known = frozenset() if site.stores_everything else frozenset((previous or {}).values())
        await self._store_files(site.root, {path: digest for path, digest in written.items() if digest not in known})
        if site.expected is None or previous != digests or (site.stores_everything and await self._is_damaged(before)):
            published, files = await self._replace(site, digests)
        else:
            published, files = await self._keep(site, site.expected), digests
        if self._variants is not None:
            self._variants.published(site.entity, files, before=before)
        return published

    async def _manifest_before(self, site: SiteToPublish) -> Mapping[str, Digest] | None:
        """Return the files of the current revision, or None where they cannot serve as a base."""
        if site.expected is None:
            return None
        try:
            view = await self._reader.open(site.entity, site.expected.revision)
        except ContentCorrupt:
            return None  # a forced sync of a damaged site must store everything again
        return view.manifest.files

    async def _is_damaged(self, before: Mapping[str, Digest] | None) -> bool:
        """Whether the store lacks the one file of a revision that a build does not make again."""
        return before is not None and bool(await self._blobs.missing([before[METADATA_PATH]]))

    async def _keep(self, site: SiteToPublish, current: SitePointer) -> Published:
        if current.source_etag != site.source_etag:
            await self._sites.move_pointer(
                site.entity,
                to=current.revision,
                source_etag=site.source_etag,
                expected=current,
                now=self._clock.now(),
                cause=built(SiteAction.SOURCE_SEEN, site.build),
                fence=site.fence,
            )
        elif await self._sites.pointer(site.entity) != current:
            # Moved meanwhile: what this build calls current is not.
            raise RevisionConflict(str(site.entity))
        return Published(current.revision, updated=False)

    async def _replace(
        self, site: SiteToPublish, digests: Mapping[str, Digest]
    ) -> tuple[Published, Mapping[str, Digest]]:
        now = self._clock.now()
        metadata = SiteMetadata(
            site_name=site.generated.site_name,
            site_description=site.generated.site_description,
            etag=site.source_etag,
            build_timestamp=now,
            files=tuple(sorted({*digests, METADATA_PATH})),
        ).to_json()
        manifest = Manifest({**digests, METADATA_PATH: Digest.of(metadata)})
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
            site.entity,
            to=revision.revision,
            source_etag=site.source_etag,
            expected=site.expected,
            now=now,
            cause=built(SiteAction.PUBLISHED, site.build),
            fence=site.fence,
        )
        return Published(pointer.revision, updated=True), manifest.files

    async def _store_files(self, root: Path, digests: Mapping[str, Digest]) -> None:
        """Store what the store lacks of these files."""
        await self._blobs.put_files({digest: self._files.opener(root, path) for path, digest in digests.items()})


def _reused(site: SiteToPublish, previous: Mapping[str, Digest] | None) -> Mapping[str, Digest]:
    """Return the files that the generator left as they are, by the digests of the revision they are in.

    The generator says no digest: one that it made up could name a file of another site.
    """
    reused = site.generated.reused - {METADATA_PATH}
    unknown = reused - (previous or {}).keys()
    if unknown:
        raise BuildStepFailed(
            f"the generator reuses {min(unknown)!r}, which the current revision does not have",
            reason=BuildFailureReason.OUTPUT_REFUSED,
            hint="sync with force, which renders every page",
        )
    return {path: (previous or {})[path] for path in reused}


def _without_metadata(files: Mapping[str, Digest]) -> dict[str, Digest]:
    """Return files less the one that only we write."""
    return {path: digest for path, digest in files.items() if path != METADATA_PATH}


def no_front_page() -> BuildStepFailed:
    """Return the failure of a site without index.html."""
    return BuildStepFailed(
        "the documentation has no front page",
        reason=BuildFailureReason.OUTPUT_REFUSED,
        hint="add an index.md to the root of docs_dir, or let the first page of nav be one",
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
