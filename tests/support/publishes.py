"""Sites that come from outside: their messages, and what accepts them over memory stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from techdocs_server.adapters.blobs.memory import MemoryBlobStore
from techdocs_server.adapters.records.memory import MemoryBuildRecords, MemorySiteRecords
from techdocs_server.adapters.records.memory_leases import MemoryBlobLeases
from techdocs_server.adapters.records.memory_publish_requests import MemoryPublishRequests
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.publish import Chunk, ManifestPart, PublishHeader, PublishLimits, PublishMessage
from techdocs_server.ports.clock import Clock
from techdocs_server.services.accepting import Accepted, SiteAcceptor
from techdocs_server.services.presence import BlobPresence
from techdocs_server.services.reading import SiteReader

from tests.support.clocks import ManualClock

SITE = EntityRef("default", "component", "docs")
OTHER = EntityRef("default", "component", "other")
GRACE = timedelta(hours=1)
CHUNK_BYTES = 256 * 1024
LARGE = bytes(range(256)) * 4000
PAGES = {"index.html": b"<h1>one</h1>", "a/index.html": b"a", "copy.html": b"a", "empty.txt": b"", "large.bin": LARGE}
ID = "5c8ad2a3-9ac3-4b0f-a3a9-3b7a4b8f0d11"
LIMITS = PublishLimits(max_bytes=50_000_000, max_files=1000)


def chunks_of(content: bytes, *, size: int = CHUNK_BYTES) -> list[Chunk]:
    """Return the chunks of one content."""
    sha256 = Digest.of(content).sha256
    offsets = range(0, len(content), size) if content else [0]
    return [Chunk(sha256, offset, content[offset : offset + size]) for offset in offsets]


def parts_of(files: Mapping[str, bytes]) -> ManifestPart:
    """Return one part with all files."""
    return ManifestPart([(path, Digest.of(content)) for path, content in files.items()])


def messages_of(
    files: Mapping[str, bytes], header: PublishHeader, *, sent: Collection[Digest] | None = None
) -> list[PublishMessage]:
    """Return the whole stream of a site. ``sent`` are the contents to send, all by default."""
    contents = {Digest.of(content): content for content in files.values()}
    chunks = [
        chunk for digest, content in contents.items() if sent is None or digest in sent for chunk in chunks_of(content)
    ]
    return [header, parts_of(files), *chunks]


async def stream(messages: Iterable[PublishMessage]) -> AsyncIterator[PublishMessage]:
    """Yield messages as a caller's stream does."""
    for message in messages:
        yield message


@dataclass
class Acceptance:
    """The services over stores that a test can look into."""

    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    sites: MemorySiteRecords = field(default_factory=lambda: MemorySiteRecords(MemoryBuildRecords()))
    leases: MemoryBlobLeases = field(default_factory=MemoryBlobLeases)
    requests: MemoryPublishRequests = field(default_factory=MemoryPublishRequests)
    clock: Clock = field(default_factory=ManualClock)
    limits: PublishLimits = LIMITS
    idle_seconds: float = 30.0

    def __post_init__(self) -> None:
        self.reader = SiteReader(self.sites, self.blobs)
        self.presence = BlobPresence(
            sites=self.sites,
            blobs=self.blobs,
            leases=self.leases,
            reader=self.reader,
            clock=self.clock,
            grace=GRACE,
        )
        self.acceptor = SiteAcceptor(
            sites=self.sites,
            blobs=self.blobs,
            reader=self.reader,
            presence=self.presence,
            leases=self.leases,
            requests=self.requests,
            clock=self.clock,
            limits=self.limits,
            idle_seconds=self.idle_seconds,
        )

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(seconds)

    async def send(self, messages: Sequence[PublishMessage]) -> Accepted:
        """Publish these messages."""
        return await self.acceptor.accept(stream(messages))

    async def publish(
        self,
        files: Mapping[str, bytes],
        header: PublishHeader | None = None,
        *,
        entity: EntityRef = SITE,
        sent: Collection[Digest] | None = None,
    ) -> Accepted:
        """Publish a site: as a client does, or sending what the test says."""
        header = header or PublishHeader(entity, source_etag="one")
        if sent is None:
            sent = await self.missing(files, entity=header.entity)
        return await self.send(messages_of(files, header, sent=sent))

    async def missing(self, files: Mapping[str, bytes], *, entity: EntityRef = SITE) -> frozenset[Digest]:
        """Ask which contents must be sent, changing nothing."""
        return await self.presence.missing(entity, [Digest.of(content) for content in files.values()])

    async def is_visible(self) -> bool:
        """Whether readers see anything of the site."""
        return await self.sites.pointer(SITE) is not None

    async def read(self, path: str, *, entity: EntityRef = SITE) -> bytes:
        """Read a file as a reader does."""
        view = await self.reader.open(entity)
        return await self.reader.read_all(view, view.locate(path))


def header(**changes: object) -> PublishHeader:
    """Return a header for the site of these tests."""
    return replace(PublishHeader(SITE, source_etag="one"), **changes)  # type: ignore[arg-type]
