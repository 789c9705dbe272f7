"""Making a site from a source tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from techdocs_server.domain.build import LogLine

LogSink = Callable[[LogLine], None]
"""Takes one line of log at once; never waits and never raises."""


@dataclass(frozen=True, slots=True)
class GeneratedSite:
    """What the generator says of the site it made."""

    site_name: str
    site_description: str


class SiteGenerator(Protocol):
    """Turns a tree into a site, in a process of its own."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Names and versions of everything that decides the output, e.g. ``("mkdocs 1.6.1",)``."""
        ...

    async def generate(
        self, tree: Path, *, into: Path, site_name: str, log: LogSink, timeout_seconds: float
    ) -> GeneratedSite:
        """Build the tree into an existing empty folder.

        Blocks no event loop. ``site_name`` names the site when the tree has no
        mkdocs.yml. Every line the generator prints goes to ``log``, in order.

        Raises `BuildStepFailed` with the generator's own last error when it fails,
        when it is killed, and at the timeout. Whatever happens, cancellation
        included, no process of the build outlives the call.
        """
        ...
