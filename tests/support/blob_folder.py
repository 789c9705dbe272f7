"""Looking into the folder of a blob store."""

from __future__ import annotations

from pathlib import Path

from techdocs_server.domain.digest import Digest


def file_of(root: Path, digest: Digest) -> Path:
    """Return the file that holds a blob."""
    return root / digest.sha256[:2] / digest.sha256[2:]


def temporary_files(root: Path) -> list[Path]:
    """Return the files that are being written, or were left so."""
    return [path for path in (root / "tmp").rglob("*") if path.is_file()]
