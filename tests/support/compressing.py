"""A Compressor in this process, which tests hold, break and look into; and the service over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.compression.worker import compress
from techdocs_server.adapters.variants.memory import MemoryVariantStore
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.ports.blobs import BlobStore
from techdocs_server.ports.compressor import CompressorFailed
from techdocs_server.ports.variants import VariantStore
from techdocs_server.services.compressing import Variants

from tests.support.blob_content import stored


class HeldCompressor:
    """Remembers what it was given. Waits while ``gate`` is clear; fails for contents that hold ``poison``."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.rests = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison = b"this makes it fail"

    async def compress(self, content: bytes) -> Mapping[ContentEncoding, bytes]:
        self.given.append(content)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.poison in content:
            raise CompressorFailed("it is told to fail")
        brotli, gzip = compress(content)
        return {ContentEncoding.BROTLI: brotli, ContentEncoding.GZIP: gzip}

    async def rest(self) -> None:
        self.rests += 1


@dataclass
class Compressing:
    """The service over memory stores."""

    blobs: BlobStore
    store: VariantStore
    compressor: HeldCompressor
    variants: Variants

    @property
    def given(self) -> list[bytes]:
        """What was compressed so far, by the letter it consists of."""
        return [content[:1] for content in self.compressor.given]

    async def files(self, **pages: bytes) -> dict[str, Digest]:
        """Store contents; ``a=b"x"`` is a.html."""
        return {f"{name}.html": await stored(self.blobs, content) for name, content in pages.items()}


@asynccontextmanager
async def compressing(store: VariantStore | None = None, blobs: BlobStore | None = None) -> AsyncIterator[Compressing]:
    """Run the service until the context ends."""
    blobs, compressor, store = blobs or MemoryBlobStore(), HeldCompressor(), store or MemoryVariantStore()
    variants = Variants(blobs, store, compressor)
    running = asyncio.create_task(variants.run())
    try:
        yield Compressing(blobs, store, compressor, variants)
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
