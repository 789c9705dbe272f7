"""Which MkDocs configuration a tree is built with, made ready before MkDocs is there.

As Backstage's generator chooses (@backstage/plugin-techdocs-node,
stages/generate/helpers): mkdocs.yaml before mkdocs.yml, a minimal configuration
when there is neither, and the plugin techdocs-core always present. The file that
MkDocs reads is the rewritten one, see `config`, unless the policy trusts the author.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from techdocs_server.sandbox.config.addresses import is_regular_file
from techdocs_server.sandbox.config.findings import ConfigProblem, Findings
from techdocs_server.sandbox.config.front_page import copy_readme, remove_metadata
from techdocs_server.sandbox.config.plugins import with_core
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.rewrite import EditPlaces, new_config, rewritten_config

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_NAMES = ("mkdocs.yaml", "mkdocs.yml")


@dataclass(frozen=True, slots=True)
class ConfigurationRequest:
    """What the parent asks for.

    ``site_name`` names a site without configuration; ``wanted`` is a file of the
    tree to use whatever else there is.
    """

    site_name: str
    wanted: str | None = None
    edit: EditPlaces | None = None
    policy: ConfigPolicy = field(default_factory=ConfigPolicy)


@dataclass(frozen=True, slots=True)
class ReadyConfiguration:
    """The file MkDocs reads, relative to the tree, and the folders that pages of the site come from."""

    file: str
    docs: Mapping[str, str]
    is_rewritten: bool

    def load(self, *, output: Path) -> MkDocsConfig:
        """Return the validated configuration. The tree must be the current folder.

        Raises what MkDocs raises and, for an author's own file, `ConfigProblem`
        and whatever its hooks and plugins raise.
        """
        from mkdocs.config import load_config

        with Path(self.file).open("rb") as file:
            if self.is_rewritten:
                return load_config(file, site_dir=str(output))
            return load_config(file, plugins=_plugins_of(Path(self.file)), site_dir=str(output))


def make_ready(tree: Path, request: ConfigurationRequest, findings: Findings) -> ReadyConfiguration:
    """Choose the configuration and write the new one in its place; nothing of the author's runs.

    Raises `ConfigProblem`; the tree is then as it was.
    """
    file = _chosen(tree, request.wanted, findings)
    policy = request.policy
    if file is not None and not policy.rewrites:
        return ReadyConfiguration(file, {"": "docs"}, is_rewritten=False)
    if file is None:
        rewritten = new_config(_NAMES[1], site_name=request.site_name, policy=policy, edit=request.edit)
    else:
        rewritten = rewritten_config(tree, file, policy=policy, findings=findings, edit=request.edit)
    docs = PurePosixPath(rewritten.docs[""])
    rewritten.write(tree)
    if policy.readme_as_index:
        copy_readme(tree, docs)
    remove_metadata(tree, docs, findings)
    return ReadyConfiguration(rewritten.file, rewritten.docs, is_rewritten=True)


def _chosen(tree: Path, wanted: str | None, findings: Findings) -> str | None:
    if wanted is not None:
        if not is_regular_file(tree, PurePosixPath(wanted)):
            raise ConfigProblem(f"there is no {wanted}", file=wanted)
        return wanted
    found = [name for name in _NAMES if is_regular_file(tree, PurePosixPath(name))]
    if len(found) > 1:
        message = f"both {found[0]} and {found[1]} exist; {found[0]} is used and {found[1]} is ignored"
        findings.add(message, file=found[1])
    return found[0] if found else None


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
        raise ConfigProblem(f"{path} must hold options and their values, like 'site_name: My docs'", file=str(path))
    return with_core_plugin(document.get("plugins"))


def with_core_plugin(plugins: object) -> object:
    """Return what MkDocs shall use for the option ``plugins``, or None to leave the author's value alone."""
    if plugins is not None and not isinstance(plugins, dict | list):
        return None
    value = with_core(plugins)
    return None if value is plugins else value
