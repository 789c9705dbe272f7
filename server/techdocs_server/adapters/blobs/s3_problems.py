"""What an S3 server says, and what that means for a reader: missing is missing, everything else is the store's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minio.deleteobjects import DeleteError
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, StorageUnavailable

_MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
_DENIED = frozenset(
    {
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "AllAccessDisabled",
        "AccountProblem",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired", "RequestTimeTooSkewed"})
_BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "RequestTimeout", "InternalError", "TooManyRequests", "503", "500"}
)
_FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "StorageFull", "InsufficientCapacity", "EntityTooLarge"})


def is_missing(error: S3Error | DeleteError) -> bool:
    """Whether the server says that there is no such object."""
    return error.code in _MISSING


@contextmanager
def reporting_s3_errors(digest: Digest | None = None) -> Iterator[None]:
    """Turn what a request raises into `BlobMissing`, of the digest if there is one, or `StorageUnavailable`."""
    try:
        yield
    except S3Error as error:
        if digest is not None and is_missing(error):
            raise BlobMissing(digest.sha256) from error
        raise StorageUnavailable(_sentence(error.code or "nothing")) from error
    except ServerError as error:
        raise StorageUnavailable(f"the S3 server answered with status {error.status_code}") from error
    except (InvalidResponseError, MinioException) as error:
        raise StorageUnavailable(
            f"the S3 server gave an answer that is none of S3's ({type(error).__name__})"
        ) from error
    except ValueError as error:
        # Names and addresses that the client refuses, and credentials that cannot be had.
        raise StorageUnavailable(f"the S3 client refused: {error}") from error
    except (HTTPError, OSError) as error:
        raise StorageUnavailable(f"the S3 server cannot be reached or broke off ({type(error).__name__})") from error


def _sentence(code: str) -> str:
    if code == "NoSuchBucket":
        return "the bucket does not exist; create it, or set s3_bucket"
    if code in _DENIED:
        return f"the S3 server denies access ({code}); look at the credentials and at the policy of the bucket"
    if code in _EXPIRED:
        return f"the credentials of the S3 server are no longer valid ({code})"
    if code in _BUSY:
        return f"the S3 server is busy ({code})"
    if code in _FULL:
        return f"the S3 server is full ({code})"
    return f"the S3 server answered {code}"
