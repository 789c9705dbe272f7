"""Rewriting of one configuration in a folder of its own, without building anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from techdocs_server.sandbox.config.findings import ConfigProblem, ConfigWarning, Findings
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.config.rewrite import EditPlaces, Rewritten, rewritten_config

from tests.support.sites import Files, write_files


@dataclass(frozen=True, slots=True)
class Tag:
    """A value with a tag, as the new configuration holds it."""

    name: str
    value: object = ""


class _Loader(yaml.SafeLoader):
    """Reads plain YAML, and tags as `Tag`."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> Tag:
    if isinstance(node, yaml.ScalarNode):
        return Tag(suffix, loader.construct_scalar(node))
    assert isinstance(node, yaml.MappingNode)
    return Tag(suffix, loader.construct_mapping(node, deep=True))


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _tagged)
_Loader.add_multi_constructor("!", _tagged)


def read_new(content: bytes) -> dict[str, object]:
    """Return the values of a configuration that was written."""
    document = yaml.load(content, Loader=_Loader)  # noqa: S506 - a SafeLoader that makes values of our own of tags
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rewriting made."""

    rewritten: Rewritten
    warnings: tuple[ConfigWarning, ...]

    @property
    def values(self) -> dict[str, object]:
        """The new configuration."""
        return self.of(self.rewritten.file)

    def of(self, file: str) -> dict[str, object]:
        """The new configuration in a file."""
        return read_new(self.rewritten.files[file])

    @property
    def told(self) -> list[tuple[str, int]]:
        """Warnings and their lines."""
        return [(warning.message, warning.line) for warning in self.warnings]


@dataclass(slots=True)
class Rewriter:
    """Rewrites configurations below a folder."""

    folder: Path

    def rewrite(
        self,
        config: str | bytes,
        files: Files | None = None,
        *,
        policy: ConfigPolicy | None = None,
        edit: EditPlaces | None = None,
    ) -> Outcome:
        """Rewrite an mkdocs.yml among other files. Raises `ConfigProblem`."""
        write_files(self.folder, {**(files or {}), "mkdocs.yml": config})
        findings = Findings()
        rewritten = rewritten_config(
            self.folder, "mkdocs.yml", policy=policy or ConfigPolicy(), findings=findings, edit=edit
        )
        return Outcome(rewritten, tuple(findings))

    def problem(self, config: str | bytes, files: Files | None = None) -> ConfigProblem:
        """Return why a configuration cannot be rewritten."""
        try:
            outcome = self.rewrite(config, files)
        except ConfigProblem as problem:
            return problem
        raise AssertionError(f"it was rewritten to {outcome.values}")

    def options(self, text: str, *, policy: ConfigPolicy | None = None) -> Outcome:
        """Rewrite a configuration that has a name and these further lines."""
        return self.rewrite(f"site_name: Demo\n{text}\n", policy=policy)
