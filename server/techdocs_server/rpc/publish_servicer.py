"""PublishService: messages in, `SiteAcceptor` and `BlobPresence` calls, messages out."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from techdocs.v1 import publish_pb2, publish_pb2_grpc

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.publish import Chunk, ManifestPart, PublishHeader, PublishMessage
from techdocs_server.domain.publish_errors import PublishDisabled
from techdocs_server.rpc.convert import entity_ref, published_revision_message
from techdocs_server.rpc.interceptors.wrapping import Context
from techdocs_server.services.accepting import SiteAcceptor
from techdocs_server.services.presence import BlobPresence


class PublishServicer(publish_pb2_grpc.PublishServiceServicer):
    """Publishing of sites that were built elsewhere, unless the operator does not want any."""

    def __init__(self, *, acceptor: SiteAcceptor, presence: BlobPresence, enabled: bool) -> None:
        self._acceptor = acceptor
        self._presence = presence
        self._enabled = enabled

    async def FindMissingBlobs(
        self, request: publish_pb2.FindMissingBlobsRequest, context: Context
    ) -> publish_pb2.FindMissingBlobsResponse:
        """See publish.proto."""
        self._check_enabled()
        digests = [_digest(digest) for digest in request.digests]
        missing = await self._presence.missing_and_kept(entity_ref(request.entity), digests)
        return publish_pb2.FindMissingBlobsResponse(
            missing_digests=[
                publish_pb2.BlobDigest(sha256=digest.sha256, size_bytes=digest.size_bytes) for digest in sorted(missing)
            ]
        )

    async def PublishSite(
        self, requests: AsyncIterator[publish_pb2.PublishSiteRequest], context: Context
    ) -> publish_pb2.PublishSiteResponse:
        """See publish.proto."""
        self._check_enabled()
        accepted = await self._acceptor.accept(_messages(requests))
        return publish_pb2.PublishSiteResponse(
            revision=published_revision_message(accepted.revision, accepted.pointer),
            updated=accepted.updated,
            uploaded_bytes=accepted.uploaded_bytes,
            reused_bytes=accepted.reused_bytes,
        )

    def _check_enabled(self) -> None:
        if not self._enabled:
            raise PublishDisabled


async def _messages(requests: AsyncIterator[publish_pb2.PublishSiteRequest]) -> AsyncIterator[PublishMessage]:
    async for request in requests:
        if request.HasField("header"):
            yield _header(request.header)
        elif request.HasField("manifest"):
            yield ManifestPart([(file.path, _digest(file.digest)) for file in request.manifest.files])
        else:
            yield Chunk(request.chunk.sha256, request.chunk.offset, request.chunk.data)


def _header(header: publish_pb2.PublishHeader) -> PublishHeader:
    return PublishHeader(
        entity=entity_ref(header.entity),
        site_name=header.site_name,
        site_description=header.site_description,
        source_etag=header.source_etag,
        expected_revision=header.expected_revision,
        validate_only=header.validate_only,
        request_id=str(uuid.UUID(header.request_id)) if header.request_id else "",
    )


def _digest(digest: publish_pb2.BlobDigest) -> Digest:
    return Digest(digest.sha256, digest.size_bytes)
