"""Workspaces as folders below one folder of the data directory."""

from __future__ import annotations

import asyncio
import errno
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import finish
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.domain.errors import StorageUnavailable


class LocalWorkspaces:
    """Makes workspaces below ``root``, which it owns: what an earlier process left there is removed.

    A workspace is gone at its end, and its space is free soon after: to remove some
    thousand files takes as long as to render some pages. Constructing raises
    `StorageUnavailable` when the folder cannot be made.
    """

    def __init__(self, root: Path, *, removal: FolderRemoval) -> None:
        self._root = root
        self._removal = removal
        try:
            if root.exists():
                removal.take(root)
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageUnavailable(_problem(error)) from error

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Path]:
        """See `Workspaces`."""
        folder = self._root / uuid.uuid4().hex
        try:
            await finish(asyncio.to_thread(_make, folder))
            yield folder
        finally:
            await finish(asyncio.to_thread(self._removal.take, folder))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise StorageUnavailable(_problem(error)) from error


def _problem(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk for builds is full"
    return f"the folder for builds cannot be used ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
