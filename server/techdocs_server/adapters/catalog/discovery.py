"""Finding descriptor files in a folder, and following what they name, without ever leaving it.

Paths in and out are relative to the folder, with slashes.
"""

from __future__ import annotations

import os
import posixpath
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from techdocs_server.adapters.catalog.descriptors import CatalogProblem

NAMES = frozenset({"catalog-info.yaml", "catalog-info.yml"})
MAX_FOLDERS = 20_000
_MAX_MATCHES = 1_000
# They hold other people's files, and many of them.
_SKIPPED = frozenset({".git", "node_modules", "__pycache__", ".venv"})


class TargetRefused(Exception):
    """A path that is not followed; the message says why, for the author of the file that names it."""


@dataclass(frozen=True, slots=True)
class CatalogFolder:
    """The folder of a catalog; ``root`` and ``excluded`` (folders that are no part of it) are resolved paths."""

    root: Path
    excluded: Collection[Path] = ()

    def search(self) -> tuple[list[str], list[CatalogProblem]]:
        """Return every descriptor file below the folder, those further up first, and what could not be searched.

        Links to folders are not followed. Raises `OSError` when the folder itself
        cannot be read.
        """
        found = self._listing("")
        files, problems = found[0], []
        pending = deque(found[1])
        searched = 1
        while pending and searched < MAX_FOLDERS:
            folder = pending.popleft()
            searched += 1
            try:
                names, folders = self._listing(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.append(CatalogProblem(folder, 0, f"cannot be read: {error.strerror}", hides_entities=True))
                continue
            files += names
            pending += folders
        if pending:
            message = f"not searched: the catalog has more than {MAX_FOLDERS} folders"
            problems.append(CatalogProblem(pending[0], 0, message, hides_entities=True))
        return files, problems

    def targets(self, target: str, *, named_in: str) -> list[str]:
        """Return the files that a file names, relative to itself; ``*``, ``?``, ``[...]`` and ``**`` match several.

        Raises `TargetRefused`.
        """
        if target.startswith(("http://", "https://")):
            raise TargetRefused(f"the location {target!r} is not supported, only files are")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(named_in), target))
        if path.startswith(("/", "../")) or path == "..":
            raise TargetRefused(f"the location {target!r} leads out of the catalog's folder")
        if not any(character in path for character in "*?["):
            return [path]
        try:
            matches = [match for match in islice(self.root.glob(path), _MAX_MATCHES + 1) if match.is_file()]
        except ValueError as error:
            raise TargetRefused(f"the location {target!r} is not a pattern: {error}") from error
        if len(matches) > _MAX_MATCHES:
            raise TargetRefused(f"the location {target!r} matches more than {_MAX_MATCHES} files")
        return sorted(match.relative_to(self.root).as_posix() for match in matches)

    def resolve(self, file: str) -> Path:
        """Return where a file really is. Raises `TargetRefused` when that is outside, and `OSError`."""
        try:
            resolved = (self.root / file).resolve(strict=True)
        # RuntimeError: a loop of links, up to Python 3.12.
        except (ValueError, RuntimeError) as error:
            raise TargetRefused("leads nowhere") from error
        if not resolved.is_relative_to(self.root) or self._is_excluded(resolved):
            raise TargetRefused("leads out of the catalog's folder")
        return resolved

    def _listing(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the descriptor files and the folders to search of one folder."""
        with os.scandir(self.root / folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        files = [entry for entry in found if entry.name in NAMES and not entry.is_dir(follow_symlinks=False)]
        folders = [
            entry
            for entry in found
            if entry.is_dir(follow_symlinks=False)
            and entry.name not in _SKIPPED
            and not self._is_excluded(Path(entry.path))
        ]
        return [posixpath.join(folder, entry.name) for entry in files], [
            posixpath.join(folder, entry.name) for entry in folders
        ]

    def _is_excluded(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.excluded)
