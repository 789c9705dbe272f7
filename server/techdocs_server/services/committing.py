"""Making stored files the current revision of a site.

What always holds, wherever a commit stops:

* every digest that a stored manifest names is stored before the manifest;
* every manifest is stored before a pointer names it;
* a pointer moves by compare-and-set on its version;
* nothing is deleted by a commit.

So readers see the old revision or the new one, and a commit that broke off can be
repeated as it is. To store the files first is the caller's part of the first rule.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from techdocs_server.domain.build import BuildFence
from techdocs_server.domain.change import Cause
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import RevisionConflict, StorageUnavailable
from techdocs_server.domain.manifest import Manifest
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.lease_times import LEASE, LONGEST_PUBLISH
from techdocs_server.services.patience import NONE, Patience


@dataclass(frozen=True, slots=True)
class NewRevision:
    """Files, all stored already, and what their metadata say. The metadata file is not among them: a commit adds it.

    ``build`` is the id of the build that made them, empty when none did. ``expected``
    is the pointer as it was when the work began, None when there was no site.
    """

    entity: EntityRef
    files: Mapping[str, Digest]
    site_name: str
    site_description: str
    source_etag: str
    build: str
    expected: SitePointer | None


@dataclass(frozen=True, slots=True)
class RevisionDraft:
    """A revision that nobody knows of yet: its manifest and its metadata file, and when it was drafted."""

    new: NewRevision
    manifest: Manifest
    metadata: bytes
    draft_time: datetime

    @property
    def own_digests(self) -> frozenset[Digest]:
        """What a commit stores itself: the metadata file and the manifest."""
        return frozenset({self.manifest.files[METADATA_PATH], self.manifest.digest})


@dataclass(frozen=True, slots=True)
class Published:
    """The revision that is current after a publish, and whether the publish made it so."""

    revision: str
    updated: bool


class RevisionCommitter:
    """Makes revisions of stored files, and moves pointers. ``patience`` is how long it waits for records."""

    def __init__(
        self,
        sites: SiteRecords,
        blobs: BlobStore,
        leases: BlobLeases,
        clock: Clock,
        patience: Patience = NONE,
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._leases = leases
        self._clock = clock
        self._patience = patience

    def draft(self, new: NewRevision, *, build_time: datetime | None = None) -> RevisionDraft:
        """Return what a commit would make of the files. ``build_time`` is what the metadata say, now by default."""
        now = self._clock.now()
        metadata = SiteMetadata(
            site_name=new.site_name,
            site_description=new.site_description,
            etag=new.source_etag,
            build_timestamp=build_time or now,
            files=tuple(sorted({*new.files, METADATA_PATH})),
        ).to_json()
        return RevisionDraft(new, Manifest({**new.files, METADATA_PATH: Digest.of(metadata)}), metadata, now)

    async def commit(
        self, new: NewRevision, *, cause: Cause, build_time: datetime | None = None, fence: BuildFence | None = None
    ) -> tuple[Published, Mapping[str, Digest]]:
        """Make the files a revision, and that the current one; return it, and its files with the metadata file.

        The caller holds leases of the files that the expected revision does not have, which last
        for `LIVE_SET` after this; those of the metadata file and the manifest are taken here.
        ``build_time`` is what the metadata say of when the site was built, now by default.
        The change is written down with its cause. Raises `RevisionConflict` when the pointer
        moved since ``new.expected`` was read, `StorageUnavailable`, and `BuildSuperseded` as
        `SiteRecords.move_pointer` does. May be repeated after any failure.
        """
        draft = self.draft(new, build_time=build_time)
        await self.lease(draft)
        return await self.commit_draft(draft, cause=cause, fence=fence)

    async def lease(self, draft: RevisionDraft, files: Collection[Digest] = ()) -> None:
        """Lease what a commit stores, and files, before anybody asks whether they are stored."""
        await self.hold(draft.new.entity, draft.own_digests.union(files))

    async def hold(self, entity: EntityRef, files: Collection[Digest]) -> None:
        """Lease files for an entity, for as long as a publish may take."""
        until = self._clock.now() + LEASE
        await self._patience.until_answered(lambda: self._leases.take(entity, files, until=until))

    async def commit_draft(
        self, draft: RevisionDraft, *, cause: Cause, fence: BuildFence | None = None
    ) -> tuple[Published, Mapping[str, Digest]]:
        """Commit what was drafted, leased and stored; see `commit`.

        Raises `StorageUnavailable` also when that began so long ago that the leases end too soon.
        """
        new, manifest, metadata, now = draft.new, draft.manifest, draft.metadata, draft.draft_time
        await self._blobs.put(Digest.of(metadata), _once(metadata))
        await self._blobs.put(manifest.digest, _once(manifest.canonical))
        # From here on a collector that read the revisions before must find the leases for as long as it relies on that.
        if self._clock.now() - draft.draft_time > LONGEST_PUBLISH:
            raise StorageUnavailable(f"storing the site took longer than {LONGEST_PUBLISH}")
        added = Revision(
            entity=new.entity,
            revision=manifest.revision,
            create_time=now,
            manifest_bytes=manifest.digest.size_bytes,
            file_count=len(manifest.files),
            size_bytes=manifest.size_bytes,
            build=new.build,
            source_etag=new.source_etag,
            site_name=new.site_name,
            site_description=new.site_description,
        )
        revision = await self._patience.until_answered(lambda: self._sites.add_revision(added))
        pointer = await self._move_pointer(
            new.entity,
            to=revision.revision,
            source_etag=new.source_etag,
            expected=new.expected,
            now=now,
            cause=cause,
            fence=fence,
        )
        return Published(pointer.revision, updated=True), manifest.files

    async def keep(
        self,
        entity: EntityRef,
        *,
        current: SitePointer,
        source_etag: str,
        cause: Cause,
        fence: BuildFence | None = None,
    ) -> Published:
        """Leave the current revision as it is, and remember the source synced last.

        A new source is a change, and written down with its cause; the same is none.
        Raises `RevisionConflict` when ``current`` is not the pointer any more,
        `StorageUnavailable`, and `BuildSuperseded` as `SiteRecords.move_pointer` does.
        """
        if current.source_etag != source_etag:
            await self._move_pointer(
                entity,
                to=current.revision,
                source_etag=source_etag,
                expected=current,
                now=self._clock.now(),
                cause=cause,
                fence=fence,
            )
        elif await self._sites.pointer(entity) != current:
            # Moved meanwhile: what this publish calls current is not.
            raise RevisionConflict(str(entity))
        return Published(current.revision, updated=False)

    async def _move_pointer(
        self,
        entity: EntityRef,
        *,
        to: str,
        source_etag: str,
        expected: SitePointer | None,
        now: datetime,
        cause: Cause,
        fence: BuildFence | None,
    ) -> SitePointer:
        """Do as `SiteRecords.move_pointer`, with patience: a move whose answer did not come is not taken for another's."""
        is_repeated = False

        async def move() -> SitePointer:
            nonlocal is_repeated
            try:
                return await self._sites.move_pointer(
                    entity, to=to, source_etag=source_etag, expected=expected, now=now, cause=cause, fence=fence
                )
            except RevisionConflict:
                current = await self._sites.pointer(entity) if is_repeated else None
                if current is None or (current.revision, current.source_etag) != (to, source_etag):
                    raise
                return current
            finally:
                is_repeated = True

        return await self._patience.until_answered(move)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
