"""The files a generator left on the local disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from techdocs_server.domain.digest import Digest


class SiteFiles(Protocol):
    """Reads a generated site without ever following a link out of it."""

    async def digests(self, root: Path) -> Mapping[str, Digest]:
        """Return every regular file below root by its path.

        Links and special files are left out. Raises `QuotaExceeded` naming the
        limit when there are too many files or bytes, and `BuildStepFailed` naming
        the path when a name cannot be a path of a site.
        """
        ...

    def check(self, files: Mapping[str, Digest]) -> None:
        """Return when a whole site is within the limits. Raises `QuotaExceeded`."""
        ...

    def opener(self, root: Path, path: str) -> Callable[[], BinaryIO]:
        """Return what opens one file for reading. It blocks and raises `OSError`."""
        ...
