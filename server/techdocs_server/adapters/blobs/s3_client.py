"""The S3 client and where its credentials come from."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.credentials.providers import (
    AWSConfigProvider,
    ChainedProvider,
    EnvAWSProvider,
    EnvMinioProvider,
    IamAwsProvider,
    Provider,
    StaticProvider,
)
from minio.sse import Sse, SseKMS, SseS3

_CONNECT_SECONDS, READ_SECONDS = 3.0, 20.0
_ATTEMPTS = 4
_BACKOFF_SECONDS, _JITTER_SECONDS = 0.1, 0.2
# Answers that another attempt may change.
_TRANSIENT = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket, a prefix in it ("" or "some/path/"), and how objects are encrypted ("", "AES256" or "aws:kms:KEY")."""

    endpoint: str
    bucket: str
    prefix: str = ""
    region: str | None = None
    encryption: str = ""

    def encrypted_by(self) -> Sse | None:
        """Return what every upload asks for. Raises `ValueError`."""
        if not self.encryption:
            return None
        if self.encryption == "AES256":
            return SseS3()
        kind, _, key = self.encryption.partition("aws:kms:")
        if kind or not key:
            raise ValueError("it must be AES256 or aws:kms:KEY")
        return SseKMS(key, {})


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """Keys given in so many words; without an access key they are looked for where AWS's tools look."""

    access_key: str = ""
    secret_key: str = ""
    session_token: str | None = None
    file: Path | None = None
    profile: str | None = None


def make_client(
    location: S3Location,
    credentials: S3Credentials,
    *,
    connections: int,
    ca_certificates: Path | None = None,
    read_seconds: float = READ_SECONDS,
) -> tuple[Minio, urllib3.PoolManager]:
    """Return a client and its pool of connections, which the caller clears.

    A server that says nothing for ``read_seconds`` is given up. A request takes at most `_ATTEMPTS` attempts with growing pauses, each shortened or
    lengthened at random so that many callers do not come back together. No request is made
    here. Raises `ValueError` for an endpoint that is none.
    """
    endpoint = location.endpoint if "://" in location.endpoint else f"https://{location.endpoint}"
    url = urllib3.util.parse_url(endpoint)
    if url.scheme not in ("http", "https") or not url.netloc or url.path not in (None, "", "/"):
        raise ValueError("it must be a host with an optional port, such as https://s3.example.com:9000")
    context = ssl.create_default_context(cafile=str(ca_certificates) if ca_certificates else None)
    pool = urllib3.PoolManager(
        maxsize=connections,
        block=True,
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds),
        retries=urllib3.Retry(
            total=_ATTEMPTS - 1,
            backoff_factor=_BACKOFF_SECONDS,
            backoff_jitter=_JITTER_SECONDS,
            status_forcelist=_TRANSIENT,
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,
        ),
        ssl_context=context,
    )
    client = Minio(
        endpoint=url.netloc,
        secure=url.scheme == "https",
        region=location.region,
        credentials=_provider(credentials),
        http_client=pool,
    )
    return client, pool


def _provider(credentials: S3Credentials) -> Provider:
    if credentials.access_key:
        return StaticProvider(credentials.access_key, credentials.secret_key, credentials.session_token)
    return ChainedProvider(
        [
            EnvAWSProvider(),
            EnvMinioProvider(),
            AWSConfigProvider(str(credentials.file) if credentials.file else None, credentials.profile),
            IamAwsProvider(),
        ]
    )
