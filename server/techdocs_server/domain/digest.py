"""Identity of some bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """SHA-256 in lower-case hexadecimal, and the number of bytes."""

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.sha256) or self.size_bytes < 0:
            raise ValueError(f"not a digest: {self.sha256!r} of {self.size_bytes} bytes")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the digest of bytes in memory."""
        return cls(hashlib.sha256(content).hexdigest(), len(content))
