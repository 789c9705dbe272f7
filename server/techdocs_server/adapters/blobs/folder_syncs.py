"""Many puts, few syncs of folders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from techdocs_server.adapters.thread_pool import ThreadPool
from techdocs_server.domain.errors import StorageUnavailable

Sync = Callable[[Collection[str]], None]


class FolderSyncs:
    """Syncs folders in batches: while one batch is under way, callers gather in the next.

    A crowd of puts shares its syncs this way, and a single put waits for nobody.
    There is no task behind it: the first caller of a batch does the work of all,
    and when that one is cancelled too early, the next does.
    """

    def __init__(self, sync: Sync, *, threads: ThreadPool) -> None:
        self._sync = sync
        self._threads = threads
        self._gathering = _Batch()
        self._turn = asyncio.Lock()

    async def synced(self, folder: str) -> None:
        """Return when the folder was synced, all of it, after this call began.

        Raises `StorageUnavailable`, as all callers of the batch then do: the kernel
        tells of a failed write once, and a second attempt would seem to succeed.
        """
        batch = self._gathering
        batch.folders.add(folder)
        async with self._turn:
            if self._gathering is batch:
                self._gathering = _Batch()
            if not batch.is_over:
                await self._threads.run(batch.carry_out, self._sync)
        if batch.problem is not None:
            raise batch.problem


class _Batch:
    """Folders to sync together, and how that ended."""

    def __init__(self) -> None:
        self.folders: set[str] = set()
        self.is_over = False
        self.problem: StorageUnavailable | None = None

    def carry_out(self, sync: Sync) -> None:
        # Keeps the outcome itself: a caller who is cancelled meanwhile cannot.
        try:
            sync(sorted(self.folders))
        except StorageUnavailable as problem:
            self.problem = problem
        self.is_over = True
