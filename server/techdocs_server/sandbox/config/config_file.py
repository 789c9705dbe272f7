"""Reading one configuration file: its keys, each by its own reader."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from techdocs_server.sandbox.config.addresses import inside_tree
from techdocs_server.sandbox.config.findings import ConfigProblem
from techdocs_server.sandbox.config.keys import KEYS, REASONS, WITHOUT_EFFECT
from techdocs_server.sandbox.config.nav import Includer, Navigation
from techdocs_server.sandbox.config.nodes import Entry, MapNode, Node, Scalar
from techdocs_server.sandbox.config.reading import Reading, Spot, Unfit
from techdocs_server.sandbox.config.schema import expected
from techdocs_server.sandbox.config.yaml_reading import read_yaml

# Leaving it out would build another folder than the author means.
_NEEDED = frozenset({"docs_dir"})


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration that was read: its new values and its pages' folder, seen from the root of the tree."""

    file: str
    values: dict[str, object]
    docs: PurePosixPath
    name_line: int = 0

    @property
    def site_name(self) -> str:
        """The name of the site."""
        return str(self.values["site_name"])


def read_config(reading: Reading, includer: Includer | None) -> ConfigFile:
    """Read a file of the tree; what is not allowed is left out with a warning.

    Raises `ConfigProblem` when it is no configuration, when a key of MkDocs itself
    has a value of another type than MkDocs takes, and when what breaks a rule
    cannot be left out.
    """
    content = (reading.tree / reading.file).read_bytes()
    spot = Spot(reading)
    root = read_yaml(content, file=reading.file, findings=reading.findings) or MapNode((), 0)
    if isinstance(root, Scalar) and root.value is None:
        root = MapNode((), 0)
    if not isinstance(root, MapNode):
        problem = expected("must hold options and their values, like 'site_name: My docs'", root)
        raise ConfigProblem(f"{reading.file} {problem.why.partition(', not')[0]}", file=reading.file, line=root.line)
    values: dict[str, object] = {}
    for entry in root.entries:
        values.update((entry.key.text, value) for value in _value(entry, spot, includer))
    _require_name(values, root, spot)
    docs = inside_tree(str(values.get("docs_dir", "docs")), folder=reading.folder)
    name = root.get("site_name")
    return ConfigFile(reading.file, values, docs or PurePosixPath(), name.line if name else 0)


def _value(entry: Entry, root: Spot, includer: Includer | None) -> Iterator[object]:
    """Yield the value to write for a key of MkDocs, or nothing."""
    key, spot = entry.key.text, root.under(entry.key.text)
    if isinstance(entry.node, Scalar) and entry.node.value is None and key not in REASONS:
        # MkDocs takes it for a key that is not there.
        return
    if key in WITHOUT_EFFECT:
        return
    if key != "nav" and key not in KEYS:
        why, instead = REASONS.get(key, ("is not an option that builds may use", _similar(key)))
        spot.left_out(why, entry.key.line, instead=instead)
        return
    try:
        yield Navigation(spot, includer).read(entry.node) if key == "nav" else KEYS[key](entry.node, spot)
    except Unfit as unfit:
        if not unfit.is_refused or key in _NEEDED:
            raise spot.problem(unfit) from unfit
        spot.left_out(unfit.why, unfit.line, instead=unfit.instead)


def _require_name(values: dict[str, object], root: MapNode, spot: Spot) -> None:
    if values.get("site_name"):
        return
    inherited = next((entry for entry in root.entries if entry.key.text == "INHERIT"), None)
    if inherited is not None:
        unfit = Unfit(
            "reads another file, which is not allowed, and this one has no site_name",
            line=inherited.key.line,
            instead="copy what it holds into this file",
            is_refused=True,
        )
        raise spot.under("INHERIT").problem(unfit)
    name: Node = root.get("site_name") or root
    raise spot.under("site_name").problem(
        Unfit("is missing", line=name.line, instead="add a line like 'site_name: My docs'")
    )


def _similar(key: str) -> str:
    similar = difflib.get_close_matches(key, [*KEYS, "nav"], n=1, cutoff=0.8)
    return f"did you mean {similar[0]}?" if similar else ""
