"""Making a site from a source tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from techdocs_server.domain.build import BuildWarning, LogLine
from techdocs_server.ports.sources import EditLinks

LogSink = Callable[[LogLine], None]
"""Takes one line of log at once; never waits and never raises."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to build. ``site_name`` names the site when the tree has no mkdocs.yml; ``timeout_seconds`` is wall time."""

    tree: Path
    into: Path
    site_name: str
    timeout_seconds: float
    edit_links: EditLinks | None = None


@dataclass(frozen=True, slots=True)
class GeneratedSite:
    """What the generator says of the site it made.

    ``isolation`` names the level that held, such as ``landlock+seccomp+bubblewrap``.
    """

    site_name: str
    site_description: str
    warnings: tuple[BuildWarning, ...] = ()
    isolation: str = ""


class SiteGenerator(Protocol):
    """Turns a tree into a site, in a process of its own."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Names and versions of everything that decides the output, e.g. ``("mkdocs 1.6.1",)``, policies included."""
        ...

    async def generate(self, request: GenerateRequest, *, log: LogSink) -> GeneratedSite:
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
