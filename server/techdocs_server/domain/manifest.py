"""The files of one revision, whose canonical form is the revision's identity."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.site_path import path_problem

_FORMAT = 1


class ManifestInvalid(ValueError):
    """Bytes or files that do not make a manifest. The message names the path."""


@dataclass(frozen=True)
class Manifest:
    """Path to digest of every file of a revision, sorted by path.

    The canonical form is compact JSON with sorted keys, so the same files always
    have the same bytes, and the SHA-256 of those bytes names the revision.
    """

    files: Mapping[str, Digest]
    _sorted: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for path in self.files:
            if problem := path_problem(path):
                raise ManifestInvalid(f"path {path!r} {problem}")
        object.__setattr__(self, "_sorted", tuple(sorted(self.files)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path, sorted by code point."""
        return self._sorted

    @cached_property
    def size_bytes(self) -> int:
        """Sum of the sizes of all files."""
        return sum(digest.size_bytes for digest in self.files.values())

    @cached_property
    def canonical(self) -> bytes:
        """The bytes that are stored, and whose digest is the revision."""
        files = {path: [self.files[path].sha256, self.files[path].size_bytes] for path in self._sorted}
        return json.dumps({"version": _FORMAT, "files": files}, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def digest(self) -> Digest:
        """Digest of the canonical form."""
        return Digest.of(self.canonical)

    @property
    def revision(self) -> str:
        """Id of the revision these files make."""
        return self.digest.sha256

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """Read a canonical form. Raises `ManifestInvalid`, never anything else."""
        try:
            document = json.loads(content)
            if document["version"] != _FORMAT:
                raise ManifestInvalid(f"manifest version {document['version']!r} is not {_FORMAT}")
            return cls({path: Digest(sha256, size) for path, (sha256, size) in document["files"].items()})
        except ManifestInvalid:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestInvalid("not a manifest") from error
