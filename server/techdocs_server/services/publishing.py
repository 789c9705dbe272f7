"""Making a generated site the current revision: its files are stored, then committed.

What `committing` says holds for the whole of it, because no file is committed
before it is stored: readers see the old revision or the new one, and a publish
that broke off can be repeated as it is. Nothing is deleted by a publish, and
before it asks what is stored it leases what it needs, so that nobody else deletes that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed, ContentCorrupt
from techdocs_server.domain.site import SitePointer
from techdocs_server.domain.site_metadata import METADATA_PATH
from techdocs_server.domain.site_path import INDEX
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.generator import GeneratedSite
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.site_files import SiteFiles
from techdocs_server.services.attribution import built
from techdocs_server.services.committing import NewRevision, Published, RevisionCommitter
from techdocs_server.services.compressing import Variants
from techdocs_server.services.patience import IN_BUILDS, Patience
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


class Publisher:
    """Publishes generated sites."""

    def __init__(
        self,
        sites: SiteRecords,
        blobs: BlobStore,
        files: SiteFiles,
        reader: SiteReader,
        leases: BlobLeases,
        clock: Clock,
        variants: Variants | None = None,
        patience: Patience = IN_BUILDS,
    ) -> None:
        self._committer = RevisionCommitter(sites, blobs, leases, clock, patience)
        self._blobs = blobs
        self._files = files
        self._reader = reader
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
        uncertain = {path: digest for path, digest in written.items() if digest not in known}
        if site.expected is None or previous != digests or (site.stores_everything and await self._is_damaged(before)):
            draft = self._committer.draft(_new_revision(site, digests))
            # What the expected revision has needs no lease: if it is not current all the while, the commit fails.
            await self._committer.lease(draft, frozenset(digests.values()).difference((previous or {}).values()))
            await self._store_files(site.root, uncertain)
            published, files = await self._committer.commit_draft(
                draft, cause=built(SiteAction.PUBLISHED, site.build), fence=site.fence
            )
        else:
            await self._store_files(site.root, uncertain)
            kept = await self._committer.keep(
                site.entity,
                current=site.expected,
                source_etag=site.source_etag,
                cause=built(SiteAction.SOURCE_SEEN, site.build),
                fence=site.fence,
            )
            published, files = kept, digests
        if self._variants is not None:
            self._variants.published(site.entity, files, before=before)
        return published

    async def _manifest_before(self, site: SiteToPublish) -> Mapping[str, Digest] | None:
        """Return the files of the current revision, or None where they cannot serve as a base."""
        if site.expected is None:
            return None
        try:
            view = await self._reader.open_own(site.entity, site.expected.revision)
        except ContentCorrupt:
            return None  # a forced sync of a damaged site must store everything again
        return view.manifest.files

    async def _is_damaged(self, before: Mapping[str, Digest] | None) -> bool:
        """Whether the store lacks the one file of a revision that a build does not make again."""
        return before is not None and bool(await self._blobs.missing([before[METADATA_PATH]]))

    async def _store_files(self, root: Path, digests: Mapping[str, Digest]) -> None:
        """Store what the store lacks of these files."""
        await self._blobs.put_files({digest: self._files.opener(root, path) for path, digest in digests.items()})


def _new_revision(site: SiteToPublish, files: Mapping[str, Digest]) -> NewRevision:
    return NewRevision(
        entity=site.entity,
        files=files,
        site_name=site.generated.site_name,
        site_description=site.generated.site_description,
        source_etag=site.source_etag,
        build=site.build,
        expected=site.expected,
    )


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
