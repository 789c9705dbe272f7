"""techdocs_metadata.json: what a build says about its site."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

METADATA_PATH = "techdocs_metadata.json"


@dataclass(frozen=True, slots=True)
class SiteMetadata:
    """The five facts of the file that Backstage's readers know.

    Source: @backstage/plugin-techdocs-node, stages/generate/helpers
    (createOrUpdateMetadata, storeEtagMetadata).
    """

    site_name: str
    site_description: str
    etag: str
    build_timestamp: datetime
    files: tuple[str, ...]

    def to_json(self) -> bytes:
        """Return the file: compact, one line, the time in milliseconds since the epoch."""
        document = {
            "site_name": self.site_name,
            "site_description": self.site_description,
            "build_timestamp": int(self.build_timestamp.timestamp() * 1000),
            "files": list(self.files),
            "etag": self.etag,
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes) -> SiteMetadata:
        """Read the file. Raises `ValueError` when it is not one."""
        document = json.loads(content)
        if not isinstance(document, dict):
            raise ValueError("techdocs_metadata.json is not an object")
        milliseconds = document.get("build_timestamp", 0)
        files: Sequence[object] = document.get("files") or ()
        return cls(
            site_name=str(document.get("site_name", "")),
            site_description=str(document.get("site_description", "")),
            etag=str(document.get("etag", "")),
            build_timestamp=datetime.fromtimestamp(float(milliseconds) / 1000, UTC),
            files=tuple(sorted(str(path) for path in files)),
        )
