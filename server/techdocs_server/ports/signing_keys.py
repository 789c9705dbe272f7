"""Keeping the keys that this service signs with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A private key. ``number`` counts the keys from 1; ``private_key`` is PEM (PKCS #8): a secret, never shown."""

    number: int
    kid: str
    private_key: str = field(repr=False)
    create_time: datetime


class SigningKeyRecords(Protocol):
    """The keys, shared by every process of the service. Methods raise `StorageUnavailable`."""

    async def keys(self) -> Sequence[StoredSigningKey]:
        """Return all keys by their number."""
        ...

    async def add(self, key: StoredSigningKey) -> bool:
        """Keep a key; say whether it is kept. It is not when its number is taken: of those that race, one wins."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Remove the keys that were made before a time. May be called any number of times."""
        ...


class PublishedKeys(Protocol):
    """The public halves of the keys that this service signs with."""

    async def key_set(self) -> bytes:
        """Return the JSON Web Key Set (RFC 7517, section 5), empty when nothing has been signed yet.

        Raises `StorageUnavailable`.
        """
        ...
