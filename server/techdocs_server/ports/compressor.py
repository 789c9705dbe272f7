"""Encoding bytes, off the critical path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from techdocs_server.domain.encoding import ContentEncoding


class CompressorFailed(Exception):
    """Some content could not be encoded. Other content may be. Never leaves the service."""


class Compressor(Protocol):
    """Encodes contents, one after the other, with what the machine has to spare."""

    async def compress(self, content: bytes) -> Mapping[ContentEncoding, bytes]:
        """Return the content in every encoding. Call it again when it has returned, not before.

        Ends soon when the caller is cancelled. Raises `CompressorFailed`, also when
        it takes too long; the next call begins anew.
        """
        ...

    async def rest(self) -> None:
        """Give back what is held between calls. The next call takes it again."""
        ...
