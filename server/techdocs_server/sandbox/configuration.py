"""Which MkDocs configuration a tree is built with.

As Backstage's generator chooses (@backstage/plugin-techdocs-node,
stages/generate/helpers): mkdocs.yaml before mkdocs.yml, a minimal configuration
when there is neither, and the plugin techdocs-core always present. The author's
file is read and never written, so that line numbers in errors stay theirs.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from techdocs_server.sandbox.records import RecordWriter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_NAMES = ("mkdocs.yaml", "mkdocs.yml")
_CORE_PLUGIN = "techdocs-core"


class ConfigurationUnusable(Exception):
    """The file is no MkDocs configuration at all. The message is for its author."""


@dataclass(frozen=True, slots=True)
class ConfigurationChoice:
    """A configuration file of the tree, or none and the name of the site instead."""

    file: Path | None
    site_name: str

    @classmethod
    def of(cls, tree: Path, *, site_name: str, wanted: str | None, log: RecordWriter) -> ConfigurationChoice:
        """Choose. ``wanted`` is a file of the tree to use whatever else there is.

        Raises `ConfigurationUnusable` when the wanted one is not there.
        """
        if wanted is not None:
            if not (tree / wanted).is_file():
                raise ConfigurationUnusable(f"there is no {wanted}")
            return cls(Path(wanted), site_name)
        found = [name for name in _NAMES if (tree / name).is_file()]
        if len(found) > 1:
            log.log("warning", f"both {found[0]} and {found[1]} exist; {found[0]} is used and {found[1]} is ignored")
        return cls(Path(found[0]) if found else None, site_name)

    def load(self, *, output: Path) -> MkDocsConfig:
        """Return the validated configuration. The tree must be the current folder.

        Raises `ConfigurationUnusable`, and whatever MkDocs and the author's own
        hooks and plugins raise.
        """
        from mkdocs.config import load_config

        if self.file is None:
            # The path names no file; MkDocs and its plugins find the other files beside it.
            return load_config(
                io.BytesIO(),
                config_file_path=_NAMES[1],
                site_name=self.site_name,
                docs_dir="docs",
                plugins=[_CORE_PLUGIN],
                site_dir=str(output),
            )
        with self.file.open("rb") as file:
            return load_config(file, plugins=_plugins_of(self.file), site_dir=str(output))


def _plugins_of(path: Path) -> object:
    """Return the author's plugins and techdocs-core, or None where they need nothing or are for MkDocs to refuse."""
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.utils.yaml import get_yaml_loader, yaml_load

    with path.open("rb") as file:
        try:
            # MkDocs' own reading: its tags are known and INHERIT is followed.
            document = yaml_load(file, get_yaml_loader(config=MkDocsConfig(str(path))))
        except TypeError:
            # MkDocs looks for INHERIT in the value whatever its type.
            document = None
    if not isinstance(document, dict):
        raise ConfigurationUnusable(f"{path} must hold options and their values, like 'site_name: My docs'")
    return with_core_plugin(document.get("plugins"))


def with_core_plugin(plugins: object) -> object:
    """Return what MkDocs shall use for the option ``plugins``, or None to leave the author's value alone."""
    if plugins is None:
        return [_CORE_PLUGIN]
    if isinstance(plugins, dict):
        return None if _lists_core(plugins) else {**plugins, _CORE_PLUGIN: {}}
    if isinstance(plugins, list):
        names = [next(iter(item), None) if isinstance(item, dict) else item for item in plugins]
        return None if _lists_core(names) else [*plugins, _CORE_PLUGIN]
    return None


def _lists_core(names: object) -> bool:
    # A leading slash asks MkDocs not to look for a plugin of the theme by that name.
    return isinstance(names, dict | list) and any(name in (_CORE_PLUGIN, "/" + _CORE_PLUGIN) for name in names)
