"""Making the records of sites again from what the store of contents knows of them."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BlobMissing, DigestMismatch
from techdocs_server.domain.manifest import Manifest, ManifestInvalid
from techdocs_server.domain.site import Revision
from techdocs_server.domain.site_snapshot import SiteSnapshot
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.saved_sites import SiteRestoring
from techdocs_server.ports.site_snapshots import FoundSnapshot, SiteSnapshots

VERSIONS_AHEAD = 1_000
"""How far the version of a restored pointer is above the newest that the store knows of.

The lost records may have moved it after that, and clients may hold etags of then: some seconds' worth as
a rule, and more when the store was away.
"""

_BATCH = 1_000


class Outcome(enum.StrEnum):
    """What became of a site."""

    RESTORED = "recovered"
    """It serves the revision of its snapshot."""
    DELETED = "deleted before"
    """Its snapshot says that it was deleted, and so do the records now."""
    KNOWN = "known already"
    """The records know of it, and nothing was changed."""
    FAILED = "NOT recovered"
    """Nothing of it can be served. Its next publish has a version above all from before."""


@dataclass(frozen=True, slots=True)
class RestoredSite:
    """A site of which there is a snapshot, and what became of it. ``problems`` are sentences for the operator."""

    entity: EntityRef
    outcome: Outcome
    revision: str = ""
    revision_count: int = 0
    problems: tuple[str, ...] = ()


class SiteRestorer:
    """Restores every site that is missing.

    Of each revision the manifest is read, and unless ``checks_files`` is false the store is
    asked for the files it names. A revision that is not whole is left out; when it is the
    current one the site fails. Remembers every file that is there, about 110 bytes each.
    """

    def __init__(
        self,
        sites: SiteRestoring,
        snapshots: SiteSnapshots,
        blobs: BlobStore,
        clock: Clock,
        *,
        checks_files: bool = True,
    ) -> None:
        self._sites = sites
        self._snapshots = snapshots
        self._blobs = blobs
        self._clock = clock
        self._checks_files = checks_files
        self._stored: set[bytes] = set()

    async def restore(self, *, dry_run: bool) -> AsyncIterator[RestoredSite]:
        """Restore sites one by one, and yield what became of each; a dry run changes nothing and says the same.

        Raises `StorageUnavailable`; what was restored before stays so.
        """
        async for found in self._snapshots.newest():
            if not await self._sites.is_missing(found.entity):
                yield RestoredSite(found.entity, Outcome.KNOWN)
                continue
            yield await self._restore(found, dry_run=dry_run)

    async def _restore(self, found: FoundSnapshot, *, dry_run: bool) -> RestoredSite:
        version = found.newest_version + VERSIONS_AHEAD
        problems = list(found.problems)
        whole = None if found.snapshot is None else await self._whole(found.snapshot, problems)
        if whole is None:
            if not dry_run:
                await self._sites.reserve(found.entity, version=version - 1)
            return RestoredSite(found.entity, Outcome.FAILED, problems=tuple(problems))
        if not dry_run and not await self._sites.restore(whole, version=version, now=self._clock.now()):
            return RestoredSite(found.entity, Outcome.KNOWN)
        outcome = Outcome.DELETED if whole.pointer is None else Outcome.RESTORED
        revision = "" if whole.pointer is None else whole.pointer.revision
        return RestoredSite(found.entity, outcome, revision, len(whole.revisions), tuple(problems))

    async def _whole(self, snapshot: SiteSnapshot, problems: list[str]) -> SiteSnapshot | None:
        """Return the snapshot without revisions that are not whole; None when the current one is not."""
        whole: list[Revision] = []
        for revision in snapshot.revisions:
            if problem := await self._problem(revision):
                problems.append(f"revision {revision.revision}: {problem}")
            else:
                whole.append(revision)
        if snapshot.pointer is not None and snapshot.pointer.revision not in {each.revision for each in whole}:
            return None
        return replace(snapshot, revisions=tuple(whole))

    async def _problem(self, revision: Revision) -> str:
        """Return what a revision lacks; empty when it is whole."""
        digest = Digest(revision.revision, revision.manifest_bytes)
        try:
            manifest = Manifest.parse(b"".join([chunk async for chunk in self._blobs.get(digest)]))
        except BlobMissing:
            return "its manifest is not in the store"
        except (DigestMismatch, ManifestInvalid):
            return "its manifest is damaged"
        missing = await self._missing(tuple(manifest.files.values())) if self._checks_files else 0
        return f"{missing} of its files are not in the store" if missing else ""

    async def _missing(self, files: Sequence[Digest]) -> int:
        unknown = [file for file in dict.fromkeys(files) if bytes.fromhex(file.sha256) not in self._stored]
        missing: set[Digest] = set()
        for start in range(0, len(unknown), _BATCH):
            missing |= await self._blobs.missing(unknown[start : start + _BATCH])
        self._stored.update(bytes.fromhex(file.sha256) for file in unknown if file not in missing)
        return len(missing)
