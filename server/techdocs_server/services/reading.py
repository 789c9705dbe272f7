"""Reading published content: current revision, then manifest, then bytes.

Everything a caller gets from one `SiteView` belongs to one revision, whatever is
published meanwhile. Sites without a revision of ours may be in a bucket that
Backstage's own tools fill; see `classic_sites` for what holds of those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding, is_compressible
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import (
    BlobMissing,
    ContentCorrupt,
    ContentNotFound,
    DigestMismatch,
    RevisionNotFound,
    SiteNotFound,
)
from techdocs_server.domain.manifest import Manifest, ManifestInvalid
from techdocs_server.domain.media_type import media_type
from techdocs_server.domain.site_path import index_candidates
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.records import SiteRecords
from techdocs_server.services.classic_sites import ClassicContent, ClassicSites, ClassicView
from techdocs_server.services.compressing import Variants

CACHED_MANIFEST_FILES = 200_000
"""Files of all manifests in memory. An entry is about 300 bytes: 60 MB."""


@dataclass(frozen=True, slots=True)
class LocatedContent:
    """One file of one revision."""

    path: str
    revision: str
    digest: Digest
    last_modified: datetime | None = field(default=None, compare=False)
    """That of the `SiteView` it was found in."""

    @property
    def size_bytes(self) -> int:
        """Size of the whole file."""
        return self.digest.size_bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return self.digest.sha256

    @property
    def etag(self) -> str:
        """Strong entity tag with its quotes: the bytes' own digest."""
        return f'"{self.digest.sha256}"'


@dataclass(frozen=True, slots=True)
class LocatedVariant:
    """One file of one revision, compressed."""

    content: LocatedContent
    encoding: ContentEncoding
    digest: Digest

    @property
    def etag(self) -> str:
        """Strong entity tag with its quotes: the encoded bytes' own digest, unlike that of the file."""
        return f'"{self.digest.sha256}"'


