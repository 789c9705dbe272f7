"""An object of a bucket being read as it was listed. Blocking."""

from __future__ import annotations

import urllib3
from minio import Minio

from techdocs_server.adapters.blobs.ranges import CHUNK_BYTES
from techdocs_server.adapters.blobs.s3_problems import MISSING, reporting_s3_answers
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.classic import ClassicFile, ClassicFileGone

_REPLACED = "PreconditionFailed"


def gone(file: ClassicFile) -> dict[str, Exception]:
    """Return the codes of S3's that say that an object is not the one that was listed."""
    return dict.fromkeys((*MISSING, _REPLACED), ClassicFileGone(file.key))


class S3ObjectDownload:
    """Reads a range that is not empty, one chunk a step; the first step makes the request."""

    def __init__(self, client: Minio, bucket: str, file: ClassicFile, start: int, end: int) -> None:
        self._client = client
        self._bucket = bucket
        self._file = file
        self._position = start
        self._end = end
        self._response: urllib3.BaseHTTPResponse | None = None

    @property
    def has_more(self) -> bool:
        """Whether another step would return bytes."""
        return self._position < self._end

    def step(self) -> bytes:
        """Return the next chunk. Raises `ClassicFileGone` and `StorageUnavailable`."""
        with reporting_s3_answers(gone(self._file)):
            response = self._response or self._opened()
            wanted = min(CHUNK_BYTES, self._end - self._position)
            # As they are stored, also when the object says that they are encoded.
            chunk: bytes = response.read(wanted, decode_content=False)
        if len(chunk) < wanted:
            raise StorageUnavailable("the S3 server broke off")
        self._position += len(chunk)
        return chunk

    def close(self) -> None:
        """End the request, whose connection is used again only if it was read to its end."""
        if self._response is not None:
            self._response.close()
            self._response.release_conn()

    def _opened(self) -> urllib3.BaseHTTPResponse:
        response = self._response = self._client.get_object(
            self._bucket,
            self._file.key,
            offset=self._position,
            length=self._end - self._position,
            request_headers={"If-Match": f'"{self._file.etag}"'},
        )
        # Not every server knows the condition.
        if response.headers.get("etag", "").strip('"') != self._file.etag:
            raise ClassicFileGone(self._file.key)
        return response
