"""An S3 server that is measured with: the settings that name it, and how many requests it has answered.

The count is its own, so that nothing stands between it and who is measured.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping

from tests.support.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

_ANSWERED = re.compile(
    r'^SeaweedFS_s3_request_total\{bucket="([^"]*)",code="\d+",type="([A-Z]+)"\} (\S+)$', re.MULTILINE
)
_SECONDS = 10


def settings_for(server: SeaweedFS, bucket: str) -> Mapping[str, str]:
    """Return the settings of a service whose contents are in a bucket."""
    return {
        "s3_bucket": bucket,
        "s3_endpoint": server.endpoint,
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
    }


def answered(server: SeaweedFS, *, bucket: str, kind: str | None = None) -> int:
    """Return how many requests about a bucket were answered since the server's start, whatever the answer.

    ``kind`` is PUT, GET (which HEAD counts as), LIST or DELETE; None for all.
    """
    with urllib.request.urlopen(server.metrics, timeout=_SECONDS) as response:  # noqa: S310 - a URL of our own
        text = response.read().decode()
    found = [(about, of, float(count)) for about, of, count in _ANSWERED.findall(text)]
    return int(sum(count for about, of, count in found if about == bucket and kind in (None, of)))
