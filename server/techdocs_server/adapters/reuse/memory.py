"""Reuse states that are forgotten with their process: for tests, and for trying the service out."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import remove_folder
from techdocs_server.adapters.reuse.state_folder import size_of_state
from techdocs_server.domain.entity import EntityRef


class MemoryReuseStates:
    """Remembers which folder is whose; the folders themselves are moved below ``folder``. Has no bound together."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._states: dict[EntityRef, tuple[str, Path]] = {}

    @property
    def keeps_any(self) -> bool:
        """See `ReuseStates`."""
        return self._max_bytes > 0

    async def find(self, entity: EntityRef, *, revision: str) -> Path | None:
        """See `ReuseStates`."""
        known, folder = self._states.get(entity, ("", None))
        return folder if known == revision else None

    async def keep(self, entity: EntityRef, folder: Path, *, revision: str) -> None:
        """See `ReuseStates`."""
        await self.forget(entity)
        try:
            size = size_of_state(folder)
            if size is not None and size <= self._max_bytes:
                target = self._folder / uuid.uuid4().hex
                self._states[entity] = (revision, await asyncio.to_thread(folder.rename, target))
        except OSError:
            return

    async def forget(self, entity: EntityRef) -> None:
        """See `ReuseStates`."""
        if (state := self._states.pop(entity, None)) is not None:
            await asyncio.to_thread(remove_folder, state[1])
