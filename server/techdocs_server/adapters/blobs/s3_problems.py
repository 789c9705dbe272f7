"""What an S3 server says, and what that means for a reader: missing is missing, everything else is the store's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from minio.deleteobjects import DeleteError
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.errors import BlobMissing, StorageUnavailable

MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
"""Codes of S3's for an object that is not there."""
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
    return error.code in MISSING


@contextmanager
def reporting_s3_errors(digest: Digest | None = None) -> Iterator[None]:
    """Turn what a request raises into `BlobMissing`, of the digest if there is one, or `StorageUnavailable`."""
    with reporting_s3_answers({} if digest is None else dict.fromkeys(MISSING, BlobMissing(digest.sha256))):
        yield


@contextmanager
def reporting_s3_answers(meanings: Mapping[str, Exception]) -> Iterator[None]:
    """Turn codes of S3's into what they mean to the caller, and whatever else is raised into `StorageUnavailable`."""
    try:
        yield
    except S3Error as error:
        if (meaning := meanings.get(error.code or "")) is not None:
            raise meaning from error
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
        return "the bucket does not exist; create it, or name another"
    if code in _DENIED:
        return f"the S3 server denies access ({code}); look at the credentials and at the policy of the bucket"
    if code in _EXPIRED:
        return f"the credentials of the S3 server are no longer valid ({code})"
    if code in _BUSY:
        return f"the S3 server is busy ({code})"
    if code in _FULL:
        return f"the S3 server is full ({code})"
    return f"the S3 server answered {code}"
