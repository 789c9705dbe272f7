"""Making a site from a source tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from techdocs_server.domain.build import BuildProgress, BuildWarning, LogLine
from techdocs_server.ports.sources import EditLinks

LogSink = Callable[[LogLine], None]
"""Takes one line of log at once; never waits and never raises."""


ProgressSink = Callable[[BuildProgress], None]
"""Takes one progress at once; never waits and never raises."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to build. ``site_name`` names the site when the tree has no mkdocs.yml; ``timeout_seconds`` is wall time.

    ``reuse_from`` is a folder that an earlier build of the same site filled as its
    ``reuse_into``, None to render every page. ``reuse_into`` is an existing empty
    folder for what the next build needs, None to leave nothing.
    """

    tree: Path
    into: Path
    site_name: str
    timeout_seconds: float
    edit_links: EditLinks | None = None
    reuse_from: Path | None = None
    reuse_into: Path | None = None


@dataclass(frozen=True, slots=True)
class GeneratedSite:
    """What the generator says of the site it made.

    ``isolation`` names the level that held, such as ``landlock+seccomp+bubblewrap``.
    ``reused`` are the paths of the site that the generator did not write, because
    they are byte for byte those of the site that ``reuse_from`` belongs to.
    ``pages`` is None when the generator counts none; ``full_build_reason`` says why no
    page could be reused, empty when pages could.
    """

    site_name: str
    site_description: str
    warnings: tuple[BuildWarning, ...] = ()
    isolation: str = ""
    reused: frozenset[str] = frozenset()
    pages: BuildProgress | None = None
    full_build_reason: str = ""


class SiteGenerator(Protocol):
    """Turns a tree into a site, in a process of its own."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Names and versions of everything that decides the output, e.g. ``("mkdocs 1.6.1",)``, policies included."""
        ...

    async def generate(
        self, request: GenerateRequest, *, log: LogSink, progress: ProgressSink | None = None
    ) -> GeneratedSite:
        """Build the tree into an existing empty folder.

        Blocks no event loop. Every line the generator prints goes to ``log``, in
        order, its own warnings included. The tree is this build's own copy and may
        be changed.

        Raises `BuildStepFailed` with the generator's own last error when it fails,
        when it is killed, at the timeout, and when isolation is required and not to
        be had. Whatever happens, cancellation included, no process of the build
        outlives the call.
        """
        ...
