"""A publish from outside: what its caller announces before any bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from techdocs_server.domain.digest import Digest
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import QuotaExceeded
from techdocs_server.domain.publish_errors import ManifestRefused
from techdocs_server.domain.site_metadata import METADATA_PATH
from techdocs_server.domain.site_path import INDEX, path_problem

MAX_METADATA_BYTES = 16 * 1024**2
"""Most bytes of a techdocs_metadata.json that is read: 50,000 paths of 300 bytes."""
_MOST_PARTS = 1000


@dataclass(frozen=True, slots=True)
class PublishHeader:
    """What is published, and on what condition. Texts are empty where the caller left them so.

    ``request_id`` is in canonical form.
    """

    entity: EntityRef
    site_name: str = ""
    site_description: str = ""
    source_etag: str = ""
    expected_revision: str = ""
    validate_only: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ManifestPart:
    """Some files of the site, in the caller's order and words."""

    files: Sequence[tuple[str, Digest]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes of one content, as they came."""

    sha256: str
    offset: int
    data: bytes


PublishMessage = PublishHeader | ManifestPart | Chunk
"""One message of the stream."""


@dataclass(frozen=True, slots=True)
class PublishLimits:
    """Bounds of one published site."""

    max_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class AnnouncedSite:
    """The whole manifest of a publish: safe paths within the limits, index.html among them."""

    header: PublishHeader
    files: Mapping[str, Digest]

    @property
    def pages(self) -> Mapping[str, Digest]:
        """The files less techdocs_metadata.json, which a publish writes anew."""
        return {path: digest for path, digest in self.files.items() if path != METADATA_PATH}

    @property
    def fingerprint(self) -> str:
        """What tells this publish from any other: SHA-256 of everything announced but the request id."""
        header = self.header
        announced = [
            str(header.entity),
            header.site_name,
            header.site_description,
            header.source_etag,
            header.expected_revision,
            header.validate_only,
            [[path, digest.sha256, digest.size_bytes] for path, digest in sorted(self.files.items())],
        ]
        return hashlib.sha256(json.dumps(announced, ensure_ascii=True).encode()).hexdigest()


@dataclass
class Announcement:
    """Gathers the parts of a manifest, and refuses the first thing that is wrong."""

    header: PublishHeader
    limits: PublishLimits
    _files: dict[str, Digest] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _total: int = 0
    _parts: int = 0

    def add(self, part: ManifestPart) -> None:
        """Take over one part.

        Raises `ManifestRefused` naming the path, and `QuotaExceeded`.
        """
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise ManifestRefused(f"it has more than {_MOST_PARTS} parts; send more files in each")
        for path, digest in part.files:
            self._add(path, digest)

    def whole(self) -> AnnouncedSite:
        """Return the site when all parts are there. Raises `ManifestRefused`."""
        if INDEX not in self._files:
            raise ManifestRefused(f"it has no {INDEX}, the front page")
        for path in self._files:
            folder = path.rpartition("/")[0]
            while folder:
                if folder in self._files:
                    raise ManifestRefused(f"{folder!r} is a file, and the folder of {path!r}")
                folder = folder.rpartition("/")[0]
        return AnnouncedSite(self.header, self._files)

    def _add(self, path: str, digest: Digest) -> None:
        if problem := path_problem(path):
            raise ManifestRefused(f"the path {path!r} {problem}")
        if path in self._files:
            raise ManifestRefused(f"the path {path!r} is there twice")
        if self._sizes.setdefault(digest.sha256, digest.size_bytes) != digest.size_bytes:
            raise ManifestRefused(f"{path!r} has the digest of another file, and another size")
        if path == METADATA_PATH and digest.size_bytes > MAX_METADATA_BYTES:
            raise ManifestRefused(f"{path!r} has more than {MAX_METADATA_BYTES} bytes")
        self._files[path] = digest
        self._total += digest.size_bytes
        if len(self._files) > self.limits.max_files:
            raise QuotaExceeded(
                f"the site has more than {self.limits.max_files} files; the operator sets site_max_files"
            )
        if self._total > self.limits.max_bytes:
            raise QuotaExceeded(
                f"the site has more than {self.limits.max_bytes} bytes; the operator sets site_max_bytes"
            )
