"""Everything a folder of descriptor files holds at one moment."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.catalog.descriptor_reader import DescriptorReader
from techdocs_server.adapters.catalog.descriptors import CatalogProblem, Descriptor
from techdocs_server.adapters.catalog.discovery import CatalogFolder, TargetRefused
from techdocs_server.domain.entity import EntityRef

_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class HiddenPart:
    """A part of the catalog that could not be read, and the text of its file, None when that is not known either."""

    problem: CatalogProblem
    text: str | None

    def may_hold(self, ref: EntityRef) -> bool:
        """Whether the entity may stand there. Its name would be a word of the text, unless written with escapes."""
        if self.text is None or "\\" in self.text:
            return True
        name = rf"(?<![a-z0-9_.-]){re.escape(ref.name)}(?![a-z0-9_.-])"
        return re.search(name, self.text, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The entities found, below the resolved folder ``root``, and everything that is wrong."""

    root: Path
    descriptors: Mapping[EntityRef, Descriptor]
    problems: tuple[CatalogProblem, ...]
    hidden: tuple[HiddenPart, ...]

    def hiding(self, ref: EntityRef) -> CatalogProblem | None:
        """Return why it is not certain that the catalog lacks an entity, or None when it is."""
        return next((part.problem for part in self.hidden if part.may_hold(ref)), None)


class Survey:
    """Reads a folder, file by file, along the locations that files name. For one use."""

    def __init__(self, folder: CatalogFolder, reader: DescriptorReader) -> None:
        self._folder = folder
        self._reader = reader
        self._descriptors: dict[EntityRef, Descriptor] = {}
        self._problems: list[CatalogProblem] = []
        # Only of files that have problems.
        self._texts: dict[str, str | None] = {}

    def of_file(self, file: str) -> Snapshot:
        """Start with one file, which may itself be a link that leads anywhere. Raises `OSError` when it is not there."""
        path = (self._folder.root / file).resolve(strict=True)
        return self._follow({path: file}, self._take(path, file))

    def of_folder(self) -> Snapshot:
        """Start with every descriptor file of the folder. Raises `OSError` when the folder cannot be read."""
        files, problems = self._folder.search()
        self._problems += problems
        return self._follow({}, files)

    def _follow(self, seen: dict[Path, str], files: Iterable[str]) -> Snapshot:
        pending = deque(files)
        while pending and len(seen) < _MAX_FILES:
            file = pending.popleft()
            path = self._path(file)
            if path is not None and path not in seen:
                seen[path] = file
                pending += self._take(path, file)
        if pending:
            message = f"not read: the catalog has more than {_MAX_FILES} files"
            self._problems.append(CatalogProblem(pending[0], 0, message, hides_entities=True))
        self._reader.forget_others(frozenset(seen.values()))
        hidden = [HiddenPart(found, self._texts.get(found.file)) for found in self._problems if found.hides_entities]
        return Snapshot(self._folder.root, self._descriptors, tuple(self._problems), tuple(hidden))

    def _path(self, file: str) -> Path | None:
        try:
            return self._folder.resolve(file)
        except TargetRefused as error:
            self._problems.append(CatalogProblem(file, 0, str(error)))
        except FileNotFoundError:
            self._problems.append(CatalogProblem(file, 0, "does not exist"))
        except OSError as error:
            self._problems.append(CatalogProblem(file, 0, f"cannot be read: {error.strerror}", hides_entities=True))
        return None

    def _take(self, path: Path, file: str) -> list[str]:
        """Read a file; return the files it names."""
        try:
            read = self._reader.read(path, file=file)
        except FileNotFoundError:
            return []
        if read.content.problems:
            self._problems += read.content.problems
            self._texts[file] = read.text
        for descriptor in read.content.descriptors:
            self._add(descriptor)
        named: list[str] = []
        for target in read.content.targets:
            try:
                named += self._folder.targets(target.target, named_in=file)
            except TargetRefused as error:
                self._problems.append(CatalogProblem(file, target.line, str(error)))
        return named

    def _add(self, descriptor: Descriptor) -> None:
        first = self._descriptors.setdefault(descriptor.ref, descriptor)
        if first is not descriptor:
            message = f"{descriptor.ref} is ignored here: {first.file} line {first.line} has it already"
            self._problems.append(CatalogProblem(descriptor.file, descriptor.line, message))
