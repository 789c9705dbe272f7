from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from techdocs_server.adapters.blobs.filesystem import FilesystemBlobStore


@pytest.fixture
async def store(root: Path) -> AsyncIterator[FilesystemBlobStore]:
    opened = FilesystemBlobStore(root)
    yield opened
    await opened.close()
