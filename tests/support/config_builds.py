"""Builds of one tree, for tests of what authors may configure. By default nothing but the rules under test holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from techdocs_server.adapters.generators.isolation import IsolationPolicy
from techdocs_server.adapters.generators.mkdocs import MkDocsGenerator
from techdocs_server.domain.build import BuildWarning, LogLine
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.generator import GeneratedSite, GenerateRequest
from techdocs_server.ports.sources import EditLinks
from techdocs_server.sandbox.config.policy import ConfigPolicy
from techdocs_server.sandbox.launch import DEFAULT_SEARCH_PATH, environment

from tests.support.sites import Files, files_below, write_files

TRUSTING = ConfigPolicy(rewrites=False)
"""The negative control: the author's own configuration is used as it is."""

_WITHOUT_ISOLATION = IsolationPolicy(layers=frozenset(), programs=True)


@dataclass(slots=True)
class ConfigBuilds:
    """A folder with a tree, built as often as a test likes; every build works on a copy of the tree's files."""

    folder: Path
    isolation: IsolationPolicy = _WITHOUT_ISOLATION
    lines: list[LogLine] = field(default_factory=list)
    _builds: int = 0

    async def build(
        self,
        files: Files,
        *,
        policy: ConfigPolicy | None = None,
        search_path: str = DEFAULT_SEARCH_PATH,
        edit_links: EditLinks | None = None,
    ) -> BuiltSite:
        """Build a tree of these files. Raises `BuildStepFailed`."""
        self._builds += 1
        folder = self.folder / f"build-{self._builds}"
        tree, output, scratch = (folder / name for name in ("tree", "output", "scratch"))
        for made in (tree, output, scratch):
            made.mkdir(parents=True)
        write_files(tree, files)
        generator = MkDocsGenerator(
            temporary_directory=scratch, search_path=search_path, policy=policy, isolation=self.isolation
        )
        request = GenerateRequest(tree, output, "From the catalog", timeout_seconds=120, edit_links=edit_links)
        site = await generator.generate(request, log=self.lines.append)
        return BuiltSite(site, tree, files_below(output))

    async def failure(self, files: Files, *, policy: ConfigPolicy | None = None) -> BuildStepFailed:
        """Build a tree that cannot be built; return why."""
        with pytest.raises(BuildStepFailed) as caught:
            await self.build(files, policy=policy)
        return caught.value

    def plain(self, files: Files) -> dict[str, bytes]:
        """Return what MkDocs' own command makes of these files."""
        folder = self.folder / "plain"
        tree, output, home = (folder / name for name in ("tree", "output", "home"))
        home.mkdir(parents=True)
        write_files(tree, files)
        python = Path(sys.executable)
        subprocess.run(
            [python, "-m", "mkdocs", "build", "-q", "-d", output],
            env=dict(environment(python, private_directory=home)),
            cwd=tree,
            check=True,
            timeout=120,
            capture_output=True,
        )
        return files_below(output)


@dataclass(frozen=True, slots=True)
class BuiltSite:
    """What a build made."""

    site: GeneratedSite
    tree: Path
    files: Mapping[str, bytes]

    @property
    def warnings(self) -> tuple[BuildWarning, ...]:
        """What the author is told."""
        return self.site.warnings

    @property
    def messages(self) -> str:
        """Every warning's text."""
        return "\n".join(warning.message for warning in self.warnings)

    def page(self, path: str) -> str:
        """Return a page of the site."""
        return self.files[path].decode()

    def holds(self, text: str) -> bool:
        """Whether a text is anywhere in the site's pages or its search index."""
        return any(text.encode() in content for content in self.files.values())
