"""The configurations that ``!include`` lines bring in: which files, and under which names.

The monorepo plugin copies the pages of each into a folder named by its site_name,
so that name is a path and is checked as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from techdocs_server.sandbox.config.addresses import as_text, inside_tree, is_regular_file, leaves_tree
from techdocs_server.sandbox.config.config_file import ConfigFile
from techdocs_server.sandbox.config.findings import ConfigProblem
from techdocs_server.sandbox.config.reading import Spot

MAX_INCLUDES = 500
_SUFFIXES = (".yml", ".yaml")
# More than one "**" takes time that grows with a power of the number of folders.
_PATTERN = re.compile(r"(?!.*\*\*.*\*\*)(?:[^*]|\*(?!\*)|(?<![^/])\*\*/)+\.ya?ml", re.DOTALL)
# What the plugin uses as it is; it makes a plain slug of every other name.
_USED_AS_PATH = re.compile(r"[a-zA-Z0-9_.\-/]+")
_METADATA = "techdocs_metadata.json"


class Includes:
    """Collects what one navigation includes. ``read`` reads a configuration file of the tree."""

    def __init__(self, spot: Spot, read: Callable[[str], ConfigFile]) -> None:
        self._spot = spot
        self._read = read
        self._configs: dict[str, ConfigFile] = {}

    @property
    def configs(self) -> Sequence[ConfigFile]:
        """Everything taken in, in order."""
        return tuple(self._configs.values())

    def one(self, path: str, *, line: int) -> str:
        """See `Includer.one`."""
        inside = inside_tree(path, folder=self._spot.reading.folder)
        if inside is None:
            raise self._spot.problem(leaves_tree(line))
        self._take(inside, line)
        return path

    def many(self, pattern: str, *, line: int) -> Sequence[tuple[str, str]]:
        """See `Includer.many`."""
        folder = self._spot.reading.folder
        if inside_tree(pattern) is None:
            raise self._spot.problem(leaves_tree(line))
        if not _PATTERN.fullmatch(pattern):
            raise ConfigProblem(
                f"'{pattern}' is no pattern for included configurations",
                file=self._spot.reading.file,
                line=line,
                hint="write a path that ends with .yml, with '*' for a part of a name and at most one '**/'",
            )
        root = self._spot.reading.tree
        found = sorted(path.relative_to(root / folder) for path in (root / folder).glob(pattern))
        paths = [PurePosixPath(path) for path in found if is_regular_file(root, PurePosixPath(folder, path))]
        return [(self._take(PurePosixPath(folder, path), line).site_name, f"./{path}") for path in paths]

    def _take(self, path: PurePosixPath, line: int) -> ConfigFile:
        reading, file = self._spot.reading, as_text(path)
        if problem := self._objection(path, file):
            raise ConfigProblem(problem, file=reading.file, line=line)
        config = self._read(file)
        self._check_name(config)
        self._check_docs(config)
        self._configs[file] = config
        return config

    def _objection(self, path: PurePosixPath, file: str) -> str:
        if not file.endswith(_SUFFIXES):
            return f"the included file {file} does not end with .yml or .yaml"
        if not is_regular_file(self._spot.reading.tree, path):
            return f"the included file {file} does not exist"
        if file == self._spot.reading.file:
            return f"{file} includes itself"
        if file in self._configs:
            return f"{file} is included twice"
        return f"more than {MAX_INCLUDES} files are included" if len(self._configs) >= MAX_INCLUDES else ""

    def _check_docs(self, config: ConfigFile) -> None:
        if not (self._spot.reading.tree / config.docs).is_dir():
            raise ConfigProblem(
                f"the documentation folder {config.docs} of the included site '{config.site_name}' does not exist",
                file=config.file,
            )

    def _check_name(self, config: ConfigFile) -> None:
        name = config.site_name
        if any(name == other.site_name for other in self._configs.values()):
            raise ConfigProblem(
                f"site_name '{name}' is that of another included site",
                file=config.file,
                line=config.name_line,
                hint="give each included site a name of its own",
            )
        if not _USED_AS_PATH.fullmatch(name):
            return
        parts = name.split("/")
        if "." in parts or ".." in parts or name.startswith("/") or parts[0] == _METADATA:
            raise ConfigProblem(
                f"site_name '{name}' cannot be the folder of an included site",
                file=config.file,
                line=config.name_line,
                hint="choose a name without '.' and '..' between slashes",
                is_refused=True,
            )
