"""A folder for one fetch, which only this user may enter and which is gone afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from techdocs_server.adapters.generators.cleanup import finish, remove_folder
from techdocs_server.domain.errors import BuildStepFailed


@asynccontextmanager
async def private_folder(parent: Path) -> AsyncIterator[Path]:
    """Give a new empty folder below ``parent``, and remove it with all it holds, also after a cancellation.

    Raises `BuildStepFailed` when it cannot be made.
    """
    path = parent / f"techdocs-source-{uuid.uuid4().hex}"
    try:
        await finish(asyncio.to_thread(_make, path))
        yield path
    finally:
        await finish(asyncio.to_thread(remove_folder, path))


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise BuildStepFailed(f"the server cannot make a folder for the source: {error.strerror}") from error
