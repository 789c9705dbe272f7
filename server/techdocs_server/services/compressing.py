"""Making compressed variants of what is published, after it is published.

Readers never wait for it and neither does a publish: it hands over what it
published when the pointer has moved, and goes on. What is handed over is lost with
the process, or when there is too much of it; the next publish of the site hands
over the whole site again, and a reader who asks in vain makes the blob wanted.

While a build runs nothing is made; what was under way is given up, and begun again
after it. The priority is the lowest anyway, but the search index of a large site would
go on for a second into the build, and to compress it twice costs nobody anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding, is_worth_keeping
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import BlobMissing, DigestMismatch, StorageUnavailable
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.compressor import Compressor, CompressorFailed
from techdocs_server.ports.variants import Variant, VariantStore
from techdocs_server.services.variant_queue import SiteWork, VariantQueue

_log = logging.getLogger(__name__)

# A content that the compressor cannot do is skipped; where it can do none, all others would only cost time.
_MOST_FAILURES = 3


class Variants:
    """Makes variants with `run`, for the whole life of the server, and finds them for readers."""

    def __init__(self, blobs: BlobStore, store: VariantStore, compressor: Compressor) -> None:
        self._blobs = blobs
        self._store = store
        self._compressor = compressor
        self._queue = VariantQueue()
        self._builds = 0
        self._no_build_runs = asyncio.Event()
        self._no_build_runs.set()
        self._making: asyncio.Future[int] | None = None
        self._failures = 0

    def published(self, entity: EntityRef, files: Mapping[str, Digest], *, before: Mapping[str, Digest] | None) -> None:
        """Take over the files of a site, of which ``before`` were there already. Does not block and never fails."""
        self._queue.add(entity, files, before=before or {})

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Make nothing while the context lasts."""
        self._builds += 1
        self._no_build_runs.clear()
        if self._making is not None:
            self._making.cancel()
        try:
            yield
        finally:
            self._builds -= 1
            if self._builds == 0:
                self._no_build_runs.set()

    async def locate(self, identity: Digest, encoding: ContentEncoding) -> Digest | None:
        """Return the digest of a variant, or None when there is none now. One not tried yet will be.

        A store that does not answer has no variants: the blob itself is what counts.
        """
        try:
            decision = await self._store.locate(identity, encoding)
        except StorageUnavailable:
            return None
        if decision is None:
            self._queue.want(identity)
            return None
        return decision.variant

    async def read(self, identity: Digest, encoding: ContentEncoding) -> Variant | None:
        """Return a variant, or None when there is none now, whatever `locate` said before."""
        try:
            variant = await self._store.get(identity, encoding)
        except StorageUnavailable:
            return None
        if variant is None:
            # Asks again what came of it, and wants it if that is not known any more.
            await self.locate(identity, encoding)
        return variant

    async def run(self) -> None:
        """Make variants until cancelled. What is under way then is given up at once."""
        while True:
            await self._queue.filled()
            while not self._queue.is_empty:
                await self._step()
            await self._compressor.rest()

    async def _step(self) -> None:
        await self._no_build_runs.wait()
        site, digests = self._queue.take()
        try:
            missing = await self._store.missing(digests)
            for digest in digests:
                if digest in missing:
                    _count(site, await self._made_between_builds(digest))
        except Exception as error:
            self._give_up(site, error)
        if site is not None and site.is_done and site.made:
            _log.info(
                "variants_made",
                extra={"entity": str(site.entity), "blobs": site.made, "saved_bytes": site.saved_bytes},
            )

    async def _made_between_builds(self, digest: Digest) -> int:
        while True:
            await self._no_build_runs.wait()
            making = self._making = asyncio.ensure_future(self._make(digest))
            try:
                await asyncio.wait([making])
            finally:
                self._making = None
                if not making.done():  # we are cancelled ourselves
                    making.cancel()
                    await asyncio.gather(making, return_exceptions=True)
            if not making.cancelled():
                return making.result()

    async def _make(self, digest: Digest) -> int:
        """Make and store the variants of a blob; return by how much the smallest of them is smaller."""
        try:
            content = b"".join([chunk async for chunk in self._blobs.get(digest)])
            encoded = await self._compressor.compress(content)
        except (BlobMissing, DigestMismatch):
            return 0  # who reads the blob is told; there is nothing to compress
        except CompressorFailed as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise
            _log.warning("variant_failed", extra={"identity": digest.sha256, "problem": str(error)})
            return 0
        self._failures = 0
        kept = {
            encoding: variant if is_worth_keeping(len(variant), of_bytes=digest.size_bytes) else None
            for encoding, variant in encoded.items()
        }
        await self._store.put(digest, kept)
        return max(0 if variant is None else digest.size_bytes - len(variant) for variant in kept.values())

    def _give_up(self, site: SiteWork | None, error: Exception) -> None:
        """Leave out the rest of a site: whatever is wrong would most likely be wrong with each further blob."""
        self._failures = 0
        if site is not None:
            self._queue.drop(site)
        expected = isinstance(error, StorageUnavailable | CompressorFailed)
        _log.warning(
            "variants_given_up",
            extra={"entity": "" if site is None else str(site.entity), "problem": str(error)},
            exc_info=None if expected else error,
        )


def _count(site: SiteWork | None, saved_bytes: int) -> None:
    if site is not None and saved_bytes:
        site.made += 1
        site.saved_bytes += saved_bytes
