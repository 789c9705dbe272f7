"""Files of the documentation folder that are made or removed before a build."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from techdocs_server.sandbox.config.addresses import is_regular_file
from techdocs_server.sandbox.config.findings import Findings

_METADATA = "techdocs_metadata.json"
_READMES = ("README.md", "readme.md")


def copy_readme(tree: Path, docs: PurePosixPath) -> PurePosixPath | None:
    """Make a README the front page where there is none; return which one.

    Source: plugin-techdocs-node, stages/generate/helpers (patchIndexPreBuild).
    """
    index = docs / "index.md"
    if (tree / index).exists():
        return None
    for folder in (docs, PurePosixPath()):
        for readme in (folder / name for name in _READMES):
            if is_regular_file(tree, readme):
                (tree / docs).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(tree / readme, tree / index)
                return readme
    return None


def remove_metadata(tree: Path, docs: PurePosixPath, findings: Findings) -> None:
    """Remove a file that would stand where the service's own description of the site does."""
    file = docs / _METADATA
    if is_regular_file(tree, file):
        (tree / file).unlink()
        findings.add(f"{_METADATA} was left out: the service writes its own", file=str(file))
