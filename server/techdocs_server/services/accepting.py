"""Accepting a site that was built elsewhere: one stream in, one revision out.

Nothing is visible before every file is stored and verified; what `committing` says holds
from there. A stream that ends at any point can be repeated as it is. It sends less
then, because `presence` knows what the entity has sent already.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

from techdocs_server.domain.change import SiteAction
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import ContentCorrupt, RevisionConflict, RevisionNotFound, SiteNotFound
from techdocs_server.domain.publish import AnnouncedSite, PublishHeader, PublishLimits, PublishMessage
from techdocs_server.domain.publish_errors import BlobsMissing
from techdocs_server.domain.site import Revision, SitePointer
from techdocs_server.domain.site_metadata import METADATA_PATH
from techdocs_server.ports.blob_leases import BlobLeases
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.clock import Clock
from techdocs_server.ports.publish_requests import EarlierPublish, PublishAnswer, PublishRequest, PublishRequests
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.attribution import called
from techdocs_server.services.committing import NewRevision, Published, RevisionCommitter
from techdocs_server.services.compressing import Variants
from techdocs_server.services.incoming import IncomingPublish
from techdocs_server.services.presence import BlobPresence
from techdocs_server.services.reading import SiteReader
from techdocs_server.services.receiving import BlobReceiver
from techdocs_server.services.uploaded_metadata import SiteFacts, site_facts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of a publish. ``revision`` has no id when it was only checked, and would be a new one.

    ``pointer`` is that of the site after the publish, None when there is no site.
    """

    revision: Revision
    pointer: SitePointer | None
    updated: bool
    uploaded_bytes: int = 0
    reused_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Before:
    """The site as it was when the header came. ``files`` is None where they cannot be read."""

    pointer: SitePointer | None
    revision: Revision | None
    files: Mapping[str, Digest] | None

    def has(self, pages: Mapping[str, Digest]) -> bool:
        """Whether it consists of these pages."""
        files = self.files
        return files is not None and {path: files[path] for path in files if path != METADATA_PATH} == pages

    def is_called(self, facts: SiteFacts) -> bool:
        """Whether it says of itself what these facts say."""
        known = self.revision
        return known is not None and (known.site_name, known.site_description) == (
            facts.site_name,
            facts.site_description,
        )


