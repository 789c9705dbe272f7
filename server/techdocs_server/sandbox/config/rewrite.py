"""From an author's configuration to the one MkDocs is given.

Everything is read before anything is written: after a `ConfigProblem` the tree is
as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from techdocs_server.sandbox.config.addresses import as_text, is_web_url
from techdocs_server.sandbox.config.config_file import ConfigFile, read_config
from techdocs_server.sandbox.config.findings import Findings
from techdocs_server.sandbox.config.includes import Includes
from techdocs_server.sandbox.config.plugins import CORE, with_core
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.reading import Reading, Spot
from techdocs_server.sandbox.config.theme import without_fonts
from techdocs_server.sandbox.config.writing import to_yaml


@dataclass(frozen=True, slots=True)
class EditPlaces:
    """Where readers find and edit the source; ``edit_base`` may be empty."""

    repo_url: str
    edit_base: str = ""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """New configuration files by their paths from the root of the tree; ``file`` is the one to build with.

    ``docs`` maps folders of the site to the folders of the tree that their pages
    come from; the empty name is the site's root.
    """

    file: str
    files: Mapping[str, bytes]
    docs: Mapping[str, str]

    def write(self, tree: Path) -> None:
        """Write the files in place of the author's."""
        for file, content in self.files.items():
            (tree / file).write_bytes(content)


def new_config(file: str, *, site_name: str, policy: ConfigPolicy, edit: EditPlaces | None) -> Rewritten:
    """Return the configuration of a tree that has none."""
    values: dict[str, object] = {"site_name": site_name, "docs_dir": "docs", "plugins": [CORE]}
    return _rewritten(ConfigFile(file, values, PurePosixPath("docs")), (), policy, edit)


def rewritten_config(
    tree: Path, file: str, *, policy: ConfigPolicy, findings: Findings, edit: EditPlaces | None
) -> Rewritten:
    """Return the new configuration for an author's, and for those it includes. Raises `ConfigProblem`."""

    def reading(name: str) -> Reading:
        return Reading(tree, name, policy, findings)

    includes = Includes(Spot(reading(file), ("nav",)), lambda included: read_config(reading(included), None))
    config = read_config(reading(file), includes)
    config.values["plugins"] = with_core(config.values.get("plugins"))
    return _rewritten(config, includes.configs, policy, edit)


def _rewritten(
    config: ConfigFile, included: Sequence[ConfigFile], policy: ConfigPolicy, edit: EditPlaces | None
) -> Rewritten:
    _add_edit_places(config, edit)
    if not policy.external_fonts:
        config.values["theme"] = without_fonts(config.values.get("theme"))
    return Rewritten(
        file=config.file,
        files={each.file: to_yaml(each.values) for each in (config, *included)},
        docs={"": as_text(config.docs), **{each.site_name: as_text(each.docs) for each in included}},
    )


def _add_edit_places(config: ConfigFile, edit: EditPlaces | None) -> None:
    """Fill in what the author left open of repo_url and edit_uri.

    Source: plugin-techdocs-node, stages/generate/mkdocsPatchers (patchMkdocsYmlPreBuild).
    """
    if edit is None or not is_web_url(edit.repo_url):
        return
    values = config.values
    values.setdefault("repo_url", edit.repo_url)
    if is_web_url(edit.edit_base) and "edit_uri_template" not in values:
        values.setdefault("edit_uri", f"{edit.edit_base.rstrip('/')}/{config.docs}")
