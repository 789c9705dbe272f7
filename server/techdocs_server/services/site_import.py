"""Bringing classic sites over: every file downloaded, verified and stored, then one revision of ours.

The bucket is only read. What broke off can be repeated: files that are stored
already are not stored again, and sites that have a revision are left alone.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.classic_errors import ContentReplaced
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt
from techdocs_server.domain.site import SitePointer
from techdocs_server.domain.site_metadata import METADATA_PATH, SiteMetadata
from techdocs_server.domain.site_path import INDEX
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.classic import ClassicBucket, ClassicFileGone
from techdocs_server.ports.records import SiteRecords
from techdocs_server.ports.spool import Spool, Spooled
from techdocs_server.services.attribution import called
from techdocs_server.services.classic_metadata import classic_metadata
from techdocs_server.services.classic_sites import ClassicContent, ClassicSites, ClassicView
from techdocs_server.services.committing import NewRevision, RevisionCommitter
from techdocs_server.services.reading import SiteReader

# Files that wait together for being stored: few enough for the disk, enough to share its flushes.
_BATCH_FILES, _BATCH_BYTES = 64, 64 * 1024**2

SOURCE_ETAG_PREFIX = "classic:"
"""Begins the source etag of what was imported. A build's is hexadecimal, so a sync always sees another source."""


class ImportOutcome(enum.StrEnum):
    """What became of one site."""

    IMPORTED = "imported"
    """It has a new revision, which is current."""
    UNCHANGED = "unchanged"
    """The current revision is what was imported before, and is what is there now."""
    SKIPPED = "skipped"
    """It has a revision already, and that was not to be replaced."""
    FOUND = "found"
    """It would be imported; this was to find out only."""


@dataclass(frozen=True, slots=True)
class ImportedSite:
    """What became of one site, and how large it is; of a skipped one nothing is known."""

    outcome: ImportOutcome
    revision: str = ""
    file_count: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """How large a site may be, and how many files are downloaded at a time."""

    max_bytes: int
    max_files: int
    concurrency: int


class ImportRefused(Exception):
    """A site that cannot be imported as it is in the bucket. The message says why."""


