"""Variants in memory: for tests, and for trying the service out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.encoding import ContentEncoding
from techdocs_server.ports.variants import Decision, Variant


class MemoryVariantStore:
    """A VariantStore that forgets everything with its process. Has no bound."""

    def __init__(self) -> None:
        self._variants: dict[tuple[str, ContentEncoding], Variant | None] = {}

    async def put(self, identity: Digest, variants: Mapping[ContentEncoding, bytes | None]) -> None:
        """See `VariantStore`."""
        for encoding, content in variants.items():
            kept = None if content is None else Variant(Digest.of(content), content)
            self._variants[identity.sha256, encoding] = kept

    async def locate(self, identity: Digest, encoding: ContentEncoding) -> Decision | None:
        """See `VariantStore`."""
        if (identity.sha256, encoding) not in self._variants:
            return None
        variant = self._variants[identity.sha256, encoding]
        return Decision(None if variant is None else variant.digest)

    async def get(self, identity: Digest, encoding: ContentEncoding) -> Variant | None:
        """See `VariantStore`."""
        return self._variants.get((identity.sha256, encoding))

    async def missing(self, identities: Collection[Digest]) -> frozenset[Digest]:
        """See `VariantStore`."""
        return frozenset(
            identity
            for identity in identities
            if any((identity.sha256, encoding) not in self._variants for encoding in ContentEncoding)
        )

    async def delete(self, sha256s: Collection[str]) -> None:
        """See `VariantStore`."""
        for sha256 in sha256s:
            for encoding in ContentEncoding:
                self._variants.pop((sha256, encoding), None)
