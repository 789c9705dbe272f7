"""Snapshots as files of a local disk."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from techdocs_server.adapters.blobs.blob_files import sync_folder
from techdocs_server.adapters.blobs.os_problems import reporting_os_errors
from techdocs_server.adapters.blobs.write_aside import WriteAsideFolder
from techdocs_server.adapters.snapshots.names import folder_of, keys_of, name_of, newest_of, path_of, pruned
from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.site_snapshot import SiteSnapshot, SnapshotKey
from techdocs_server.ports.site_snapshots import FoundSnapshot

_SUFFIX = ".json"
# No namespace begins with a dot.
_ASIDE = ".tmp"


class FilesystemSiteSnapshots:
    """SiteSnapshots below one folder, each written aside, flushed, renamed, and its folder flushed.

    Constructing makes the folder and removes what dead processes left; it blocks for a
    millisecond and raises `StorageUnavailable`. Call `close` in the end.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with reporting_os_errors():
            root.mkdir(parents=True, exist_ok=True)
            sync_folder(root.parent)
            self._write_aside = WriteAsideFolder(root / _ASIDE)
        self._threads = ThreadPool(1, name="snapshots")

    async def close(self) -> None:
        """End the thread after what is in flight. Later calls raise `StorageUnavailable`."""
        await self._threads.close()
        self._write_aside.close()

    async def write(self, snapshot: SiteSnapshot) -> None:
        """Store a snapshot, as the port says."""
        await self._threads.run(self._write, snapshot)

    async def newest(self) -> AsyncIterator[FoundSnapshot]:
        """Yield every site of which there is a snapshot."""
        paths = await self._threads.run(self._paths)
        async for found in newest_of(keys_of(paths), self._read):
            yield found

    async def prune(self, entity: EntityRef) -> None:
        """Remove snapshots of a site but the newest."""
        await self._threads.run(self._prune, entity)

    def _write(self, snapshot: SiteSnapshot) -> None:
        folder = self._root / folder_of(snapshot.entity)
        aside = self._write_aside.new_path()
        with reporting_os_errors():
            self._make(folder)
            try:
                with aside.open("xb") as file:
                    file.write(snapshot.to_json())
                    file.flush()
                    os.fsync(file.fileno())
                aside.rename(folder / name_of(snapshot.key))
            finally:
                aside.unlink(missing_ok=True)
            sync_folder(folder)

    def _make(self, folder: Path) -> None:
        """Make a folder so that it survives a crash. The root is not made anew: its disk may have gone away."""
        missing = [made for made in (folder.parent.parent, folder.parent, folder) if not made.exists()]
        for made in missing:
            made.mkdir(exist_ok=True)
            sync_folder(made.parent)

    def _paths(self) -> Sequence[str]:
        with reporting_os_errors():
            return [str(path.relative_to(self._root)) for path in self._files()]

    def _files(self) -> Iterator[Path]:
        # The first listing is made by hand: a root that is gone must not look empty.
        for namespace in self._root.iterdir():
            if namespace.name != _ASIDE:
                yield from namespace.glob(f"*/*/*{_SUFFIX}")

    def _prune(self, entity: EntityRef) -> None:
        folder = self._root / folder_of(entity)
        with reporting_os_errors():
            paths = [f"{folder_of(entity)}/{path.name}" for path in folder.glob(f"*{_SUFFIX}")]
            for key in pruned(keys_of(paths).get(entity, [])):
                (folder / name_of(key)).unlink(missing_ok=True)

    async def _read(self, entity: EntityRef, key: SnapshotKey) -> bytes | None:
        return await self._threads.run(self._content, self._root / path_of(entity, key))

    def _content(self, path: Path) -> bytes | None:
        with reporting_os_errors():
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None
