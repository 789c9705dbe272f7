"""When a site is current: the etag of all that decides what a build makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

# Grows when this service itself changes what a build makes of the same source.
_PIPELINE = "1"


def source_etag(*, tree: str, site_name: str, generator: Sequence[str]) -> str:
    """Return the etag of a source as this toolchain builds it.

    ``tree`` is the etag of the files; ``site_name`` the name a site without a
    mkdocs.yml gets; ``generator`` the versions of the toolchain, so that an
    upgrade makes every site stale once.
    """
    parts = "\0".join((_PIPELINE, tree, site_name, *generator))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
