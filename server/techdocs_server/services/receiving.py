"""Taking in the contents of a publish: chunks in, verified and leased blobs out, with flat memory.

The order of what happens to one content matters twice:

* It is *verified before it is leased*. A lease makes it the entity's own, and who could
  have one without the bytes could publish files of others.
* It is *leased before it is stored*, so that nothing collects it in between.

The store's own check is not enough for the first: a store may skip reading what it has.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch, StorageUnavailable
from techdocs_server.domain.publish import Chunk
from techdocs_server.domain.publish_errors import SentBytesMismatch, StreamOrderInvalid
from techdocs_server.ports.blobs import BlobStore

_SMALL_BYTES = 256 * 1024
"""Contents up to this size are gathered and stored together, for one lease and few writes; larger ones flow."""
_BATCH_BYTES = 2 * 1024**2
_BATCH_BLOBS = 256
_QUEUED_CHUNKS = 4
"""At most 1 MiB between the network and the store."""
_SALVAGE_SECONDS = 5.0


class Keeper(Protocol):
    """Leases verified contents."""

    async def __call__(self, digests: Collection[Digest]) -> None:
        """Return when they are leased. Raises `StorageUnavailable`."""
        ...


@dataclass
class _Content:
    """The content that is coming in."""

    digest: Digest
    received: int = 0
    hashed: hashlib._Hash = field(default_factory=hashlib.sha256)
    gathered: bytearray = field(default_factory=bytearray)
    large: _LargeContent | None = None

    @property
    def is_whole(self) -> bool:
        return self.received == self.digest.size_bytes


class BlobReceiver:
    """Takes the chunks of one stream. Use it as a context manager: at its end nothing of it runs any more.

    With ``keeps`` None everything is checked and nothing is stored. ``copies`` are
    digests whose bytes are in `copied` as well, once they are verified.

    Leaving the context with an error still stores the contents that were whole by
    then, so that a repeat need not send them.
    """

    def __init__(
        self,
        announced: Iterable[Digest],
        *,
        blobs: BlobStore,
        keeps: Keeper | None,
        copies: Collection[Digest] = (),
    ) -> None:
        self._announced: Mapping[str, Digest] = {digest.sha256: digest for digest in announced}
        self._store = None if keeps is None else _Storing(blobs, keeps)
        self._copies = frozenset(copies)
        self._current: _Content | None = None
        self.copied: dict[Digest, bytes] = {}
        self.verified: set[Digest] = set()
        self.received_bytes = 0

    async def __aenter__(self) -> BlobReceiver:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._store is not None:
            await self._store.close(salvages=kind is not None and not issubclass(kind, StorageUnavailable))

    async def take(self, chunk: Chunk) -> None:
        """Take one chunk; returns when there is room for the next.

        Raises `StreamOrderInvalid` for what is not the next chunk of an announced
        content, `SentBytesMismatch` for wrong bytes, as soon as they are known to be, and
        `StorageUnavailable`, also for an earlier content.
        """
        content = self._current or self._begin(chunk)
        self._check(content, chunk)
        content.received += len(chunk.data)
        self.received_bytes += len(chunk.data)
        # A chunk takes about as long to hash as a hop to a thread.
        content.hashed.update(chunk.data)
        if content.digest in self._copies or content.digest.size_bytes <= _SMALL_BYTES:
            content.gathered += chunk.data
        if self._store is not None and content.digest.size_bytes > _SMALL_BYTES:
            content.large = content.large or await self._store.begin(content.digest)
            await content.large.write(chunk.data)
        if content.is_whole:
            await self._end(content)

    async def finish(self) -> None:
        """Return when everything is stored that came. Raises as `take` does."""
        if self._current is not None:
            raise StreamOrderInvalid(
                f"content {self._current.digest.sha256} ended after {self._current.received} of "
                f"{self._current.digest.size_bytes} bytes"
            )
        if self._store is not None:
            await self._store.finish()

    def _begin(self, chunk: Chunk) -> _Content:
        digest = self._announced.get(chunk.sha256)
        if digest is None:
            raise StreamOrderInvalid(f"content {chunk.sha256} is not in the manifest")
        if digest in self.verified:
            raise StreamOrderInvalid(f"content {chunk.sha256} was sent already")
        self._current = _Content(digest)
        return self._current

    @staticmethod
    def _check(content: _Content, chunk: Chunk) -> None:
        if chunk.sha256 != content.digest.sha256:
            raise StreamOrderInvalid(
                f"content {chunk.sha256} begins after {content.received} of {content.digest.size_bytes} bytes of "
                f"{content.digest.sha256}"
            )
        if chunk.offset != content.received:
            raise StreamOrderInvalid(
                f"a chunk of {chunk.sha256} begins at {chunk.offset}, and {content.received} bytes came before it"
            )
        if not chunk.data and content.digest.size_bytes:
            raise StreamOrderInvalid(f"a chunk of {chunk.sha256} has no bytes")
        if content.received + len(chunk.data) > content.digest.size_bytes:
            raise SentBytesMismatch(chunk.sha256)

    async def _end(self, content: _Content) -> None:
        self._current = None
        digest = content.digest
        if content.hashed.hexdigest() != digest.sha256:
            raise SentBytesMismatch(digest.sha256)
        self.verified.add(digest)
        if digest in self._copies:
            self.copied[digest] = bytes(content.gathered)
        if self._store is not None:
            await (content.large.end() if content.large else self._store.add(digest, bytes(content.gathered)))


class _Storing:
    """What is on its way to the store: one batch of small contents beside one large one at most."""

    def __init__(self, blobs: BlobStore, keeps: Keeper) -> None:
        self._blobs = blobs
        self._keeps = keeps
        self._batch: dict[Digest, bytes] = {}
        self._batch_bytes = 0
        self._batch_task: asyncio.Task[None] | None = None
        self._large: _LargeContent | None = None

    async def add(self, digest: Digest, content: bytes) -> None:
        """Store a verified content together with others."""
        self._batch[digest] = content
        self._batch_bytes += len(content)
        if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_BLOBS:
            await self._flush()

    async def begin(self, digest: Digest) -> _LargeContent:
        """Begin a content that is stored while it comes in. Returns when the one before is stored."""
        await self._end_large()
        self._large = _LargeContent(digest, self._blobs, self._keeps)
        return self._large

    async def finish(self) -> None:
        await self._flush()
        await self._end_batch()
        await self._end_large()

    async def close(self, *, salvages: bool) -> None:
        """End whatever runs. With ``salvages`` the whole contents are stored first, if that takes no long time."""
        try:
            if salvages:
                async with asyncio.timeout(_SALVAGE_SECONDS):
                    await self._flush()
                    await self._end_batch()
                    if self._large is not None and self._large.is_whole:
                        await self._end_large()
        except (TimeoutError, StorageUnavailable):
            pass  # the caller is told what broke the stream
        finally:
            tasks = [self._batch_task] if self._batch_task else []
            tasks += [self._large.task] if self._large else []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _flush(self) -> None:
        await self._end_batch()
        if self._batch:
            self._batch_task = _started(self._put(self._batch))
            self._batch, self._batch_bytes = {}, 0

    async def _put(self, contents: Mapping[Digest, bytes]) -> None:
        await self._keeps(contents)
        await self._blobs.put_files({digest: partial(io.BytesIO, content) for digest, content in contents.items()})

    async def _end_batch(self) -> None:
        if self._batch_task is not None:
            await asyncio.shield(self._batch_task)
            self._batch_task = None

    async def _end_large(self) -> None:
        if self._large is not None:
            await asyncio.shield(self._large.task)
            self._large = None


class _LargeContent:
    """A content on its way to the store while it comes in; its owner has seen its hash before `end`."""

    def __init__(self, digest: Digest, blobs: BlobStore, keeps: Keeper) -> None:
        self._digest = digest
        self._blobs = blobs
        self._keeps = keeps
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_CHUNKS)
        self._taken = asyncio.Event()
        self.is_whole = False
        self.task = _started(self._run())

    async def write(self, chunk: bytes) -> None:
        """Hand over some bytes. Raises what ended the store's work."""
        await self._hand_over(chunk)

    async def end(self) -> None:
        """Say that everything was handed over and is right. The work ends by itself."""
        self.is_whole = True
        await self._hand_over(None)

    async def _hand_over(self, chunk: bytes | None) -> None:
        if self._chunks.full() and not self.task.done():
            room = asyncio.ensure_future(self._taken.wait())
            try:
                await asyncio.wait([room, self.task], return_when=asyncio.FIRST_COMPLETED)
            finally:
                room.cancel()
        if self.task.done():
            self.task.result()
        else:
            self._chunks.put_nowait(chunk)
            self._taken.clear()

    async def _run(self) -> None:
        reading = self._verified()
        try:
            await self._blobs.put(self._digest, reading)
            # A store that has the blob may not have read it. It is leased in any case, and only if it is right.
            async for _ in reading:
                pass
        except DigestMismatch as error:
            raise SentBytesMismatch(self._digest.sha256) from error
        if await self._blobs.missing([self._digest]):
            # It was collected between the store's first look and our lease.
            raise StorageUnavailable("a content went away while it was sent; send it again")

    async def _verified(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            self._taken.set()
            yield chunk
        await self._keeps([self._digest])


def _started(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)
