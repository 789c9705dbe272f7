"""Listing and deleting the objects of a blob store. Blocking."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from minio import Minio
from minio.deleteobjects import DeleteObject

from techdocs_server.adapters.blobs.s3_client import S3Location
from techdocs_server.adapters.blobs.s3_problems import is_missing, reporting_s3_errors
from techdocs_server.domain.errors import StorageUnavailable
from techdocs_server.ports.blobs import StoredBlob

_NAME = re.compile(r"[0-9a-f]{64}")
_PAGE = 1_000
"""As many as a server lists, or deletes, in one request."""


def folder_of(location: S3Location) -> str:
    """Return what the keys of all blobs begin with."""
    return f"{location.prefix}blobs/"


def key_of(location: S3Location, sha256: str) -> str:
    """Return the key of a blob."""
    return f"{folder_of(location)}{sha256[:2]}/{sha256}"


class S3Listing:
    """The blobs of a bucket, page by page. The first page makes the first request."""

    def __init__(self, client: Minio, location: S3Location) -> None:
        self._location = location
        self._blobs = self._found(client)

    def page(self) -> Sequence[StoredBlob]:
        """Return the next blobs, and none after the last. Raises `StorageUnavailable`."""
        with reporting_s3_errors():
            return list(islice(self._blobs, _PAGE))

    def _found(self, client: Minio) -> Iterator[StoredBlob]:
        for found in client.list_objects(self._location.bucket, prefix=folder_of(self._location), recursive=True):
            key = found.object_name or ""
            sha256 = key.rpartition("/")[2]
            if not _NAME.fullmatch(sha256) or key != key_of(self._location, sha256):
                continue
            # Without a time nobody knows how old it is, so it counts as written just now.
            yield StoredBlob(sha256, found.size or 0, found.last_modified or datetime.now(UTC))


def delete_objects(client: Minio, location: S3Location, sha256s: Collection[str]) -> None:
    """Delete blobs; those that are not there count as deleted. Raises `StorageUnavailable`."""
    with reporting_s3_errors():
        objects = [DeleteObject(key_of(location, sha256)) for sha256 in sha256s]
        problems = [error for error in client.remove_objects(location.bucket, objects) if not is_missing(error)]
    if problems:
        raise StorageUnavailable(f"the S3 server did not delete {len(problems)} objects ({problems[0].code})")