class SiteAcceptor:
    """Publishes sites that come as streams. ``idle_seconds`` is how long a stream may send nothing."""

    def __init__(
        self,
        *,
        sites: SiteRecords,
        blobs: BlobStore,
        reader: SiteReader,
        presence: BlobPresence,
        leases: BlobLeases,
        requests: PublishRequests,
        clock: Clock,
        limits: PublishLimits,
        variants: Variants | None = None,
        idle_seconds: float = 60.0,
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._reader = reader
        self._presence = presence
        self._requests = requests
        self._clock = clock
        self._limits = limits
        self._variants = variants
        self._idle_seconds = idle_seconds
        self._committer = RevisionCommitter(sites, blobs, leases, clock)

    async def accept(self, messages: AsyncIterator[PublishMessage]) -> Accepted:
        """Publish what a stream announces and sends.

        Publishes nothing when the site consists of these files already, under this
        name and description; a new source etag is remembered then. An earlier publish with
        the request id of this one is answered as it was.

        Raises `StreamOrderInvalid`, `ManifestRefused`, `SentBytesMismatch`, `BlobsMissing`,
        `QuotaExceeded`, `RevisionConflict` when the site is not, or no longer, as
        expected, `RequestIdReused`, `DeadlineExceeded`, and `StorageUnavailable`.
        """
        stream = IncomingPublish(messages, idle_seconds=self._idle_seconds)
        header = await stream.header()
        before = await self._before(header.entity)
        site = await stream.site(header, self._limits)
        earlier = await self._earlier(site)
        if earlier is not None and earlier.answer is not None:
            return await self._answered(header.entity, earlier.answer)
        _check_expected(site, before, earlier)
        received = await self._receive(site, stream)
        facts = await site_facts(site, received.copied, self._blobs)
        published = await self._publish(site, facts, before)
        accepted = await self._accepted(site, facts, published, received)
        if not header.validate_only:
            await self._remember(site, published)
            _log.info(
                "site_accepted",
                extra={
                    "entity": str(header.entity),
                    "revision": published.revision,
                    "updated": published.updated,
                    "uploaded_bytes": accepted.uploaded_bytes,
                    "reused_bytes": accepted.reused_bytes,
                },
            )
        return accepted

    async def _before(self, entity: EntityRef) -> _Before:
        pointer = await self._sites.pointer(entity)
        if pointer is None:
            return _Before(None, None, None)
        revision = await self._sites.revision(entity, pointer.revision)
        try:
            view = await self._reader.open_own(entity, pointer.revision)
        except (ContentCorrupt, RevisionNotFound, SiteNotFound):
            return _Before(pointer, revision, None)  # damaged: this publish stores everything it lacks anew
        return _Before(pointer, revision, view.manifest.files)

    async def _earlier(self, site: AnnouncedSite) -> EarlierPublish | None:
        request = _request(site)
        return None if request is None else await self._requests.begin(request, now=self._clock.now())

    async def _remember(self, site: AnnouncedSite, published: Published) -> None:
        if (request := _request(site)) is not None:
            await self._requests.finish(request, PublishAnswer(published.revision, published.updated))

    async def _answered(self, entity: EntityRef, answer: PublishAnswer) -> Accepted:
        revision = await self._sites.revision(entity, answer.revision)
        if revision is None:
            raise RevisionNotFound(str(entity), answer.revision)
        return Accepted(revision, await self._sites.pointer(entity), answer.updated)

    async def _receive(self, site: AnnouncedSite, stream: IncomingPublish) -> BlobReceiver:
        """Take in the contents. Raises `BlobsMissing` when some were neither sent nor the entity's own."""
        entity, digests = site.header.entity, frozenset(site.files.values())
        if site.header.validate_only:
            missing, keeps = await self._presence.missing(entity, digests), None
        else:
            missing = await self._presence.missing_and_kept(entity, digests)
            keeps = partial(self._presence.keep, entity)
        copies = [site.files[METADATA_PATH]] if METADATA_PATH in site.files else []
        async with BlobReceiver(digests, blobs=self._blobs, keeps=keeps, copies=copies) as receiver:
            async for chunk in stream.chunks():
                await receiver.take(chunk)
            await receiver.finish()
        if left := missing - receiver.verified:
            raise BlobsMissing(str(entity), len(left))
        return receiver

    async def _publish(self, site: AnnouncedSite, facts: SiteFacts, before: _Before) -> Published:
        entity, pages, pointer = site.header.entity, site.pages, before.pointer
        is_same = before.has(pages) and before.is_called(facts)
        if site.header.validate_only:
            if await self._sites.pointer(entity) != pointer:
                raise RevisionConflict(str(entity))
            return Published(pointer.revision if pointer and is_same else "", updated=not is_same)
        if pointer is not None and is_same:
            return await self._committer.keep(
                entity, current=pointer, source_etag=facts.source_etag, cause=called(SiteAction.SOURCE_SEEN)
            )
        published, files = await self._committer.commit(
            NewRevision(
                entity=entity,
                files=pages,
                site_name=facts.site_name,
                site_description=facts.site_description,
                source_etag=facts.source_etag,
                build="",
                expected=pointer,
            ),
            cause=called(SiteAction.PUBLISHED),
            build_time=facts.build_time,
        )
        if self._variants is not None:
            self._variants.published(entity, files, before=before.files)
        return published

    async def _accepted(
        self, site: AnnouncedSite, facts: SiteFacts, published: Published, received: BlobReceiver
    ) -> Accepted:
        entity = site.header.entity
        revision = await self._sites.revision(entity, published.revision) if published.revision else None
        reused = frozenset(site.files.values()) - received.verified
        return Accepted(
            revision=revision or self._unstored(site, facts, published.revision),
            pointer=await self._sites.pointer(entity),
            updated=published.updated,
            uploaded_bytes=received.received_bytes,
            reused_bytes=sum(digest.size_bytes for digest in reused),
        )

    def _unstored(self, site: AnnouncedSite, facts: SiteFacts, revision: str) -> Revision:
        """Return what can be said of a revision that was only checked, or that is gone already."""
        pages = site.pages
        return Revision(
            entity=site.header.entity,
            revision=revision,
            create_time=self._clock.now(),
            manifest_bytes=0,
            file_count=len(pages) + 1,
            size_bytes=sum(digest.size_bytes for digest in pages.values()),
            build="",
            source_etag=facts.source_etag,
            site_name=facts.site_name,
            site_description=facts.site_description,
        )


def _request(site: AnnouncedSite) -> PublishRequest | None:
    """Return how a publish is remembered: not at all without an id, or when it changes nothing."""
    header: PublishHeader = site.header
    if not header.request_id or header.validate_only:
        return None
    return PublishRequest(header.request_id, site.fingerprint, header.entity)


def _check_expected(site: AnnouncedSite, before: _Before, earlier: EarlierPublish | None) -> None:
    """Raise `RevisionConflict` when another revision is current than the header expects."""
    expected = site.header.expected_revision
    current = before.pointer.revision if before.pointer else ""
    # A publish that moved the pointer and died before it said so finds its own revision.
    if expected and expected != current and not (earlier is not None and before.has(site.pages)):
        raise RevisionConflict(str(site.header.entity))
