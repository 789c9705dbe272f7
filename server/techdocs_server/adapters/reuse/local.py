"""Reuse states as folders of the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import finish
from techdocs_server.adapters.removal import FolderRemoval
from techdocs_server.adapters.reuse.state_folder import size_of_state
from techdocs_server.domain.entity import EntityRef

_log = logging.getLogger(__name__)
_SHARES = 4


class LocalReuseStates:
    """One folder for each site below ``root``, which it owns, in it one folder named by the revision.

    ::

        <root>/<hash of the entity>/<hash of the revision>/...

    The names are hashes, so that no entity and no revision can name another place. A
    state comes into its place by a rename, and the name says all that must be known of
    it: a process that dies leaves it there or not. More than ``max_bytes`` together are
    not kept: sites that were not built for longest lose theirs first. One site has at
    most a quarter, so that no single one costs all others theirs. 0 keeps nothing.
    """

    def __init__(self, root: Path, *, max_bytes: int, removal: FolderRemoval) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._removal = removal

    @property
    def keeps_any(self) -> bool:
        """See `ReuseStates`."""
        return self._max_bytes > 0

    async def find(self, entity: EntityRef, *, revision: str) -> Path | None:
        """See `ReuseStates`."""
        if not self.keeps_any:
            return None
        return await self._never_raising(entity, asyncio.to_thread(self._find, entity, revision))

    async def keep(self, entity: EntityRef, folder: Path, *, revision: str) -> None:
        """See `ReuseStates`. The folder must be on the file system of the root."""
        await self._never_raising(entity, asyncio.to_thread(self._keep, entity, folder, revision))

    async def forget(self, entity: EntityRef) -> None:
        """See `ReuseStates`."""
        await self._never_raising(entity, asyncio.to_thread(self._removal.take, self._home(entity)))

    @staticmethod
    async def _never_raising(entity: EntityRef, work: Awaitable[Path | None]) -> Path | None:
        try:
            return await finish(work)
        except OSError as error:
            _log.warning("reuse_state_lost", extra={"entity": str(entity), "error": error.strerror})
            return None

    def _find(self, entity: EntityRef, revision: str) -> Path | None:
        home = self._home(entity)
        folder = home / _name(revision)
        if not folder.is_dir():
            return None
        # Used now: other sites lose theirs first.
        os.utime(home)
        return folder

    def _keep(self, entity: EntityRef, folder: Path, revision: str) -> None:
        home = self._home(entity)
        size = size_of_state(folder)
        if size is None or size > self._max_bytes // _SHARES:
            self._removal.take(home)
            return
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = home / _name(revision)
        # Between the two there is no state of this revision: a build would be a full one, and right.
        self._removal.take(target)
        folder.rename(target)
        for other in home.iterdir():
            if other != target:
                self._removal.take(other)
        self._make_room(keep=home)

    def _make_room(self, *, keep: Path) -> None:
        sites = sorted(_sites(self._root), key=lambda site: site.time)
        used = sum(site.size for site in sites)
        for site in sites:
            if used <= self._max_bytes:
                return
            if site.folder != keep:
                self._removal.take(site.folder)
                used -= site.size

    def _home(self, entity: EntityRef) -> Path:
        return self._root / _name(str(entity))


@dataclass(frozen=True, slots=True)
class _Site:
    folder: Path
    size: int
    time: float


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sites(root: Path) -> list[_Site]:
    found = []
    for folder in root.iterdir():
        # Another build's keep may take it away meanwhile.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            sizes = [size_of_state(state) or 0 for state in folder.iterdir()]
            found.append(_Site(folder, sum(sizes), folder.stat().st_mtime))
    return found
