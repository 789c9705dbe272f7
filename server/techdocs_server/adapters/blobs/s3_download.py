"""A large blob being read from a bucket. Blocking."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import urllib3

from techdocs_server.adapters.blobs.ranges import CHUNK_BYTES
from techdocs_server.adapters.blobs.s3_problems import reporting_s3_errors
from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import DigestMismatch

_SIZE = "content-range"


class S3Download:
    """Reads a range, one chunk a step; the first step makes the request.

    A range that is the whole blob is hashed on the way, and its last chunk is not
    handed over unless the digest is right.
    """

    def __init__(
        self,
        open_range: Callable[[Digest, int, int | None], urllib3.BaseHTTPResponse],
        digest: Digest,
        start: int,
        end: int,
    ) -> None:
        self._open_range = open_range
        self._digest = digest
        self._start = self._position = start
        self._end = end
        self._response: urllib3.BaseHTTPResponse | None = None
        self._sha256 = hashlib.sha256() if (start, end) == (0, digest.size_bytes) else None

    @property
    def has_more(self) -> bool:
        """Whether another step would return bytes."""
        return self._position < self._end

    def step(self) -> bytes:
        """Return the next chunk, or nothing when there are no more.

        Raises `BlobMissing`, `DigestMismatch` and `StorageUnavailable`.
        """
        response = self._opened()
        wanted = min(CHUNK_BYTES, self._end - self._position)
        with reporting_s3_errors(self._digest):
            chunk: bytes = response.read(wanted) if wanted else b""
        if len(chunk) < wanted:
            raise DigestMismatch(self._digest.sha256)
        self._position += len(chunk)
        if self._sha256 is not None:
            self._sha256.update(chunk)
            if not self.has_more and self._sha256.hexdigest() != self._digest.sha256:
                raise DigestMismatch(self._digest.sha256)
        return chunk

    def close(self) -> None:
        """End the request, whose connection is used again only if it was read to its end."""
        if self._response is not None:
            self._response.close()
            self._response.release_conn()

    def _opened(self) -> urllib3.BaseHTTPResponse:
        if self._response is None:
            # The last byte for an empty range: the server refuses one of no bytes, and the blob must be looked for.
            end = self._end if self._end > self._start else None
            start = self._start if end is not None else self._digest.size_bytes - 1
            self._response = self._open_range(self._digest, start, end)
            size = self._response.headers.get(_SIZE, "").rpartition("/")[2] or self._response.headers.get(
                "content-length", ""
            )
            if size != str(self._digest.size_bytes):
                raise DigestMismatch(self._digest.sha256)
        return self._response
