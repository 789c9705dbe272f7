"""Getting at a documentation source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from techdocs_server.domain.catalog_entity import SourceRef


@dataclass(frozen=True, slots=True)
class EditLinks:
    """Where readers find and edit a source, as far as its host has pages for that.

    ``edit_base`` is the URL of the tree's folder in the host's editor, empty for
    none; MkDocs' edit_uri is that plus docs_dir. Source: plugin-techdocs-node,
    stages/generate/mkdocsPatchers (patchMkdocsYmlPreBuild).
    """

    repo_url: str
    edit_base: str = ""


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """A copied tree. ``etag`` is the hash of everything in it; ``warnings`` name what was left out."""

    etag: str
    warnings: tuple[str, ...]
    edit_links: EditLinks | None = None


class SourcePreparer(Protocol):
    """Copies sources. Never writes to them.

    Raises `BuildStepFailed` when the source is missing or breaks a rule, with a
    message for its author; `QuotaExceeded` when it is too large.
    """

    async def etag(self, source: SourceRef) -> str:
        """Return the etag that `prepare` would, for less work: no copy is made."""
        ...

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """Copy the source below an existing empty folder.

        The etag is of the copied bytes, so an edit during the copy cannot make a
        wrong one. After a failure the folder may hold anything; the caller
        removes it.
        """
        ...
