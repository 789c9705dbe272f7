"""Variants as files of a local disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.adapters.variants.variant_files import VariantFiles
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.ports.variants import Decision, Variant

_READERS = 4


class FilesystemVariantStore:
    """A VariantStore below one folder. See `VariantFiles` for the layout and the order of a put.

    Constructing makes the folder; it blocks and raises `StorageUnavailable`. Call
    `close` in the end. Readers have threads of their own: whoever makes variants
    does not keep a page waiting.
    """

    def __init__(self, root: Path) -> None:
        self._files = VariantFiles(root)
        self._readers = ThreadPool(_READERS, name="variant-read")
        self._writer = ThreadPool(1, name="variant-write")

    async def close(self) -> None:
        """End the threads after what is in flight. Later calls raise `StorageUnavailable`."""
        await self._readers.close()
        await self._writer.close()
        self._files.close()

    async def put(self, identity: Digest, variants: Mapping[ContentEncoding, bytes | None]) -> None:
        """See `VariantStore`."""
        await self._writer.run(self._put, identity, variants)

    async def locate(self, identity: Digest, encoding: ContentEncoding) -> Decision | None:
        """See `VariantStore`. One hop."""
        return await self._readers.run(self._files.locate, identity, encoding)

    async def get(self, identity: Digest, encoding: ContentEncoding) -> Variant | None:
        """See `VariantStore`. One hop."""
        return await self._readers.run(self._files.get, identity, encoding)

    async def missing(self, identities: Collection[Digest]) -> frozenset[Digest]:
        """See `VariantStore`. One hop."""
        return await self._writer.run(self._files.missing, identities)

    async def delete(self, sha256s: Collection[str]) -> None:
        """See `VariantStore`. One hop."""
        await self._writer.run(self._files.delete, sha256s)

    def _put(self, identity: Digest, variants: Mapping[ContentEncoding, bytes | None]) -> None:
        for encoding, content in variants.items():
            self._files.put(identity, encoding, content)
