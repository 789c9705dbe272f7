"""Writing sites in the classic layout, for what reads that and not us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from techdocs_server.domain.entity import EntityRef
from techdocs_server.ports.classic import ClassicFile


@dataclass(frozen=True, slots=True)
class ClassicUpload:
    """A file to be written. With a ``revision`` it is marked to be of that one."""

    entity: EntityRef
    path: str
    size_bytes: int
    media_type: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ClassicMark:
    """Which revision a file is marked to be of, and when it was written by the bucket's clock."""

    revision: str
    last_modified: datetime


class ClassicWriter(Protocol):
    """Writes and removes files of sites, in folders named in lower case.

    Only `StorageUnavailable` leaves an implementation. Every file is replaced whole or
    stays as it was.
    """

    async def put(self, upload: ClassicUpload, content: BinaryIO) -> str:
        """Write a file from where ``content`` stands, which is read in a thread. Returns its entity tag, unquoted."""
        ...

    async def remove(self, files: Sequence[ClassicFile]) -> None:
        """Remove objects. Those that are gone already are no failure; after one, some may be left."""
        ...

    async def mark(self, entity: EntityRef, path: str) -> ClassicMark | None:
        """Return how a file is marked, or None when it is not there, or not marked."""
        ...
