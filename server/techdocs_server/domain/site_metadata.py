"""techdocs_metadata.json: what a build says about its site."""

from __future__ import annotations

import json
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
        """Read the file, whoever wrote it; what it does not say is empty. Raises `ValueError` when it is not one."""
        try:
            document = json.loads(content)
            if not isinstance(document, dict):
                raise ValueError("techdocs_metadata.json is not an object")
            files = document.get("files") or []
            if not isinstance(files, list):
                raise ValueError("files of techdocs_metadata.json is not a list")
            stamp = document.get("build_timestamp")
            return cls(
                site_name=_text(document.get("site_name")),
                site_description=_text(document.get("site_description")),
                etag=_text(document.get("etag")),
                build_timestamp=datetime.fromtimestamp(float(0 if stamp is None else stamp) / 1000, UTC),
                files=tuple(sorted(_text(path) for path in files)),
            )
        except (TypeError, OverflowError, OSError, RecursionError) as error:
            raise ValueError("techdocs_metadata.json holds something else than it should") from error


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    text.encode()  # halves of surrogate pairs can be in JSON and cannot be sent; this is a `ValueError` too
    return text