@dataclass(frozen=True, slots=True)
class SiteView:
    """One revision of a site, open for reading.

    ``last_modified`` is when the site became this: when the pointer moved, which is later than any content that was
    served before, after a rollback too. Of a revision that is not current: when it was made. None where it is unknown.
    """

    entity: EntityRef
    revision: str
    manifest: Manifest
    last_modified: datetime | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path, sorted by code point."""
        return self.manifest.paths

    def locate(self, path: str) -> LocatedContent:
        """Return the file a requested path means. Raises `ContentNotFound`."""
        for candidate in index_candidates(path):
            if candidate in self.manifest.files:
                return self.content(candidate)
        raise ContentNotFound(str(self.entity), self.revision, path)

    def content(self, path: str) -> LocatedContent:
        """Return a file by its path, which must be one of ``paths``."""
        return LocatedContent(path, self.revision, self.manifest.files[path], self.last_modified)


AnyView: TypeAlias = SiteView | ClassicView
AnyContent: TypeAlias = LocatedContent | ClassicContent


class SiteReader:
    """Opens sites and reads their bytes."""

    def __init__(
        self,
        sites: SiteRecords,
        blobs: BlobStore,
        variants: Variants | None = None,
        classic: ClassicSites | None = None,
        *,
        cached_files: int = CACHED_MANIFEST_FILES,
    ) -> None:
        self._sites = sites
        self._blobs = blobs
        self._variants = variants
        self._classic = classic
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._cached_files = 0
        self._most_cached_files = cached_files

    async def open(self, entity: EntityRef, revision: str = "") -> AnyView:
        """Return the current revision of a site, or the one asked for; of a site that we do not have, the classic one.

        The current one needs nothing of the records but the pointer, which may be remembered: it is read while
        they are unavailable. Raises `SiteNotFound`, `RevisionNotFound`, `StorageUnavailable`, and
        `ContentCorrupt` when the manifest itself is damaged.
        """
        if self._classic is None or await self._sites.pointer(entity) is not None:
            return await self.open_own(entity, revision)
        view = await self._classic.open(entity)
        if view is None:
            raise SiteNotFound(str(entity))
        if revision not in ("", view.revision):
            raise RevisionNotFound(str(entity), revision)
        return view

    async def open_own(self, entity: EntityRef, revision: str = "") -> SiteView:
        """Do as `open`, and never look for a classic site."""
        pointer = await self._sites.pointer(entity)
        if pointer is None:
            raise SiteNotFound(str(entity))
        wanted = revision or pointer.revision
        # A cached manifest says nothing of whose it is: only the pointer, or the records, do.
        is_current = wanted == pointer.revision
        manifest_bytes, last_modified = (pointer.manifest_bytes, pointer.update_time) if is_current else (0, None)
        if not manifest_bytes:
            known = await self._sites.revision(entity, wanted)
            if known is None:
                raise RevisionNotFound(str(entity), wanted)
            manifest_bytes, last_modified = known.manifest_bytes, last_modified or known.create_time
        manifest = await self._manifest(entity, Digest(wanted, manifest_bytes))
        return SiteView(entity, wanted, manifest, last_modified)

    async def read(
        self, view: AnyView, content: AnyContent, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file, or a part of them.

        Raises `ContentCorrupt` and `StorageUnavailable`; before the first byte `ContentReplaced`, of a classic site.
        """
        try:
            async for chunk in self._chunks(view, content, offset, length):
                yield chunk
        except (BlobMissing, DigestMismatch) as error:
            raise ContentCorrupt(str(view.entity), content.path) from error

    async def read_all(self, view: AnyView, content: AnyContent) -> bytes:
        """Return all bytes of a file that the caller knows to be small."""
        return b"".join([chunk async for chunk in self.read(view, content)])

    async def locate_variant(self, content: AnyContent, encoding: ContentEncoding) -> LocatedVariant | None:
        """Return a file's variant in an encoding, or None when there is none now. Never an error: the file is there."""
        if self._variants is None or isinstance(content, ClassicContent):
            return None
        if not is_compressible(media_type(content.path), content.size_bytes):
            return None
        digest = await self._variants.locate(content.digest, encoding)
        return None if digest is None else LocatedVariant(content, encoding, digest)

    async def read_variant(self, variant: LocatedVariant) -> bytes | None:
        """Return all bytes of a variant, checked, or None when it was lost or damaged since it was located.

        The caller then serves the file itself. They are fewer than 30 MiB, and some 60 KB for a page.
        """
        if self._variants is None:
            return None
        found = await self._variants.read(variant.content.digest, variant.encoding)
        # Another one by now: its entity tag is not the one that the caller knows.
        return found.content if found is not None and found.digest == variant.digest else None

    def _chunks(self, view: AnyView, content: AnyContent, offset: int, length: int | None) -> AsyncIterator[bytes]:
        if isinstance(content, LocatedContent):
            return self._blobs.get(content.digest, offset=offset, length=length)
        if self._classic is None or isinstance(view, SiteView):
            raise ValueError("a file of a classic site is read with its own view, by the reader that opened it")
        return self._classic.read(view, content, offset=offset, length=length)

    async def _manifest(self, entity: EntityRef, digest: Digest) -> Manifest:
        if (cached := self._manifests.get(digest.sha256)) is not None:
            self._manifests.move_to_end(digest.sha256)
            return cached
        try:
            content = b"".join([chunk async for chunk in self._blobs.get(digest)])
            manifest = Manifest.parse(content)
        except (BlobMissing, DigestMismatch, ManifestInvalid) as error:
            raise ContentCorrupt(str(entity), "its manifest") from error
        self._remember(digest.sha256, manifest)
        return manifest

    def _remember(self, revision: str, manifest: Manifest) -> None:
        if self._manifests.setdefault(revision, manifest) is manifest:
            self._cached_files += len(manifest.files)
        while self._cached_files > self._most_cached_files and len(self._manifests) > 1:
            _, dropped = self._manifests.popitem(last=False)
            self._cached_files -= len(dropped.files)
