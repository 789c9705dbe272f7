"""Room on the local disk for one build."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol


class Workspaces(Protocol):
    """Hands out empty folders."""

    def open(self) -> AbstractAsyncContextManager[Path]:
        """Return a context that gives a new empty folder and removes it with all it holds at the end.

        Its name is gone when the context has ended; the space it took may be free a little later.
        Raises `StorageUnavailable` when there is no room.
        """
        ...
