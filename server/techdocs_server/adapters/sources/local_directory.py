"""Sources that are folders of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from techdocs_server.adapters.sources.blocking_work import BlockingWork
from techdocs_server.adapters.sources.known_files import KnownSources
from techdocs_server.adapters.sources.tree import TreeLimits, TreeWalk, open_root
from techdocs_server.adapters.sources.tree_copy import TreeCopy
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildStepFailed
from techdocs_server.ports.sources import PreparedSource

_THREADS = 4


class LocalDirectoryPreparer:
    """Reads and copies folders, in threads of its own.

    The etag is the hash of paths and contents alone: a checkout made again, with
    new times, is the same source. Limits and what is left out: see `tree`.
    """

    def __init__(self, *, max_bytes: int, max_files: int, excluded: Collection[Path] = frozenset()) -> None:
        """``excluded`` are folders that are part of no source, such as the server's own data."""
        self._limits = TreeLimits(max_bytes=max_bytes, max_files=max_files)
        self._excluded = frozenset(excluded)
        self._known = KnownSources()
        self._work = BlockingWork(_THREADS, name="source")

    def close(self) -> None:
        """Wait for what is running and end the threads. Not usable afterwards."""
        self._work.close()

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`. Files that did not change since they were read are not read again: see `known_files`."""
        prepared = await self._work.run(lambda stop: self._read(source, None, stop.is_set))
        return prepared.etag

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`. Every file is read. After a cancellation nothing writes into the folder any more."""
        return await self._work.run(lambda stop: self._read(source, into, stop.is_set))

    def _read(self, source: SourceRef, into: Path | None, is_stopped: Callable[[], bool]) -> PreparedSource:
        location = Path(source.location)
        self._refuse_excluded(location, display=source.display)
        root = open_root(location, display=source.display)
        try:
            files = self._known.of(source.location)
            walk = TreeWalk(
                self._limits,
                excluded=_identities(self._excluded),
                is_stopped=is_stopped,
                known=files if into is None else None,
            )
            etag = TreeCopy(walk, into=into, learnt=files).etag(root)
            self._known.keep(source.location, files)
        finally:
            os.close(root)
        return PreparedSource(etag=etag, warnings=tuple(walk.warnings))

    def _refuse_excluded(self, location: Path, *, display: str) -> None:
        resolved = location.resolve()
        if any(resolved.is_relative_to(folder.resolve()) for folder in self._excluded):
            raise BuildStepFailed(f"the documentation folder {display} is inside the server's own data")


def _identities(folders: Collection[Path]) -> frozenset[tuple[int, int]]:
    """Return (device, inode) of those folders that exist now."""
    found = set()
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return frozenset(found)
