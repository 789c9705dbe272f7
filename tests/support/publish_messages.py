"""The messages of a publish, and how a caller sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping

import grpc
from techdocs.v1 import entity_pb2, publish_pb2, publish_pb2_grpc
from techdocs_server.domain.digest import Digest

CHUNK_BYTES = 256 * 1024


def digest_message(digest: Digest) -> publish_pb2.BlobDigest:
    """Return the message of a digest."""
    return publish_pb2.BlobDigest(sha256=digest.sha256, size_bytes=digest.size_bytes)


def header(
    entity: entity_pb2.EntityRef,
    *,
    site_name: str = "",
    source_etag: str = "",
    expected_revision: str = "",
    validate_only: bool = False,
    request_id: str = "",
) -> publish_pb2.PublishSiteRequest:
    """Return the first message."""
    return publish_pb2.PublishSiteRequest(
        header=publish_pb2.PublishHeader(
            entity=entity,
            site_name=site_name,
            source_etag=source_etag,
            expected_revision=expected_revision,
            validate_only=validate_only,
            request_id=request_id,
        )
    )


def manifest(files: Mapping[str, bytes]) -> publish_pb2.PublishSiteRequest:
    """Return one part with all files."""
    return publish_pb2.PublishSiteRequest(
        manifest=publish_pb2.ManifestPart(
            files=[
                publish_pb2.ManifestFile(path=path, digest=digest_message(Digest.of(content)))
                for path, content in files.items()
            ]
        )
    )


def chunk(sha256: str, offset: int, data: bytes) -> publish_pb2.PublishSiteRequest:
    """Return one chunk."""
    return publish_pb2.PublishSiteRequest(chunk=publish_pb2.BlobChunk(sha256=sha256, offset=offset, data=data))


def chunks(content: bytes) -> list[publish_pb2.PublishSiteRequest]:
    """Return the chunks of one content."""
    sha256, offsets = Digest.of(content).sha256, range(0, len(content), CHUNK_BYTES) if content else [0]
    return [chunk(sha256, offset, content[offset : offset + CHUNK_BYTES]) for offset in offsets]


def whole(
    files: Mapping[str, bytes], first: publish_pb2.PublishSiteRequest, *, sent: Collection[str] | None = None
) -> list[publish_pb2.PublishSiteRequest]:
    """Return a whole stream. ``sent`` are the hashes of the contents to send, all by default."""
    contents = {Digest.of(content).sha256: content for content in files.values()}
    wanted = [content for sha256, content in contents.items() if sent is None or sha256 in sent]
    return [first, manifest(files), *(message for content in wanted for message in chunks(content))]


async def send(
    target: str, messages: Iterable[publish_pb2.PublishSiteRequest], *, token: str = ""
) -> publish_pb2.PublishSiteResponse:
    """Send a stream to host:port, as a synchronous client does.

    The asynchronous one, of which grpcio has its own, may lose the status of a stream
    that the server ends early, and call it an internal error.
    """

    metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def call() -> publish_pb2.PublishSiteResponse:
        with grpc.insecure_channel(target) as channel:
            return publish_pb2_grpc.PublishServiceStub(channel).PublishSite(
                iter(messages), timeout=60, metadata=metadata
            )

    return await asyncio.to_thread(call)
