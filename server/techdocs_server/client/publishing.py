"""Publishing a folder: ask which contents are missing, send those, and go on after a break."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

import grpc
from techdocs.v1 import publish_pb2, publish_pb2_grpc

from techdocs_server.client.failures import ClientFailed, failure_of
from techdocs_server.client.retrying import Patience, repeated
from techdocs_server.client.site_folder import SiteFolder, has_changed
from techdocs_server.domain.digest import Digest

# The most that the contract allows.
_CHUNK_BYTES = 256 * 1024
# 10,000 digests are 0.8 MB, a fifth of what a server takes in one message.
_DIGESTS_PER_QUESTION = 10_000
_PART_BYTES = 1024 * 1024
_FILES_PER_PART = 5_000
_DIGEST_BYTES = 90
# A content can be collected between the question and the stream, but not again and again.
_MOST_COLLECTED = 3


class Progress(Protocol):
    """Shows how far a publish is. Called from other threads too."""

    def begins(self, *, contents: int, size_bytes: int) -> None:
        """So many contents will be sent, on this attempt."""
        ...

    def sent(self, size_bytes: int) -> None:
        """So many more bytes are on their way."""
        ...


def publish_folder(
    channel: grpc.Channel,
    site: SiteFolder,
    header: publish_pb2.PublishHeader,
    *,
    patience: Patience,
    progress: Progress,
) -> publish_pb2.PublishSiteResponse:
    """Publish a folder as the site of the header's entity.

    After an error that may pass, everything is asked and sent anew, less what the
    server has got by then; the header's request id makes that safe. Raises
    `grpc.RpcError`, and `ClientFailed` when the folder is not what it was.
    """
    stub = publish_pb2_grpc.PublishServiceStub(channel)
    left, collected = len(site.path_of) + 1, 0
    while True:
        missing = _missing(stub, site, header, patience)
        if len(missing) < left:
            patience.progressed()
        left = len(missing)
        progress.begins(contents=left, size_bytes=sum(digest.size_bytes for digest in missing))
        messages = _Messages(site, header, missing, progress)
        try:
            return stub.PublishSite(iter(messages), timeout=patience.remaining_seconds)
        except grpc.RpcError as error:
            if messages.problem is not None:
                raise messages.problem from error
            collected += 1
            if failure_of(error).reason == "BLOBS_MISSING" and collected < _MOST_COLLECTED:
                continue
            _raise_changed(site, error)
            patience.wait(error)


def _missing(
    stub: publish_pb2_grpc.PublishServiceStub,
    site: SiteFolder,
    header: publish_pb2.PublishHeader,
    patience: Patience,
) -> list[Digest]:
    """Return the contents to send, in the order of their paths."""
    digests, missing = list(site.path_of), set[Digest]()
    for start in range(0, len(digests), _DIGESTS_PER_QUESTION):
        request = publish_pb2.FindMissingBlobsRequest(
            entity=header.entity,
            digests=[_message(digest) for digest in digests[start : start + _DIGESTS_PER_QUESTION]],
        )
        answer = _find(stub, request, patience)
        missing.update(Digest(found.sha256, found.size_bytes) for found in answer.missing_digests)
    return sorted(missing.intersection(digests), key=site.path_of.__getitem__)


def _find(
    stub: publish_pb2_grpc.PublishServiceStub, request: publish_pb2.FindMissingBlobsRequest, patience: Patience
) -> publish_pb2.FindMissingBlobsResponse:
    return repeated(lambda seconds: stub.FindMissingBlobs(request, timeout=seconds), patience)


def _raise_changed(site: SiteFolder, error: grpc.RpcError) -> None:
    """Say which file it is whose bytes are not those of its digest."""
    failure = failure_of(error)
    if failure.reason != "DIGEST_MISMATCH":
        return
    sent = failure.metadata.get("sha256", "")
    for digest, path in site.path_of.items():
        if digest.sha256 == sent:
            raise has_changed(path) from error


class _Messages:
    """The messages of one stream. gRPC reads them in a thread of its own, where an error would only be logged."""

    def __init__(
        self,
        site: SiteFolder,
        header: publish_pb2.PublishHeader,
        missing: Collection[Digest],
        progress: Progress,
    ) -> None:
        self._site = site
        self._header = header
        self._missing = missing
        self._progress = progress
        self.problem: ClientFailed | None = None

    def __iter__(self) -> Iterator[publish_pb2.PublishSiteRequest]:
        yield publish_pb2.PublishSiteRequest(header=self._header)
        yield from self._parts()
        try:
            yield from self._chunks()
        except ClientFailed as failed:
            # The server then lacks bytes, and refuses.
            self.problem = failed

    def _parts(self) -> Iterator[publish_pb2.PublishSiteRequest]:
        part, size = publish_pb2.ManifestPart(), 0
        for path, digest in sorted(self._site.files.items()):
            part.files.append(publish_pb2.ManifestFile(path=path, digest=_message(digest)))
            size += len(path.encode()) + _DIGEST_BYTES
            if size >= _PART_BYTES or len(part.files) >= _FILES_PER_PART:
                yield publish_pb2.PublishSiteRequest(manifest=part)
                part, size = publish_pb2.ManifestPart(), 0
        if part.files:
            yield publish_pb2.PublishSiteRequest(manifest=part)

    def _chunks(self) -> Iterator[publish_pb2.PublishSiteRequest]:
        for digest in self._missing:
            offset = 0
            for data in self._site.chunks(digest, most_bytes=_CHUNK_BYTES):
                chunk = publish_pb2.BlobChunk(sha256=digest.sha256, offset=offset, data=data)
                yield publish_pb2.PublishSiteRequest(chunk=chunk)
                offset += len(data)
                self._progress.sent(len(data))


def _message(digest: Digest) -> publish_pb2.BlobDigest:
    return publish_pb2.BlobDigest(sha256=digest.sha256, size_bytes=digest.size_bytes)
