"""Compressed variants of blobs.

A variant belongs to the bytes it was made of, not to a site: who has the blob has
its variants too. It can be made again from its blob at any time, so a store may
lose variants, and then says that it has none. It never hands out a damaged one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of encoding a blob: the digest of the encoded bytes, or None where they were not worth keeping."""

    variant: Digest | None


@dataclass(frozen=True, slots=True)
class Variant:
    """The encoded bytes of a blob, and their own digest."""

    digest: Digest
    content: bytes


class VariantStore(Protocol):
    """Keeps variants under the SHA-256 of their identity. Safe for any number of callers at once.

    Only `StorageUnavailable` leaves an implementation.
    """

    async def put(self, identity: Digest, variants: Mapping[ContentEncoding, bytes | None]) -> None:
        """Store what came of encoding a blob; None says that there is nothing worth keeping.

        Replaces what was stored. After a failure each encoding is as before or as
        given: a reader never sees part of one.
        """
        ...

    async def locate(self, identity: Digest, encoding: ContentEncoding) -> Decision | None:
        """Return what came of encoding a blob, or None when it was not tried, or was lost.

        Reads no more than it must: the bytes may still turn out to be damaged.
        """
        ...

    async def get(self, identity: Digest, encoding: ContentEncoding) -> Variant | None:
        """Return a variant, checked as a whole, or None when there is none.

        A damaged one is none, and is missing from then on.
        """
        ...

    async def missing(self, identities: Collection[Digest]) -> frozenset[Digest]:
        """Return those of the blobs for which some encoding was not tried, or was lost."""
        ...

    async def delete(self, sha256s: Collection[str]) -> None:
        """Forget all that came of encoding the blobs of these SHA-256s. After a failure some may be left."""
        ...
