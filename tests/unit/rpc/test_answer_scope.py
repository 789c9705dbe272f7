"""For how long a cache may use what the server has decided."""

from __future__ import annotations

from pathlib import Path

from techdocs.v1 import docs_pb2
from techdocs_server.rpc.answer_scope import CATALOG_VALID_SECONDS, DEFAULT_VALID_SECONDS

from tests.support.pipeline import FolderCatalog
from tests.unit.rpc.real_server import DEMO, Served, served


async def seconds_told(service: Served) -> tuple[float, float]:
    """Return for how long metadata and contents hold."""
    await service.publish(index="# Hello")
    metadata = await service.client.docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=DEMO))
    content = await service.get()
    return (
        metadata.access.valid_for.ToTimedelta().total_seconds(),
        content.access.valid_for.ToTimedelta().total_seconds(),
    )


async def test_metadata_hold_as_long_as_contents_where_the_catalog_hides_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        assert await seconds_told(service) == (DEFAULT_VALID_SECONDS, DEFAULT_VALID_SECONDS)


async def test_metadata_hold_as_long_as_the_catalogs_word_where_it_decides_about_them(tmp_path: Path) -> None:
    async with served(tmp_path, catalog=FolderCatalog(tmp_path)) as service:
        assert await seconds_told(service) == (CATALOG_VALID_SECONDS, DEFAULT_VALID_SECONDS)
