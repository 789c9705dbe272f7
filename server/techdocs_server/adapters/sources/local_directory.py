"""Sources that are folders of this machine."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="source")

    def close(self) -> None:
        """Wait for what is running and end the threads. Not usable afterwards."""
        self._pool.shutdown()

    async def etag(self, source: SourceRef) -> str:
        """See `SourcePreparer.etag`. Every file is read."""
        prepared = await self._in_thread(lambda is_stopped: self._read(source, None, is_stopped))
        return prepared.etag

    async def prepare(self, source: SourceRef, *, into: Path) -> PreparedSource:
        """See `SourcePreparer.prepare`. After a cancellation nothing writes into the folder any more."""
        return await self._in_thread(lambda is_stopped: self._read(source, into, is_stopped))

    def _read(self, source: SourceRef, into: Path | None, is_stopped: Callable[[], bool]) -> PreparedSource:
        location = Path(source.location)
        self._refuse_excluded(location, display=source.display)
        root = open_root(location, display=source.display)
        try:
            walk = TreeWalk(self._limits, excluded=_identities(self._excluded), is_stopped=is_stopped)
            etag = TreeCopy(walk, into=into).etag(root)
        finally:
            os.close(root)
        return PreparedSource(etag=etag, warnings=tuple(walk.warnings))

    def _refuse_excluded(self, location: Path, *, display: str) -> None:
        resolved = location.resolve()
        if any(resolved.is_relative_to(folder.resolve()) for folder in self._excluded):
            raise BuildStepFailed(f"the documentation folder {display} is inside the server's own data")

    async def _in_thread(self, work: Callable[[Callable[[], bool]], PreparedSource]) -> PreparedSource:
        stop = threading.Event()
        job = self._pool.submit(work, stop.is_set)
        running = asyncio.wrap_future(job)
        cancellation: asyncio.CancelledError | None = None
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError as error:
                # A running thread must let go of the folder before the caller removes it.
                cancellation = error
                job.cancel()
                stop.set()
        if cancellation is not None:
            if not running.cancelled():
                # Asked for, or asyncio reports an error that nobody has seen.
                running.exception()
            raise cancellation
        return running.result()


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