class SiteImporter:
    """Imports one site at a time."""

    def __init__(
        self,
        *,
        bucket: ClassicBucket,
        sites: SiteRecords,
        blobs: BlobStore,
        reader: SiteReader,
        committer: RevisionCommitter,
        spool: Spool,
        limits: ImportLimits,
    ) -> None:
        self._bucket = bucket
        # Believes no listing: what is imported is what is there.
        self._classic = ClassicSites(bucket, fresh_seconds=0, believed_for=0)
        self._sites = sites
        self._blobs = blobs
        self._reader = reader
        self._committer = committer
        self._spool = spool
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)

    async def import_site(self, entity: EntityRef, *, replace: bool = False, dry_run: bool = False) -> ImportedSite:
        """Make the files of a classic site the current revision of it, as it is there, with its name and its time.

        A site with a revision is skipped unless it is to be replaced. ``dry_run`` looks
        at the listing and the metadata and changes nothing. When a file is replaced
        under way, it begins once more.

        Raises `ImportRefused` for a site that the bucket does not have, that has no
        front page, is too large, or has a file that is not what its size and entity tag
        say; `ContentCorrupt` for metadata that are none; `RevisionConflict` and
        `StorageUnavailable`. After a failure the site is as it was.
        """
        pointer = await self._sites.pointer(entity)
        if pointer is not None and not replace:
            return ImportedSite(ImportOutcome.SKIPPED, pointer.revision)
        try:
            return await self._import(entity, pointer, dry_run=dry_run)
        except ContentReplaced:
            return await self._import(entity, pointer, dry_run=dry_run)

    async def _import(self, entity: EntityRef, pointer: SitePointer | None, *, dry_run: bool) -> ImportedSite:
        view = await self._classic.open(entity)
        if view is None:
            raise ImportRefused("the bucket has no such site")
        contents = [view.content(path) for path in view.paths if path != METADATA_PATH]
        self._check(view, contents)
        metadata = await classic_metadata(view, lambda content: self._read(view, content))
        size = sum(content.size_bytes for content in contents)
        if dry_run:
            return ImportedSite(ImportOutcome.FOUND, "", len(contents), size)
        files: dict[str, Digest] = {}
        for batch in _batches(contents):
            files |= await self._stored(view, batch)
        new = _new_revision(view, files, metadata, pointer)
        if pointer is not None and await self._is_current(new, pointer):
            return ImportedSite(ImportOutcome.UNCHANGED, pointer.revision, len(files), size)
        await self._committer.hold(entity, files.values())
        published, _ = await self._committer.commit(
            new, build_time=metadata.build_timestamp, cause=called(SiteAction.IMPORTED)
        )
        return ImportedSite(ImportOutcome.IMPORTED, published.revision, len(files), size)

    def _check(self, view: ClassicView, contents: Sequence[ClassicContent]) -> None:
        size = sum(content.size_bytes for content in contents)
        if INDEX not in view.files:
            raise ImportRefused(f"it has no {INDEX}")
        if len(contents) > self._limits.max_files or size > self._limits.max_bytes:
            raise ImportRefused(
                f"it has {len(contents)} files of {size} bytes; "
                f"site_max_files is {self._limits.max_files}, site_max_bytes {self._limits.max_bytes}"
            )

    async def _stored(self, view: ClassicView, batch: Sequence[ClassicContent]) -> Mapping[str, Digest]:
        """Download files, as many at once as the limit says, and store what the store lacks of them."""
        arrived: dict[str, Spooled] = {}

        async def fetch(content: ClassicContent) -> None:
            async with self._slots:
                arrived[content.path] = spooled = await self._spool.take(self._classic.read(view, content))
            await self._verify(content, spooled)

        try:
            async with asyncio.TaskGroup() as downloads:
                for content in batch:
                    downloads.create_task(fetch(content))
            await self._committer.hold(view.entity, [spooled.digest for spooled in arrived.values()])
            await self._blobs.put_files({spooled.digest: spooled.open for spooled in arrived.values()})
        except ExceptionGroup as failures:
            # One is enough to know, and the first of them is why the others ended.
            raise failures.exceptions[0] from failures
        finally:
            for spooled in arrived.values():
                spooled.discard()
        return {path: spooled.digest for path, spooled in arrived.items()}

    async def _verify(self, content: ClassicContent, spooled: Spooled) -> None:
        if spooled.digest.size_bytes == content.size_bytes and spooled.md5 == content.file.etag:
            return
        try:
            is_md5 = await self._bucket.etag_is_md5(content.file)
        except ClassicFileGone as error:
            raise ContentReplaced(content.path) from error
        if is_md5 or spooled.digest.size_bytes != content.size_bytes:
            raise ImportRefused(
                f"{content.path!r} is damaged: its {spooled.digest.size_bytes} bytes with MD5 {spooled.md5} "
                f"are not the {content.size_bytes} bytes with entity tag {content.file.etag} that are listed"
            )

    async def _is_current(self, new: NewRevision, pointer: SitePointer) -> bool:
        if pointer.source_etag != new.source_etag:
            return False
        try:
            files = (await self._reader.open_own(new.entity, pointer.revision)).manifest.files
        except ContentCorrupt:
            return False
        return {path: digest for path, digest in files.items() if path != METADATA_PATH} == new.files

    async def _read(self, view: ClassicView, content: ClassicContent) -> bytes:
        return b"".join([chunk async for chunk in self._classic.read(view, content)])


def _new_revision(
    view: ClassicView, files: Mapping[str, Digest], metadata: SiteMetadata, pointer: SitePointer | None
) -> NewRevision:
    return NewRevision(
        entity=view.entity,
        files=files,
        site_name=metadata.site_name,
        site_description=metadata.site_description,
        source_etag=SOURCE_ETAG_PREFIX + (metadata.etag or view.revision),
        build="",
        expected=pointer,
    )


def _batches(contents: Sequence[ClassicContent]) -> Iterator[Sequence[ClassicContent]]:
    rest = iter(contents)
    while batch := list(islice(rest, 1)):
        size = batch[0].size_bytes
        for content in islice(rest, _BATCH_FILES - 1):
            batch.append(content)
            size += content.size_bytes
            if size > _BATCH_BYTES:
                break
        yield batch
