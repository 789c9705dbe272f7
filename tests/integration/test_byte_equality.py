"""A site is served as MkDocs writes it: every file, every byte, nothing more."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2

from tests.support.generated_site import flat_site, mkdocs_build
from tests.support.rpc_client import Client, collected, component, connected
from tests.support.services import RunningService, running
from tests.support.sites import MONOREPO_FILES, entity_document, mkdocs_config, write_catalog, write_files

PROJECT = Path(__file__).parents[2]
METADATA = "techdocs_metadata.json"
PARALLEL_READS = 8


@dataclass(frozen=True)
class Source:
    """Documentation to build: its folder, its entity, and the catalog it is found by."""

    folder: Path
    entity: entity_pb2.EntityRef
    catalog: Path


def own_manual(tmp_path: Path) -> Source:
    """The documentation of this project, from the root of its repository."""
    return Source(PROJECT, component("techdocs-service"), PROJECT / "catalog-info.yaml")


def flat(tmp_path: Path) -> Source:
    """Twenty pages of everything."""
    return described(tmp_path, flat_site())


def monorepo(tmp_path: Path) -> Source:
    """A site that includes another one, with file names in its links."""
    config = MONOREPO_FILES["mkdocs.yml"]
    assert isinstance(config, str)
    return described(tmp_path, {**MONOREPO_FILES, "mkdocs.yml": config + "use_directory_urls: false\n"})


def without_configuration(tmp_path: Path) -> Source:
    """Two pages; MkDocs gets the configuration that the service makes up."""
    pages = {"docs/index.md": "# Alone\n", "docs/more.md": "# More\n"}
    bare = described(tmp_path, pages)
    same = write_files(tmp_path / "same", {"mkdocs.yml": mkdocs_config("alone"), **pages})
    return Source(same, bare.entity, bare.catalog)


def described(tmp_path: Path, files: Mapping[str, str | bytes]) -> Source:
    folder = write_files(tmp_path / "catalog" / "alone", files)
    write_catalog(folder, {"catalog-info.yaml": entity_document("alone")})
    return Source(folder, component("alone"), tmp_path / "catalog")


@dataclass(frozen=True)
class Served:
    """A site as the service has it."""

    service: RunningService
    client: Client
    entity: entity_pb2.EntityRef

    async def paths(self) -> list[str]:
        """Return every path of the current revision, in pages of a few."""
        found: list[str] = []
        token = ""
        while True:
            request = docs_pb2.ListContentsRequest(entity=self.entity, page_size=37, page_token=token)
            page = await self.client.docs.ListContents(request)
            found += [content.path for content in page.contents]
            token = page.next_page_token
            if not token:
                return found

    async def in_one_message(self, path: str) -> bytes:
        answer = await self.client.docs.GetContent(docs_pb2.GetContentRequest(entity=self.entity, path=path))
        return await self.streamed(path) if answer.data_omitted else answer.body.data

    async def streamed(self, path: str) -> bytes:
        stream = self.client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=self.entity, path=path))
        return b"".join(message.body.data for message in await collected(stream))

    async def over_rest(self, rest: httpx.AsyncClient, below: str, path: str) -> bytes:
        entity = f"{self.entity.namespace}/{self.entity.kind}/{self.entity.name}"
        answer = await rest.get(f"{below}/{entity}/{quote(path)}")
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.content

    async def everything(self) -> AsyncIterator[tuple[str, Mapping[str, bytes]]]:
        """Yield each path with its bytes by every way to read it."""
        slots = asyncio.Semaphore(PARALLEL_READS)
        async with httpx.AsyncClient(base_url=self.service.rest, timeout=60) as rest:

            async def read(path: str) -> tuple[str, Mapping[str, bytes]]:
                async with slots:
                    return path, {
                        "ReadContent": await self.streamed(path),
                        "GetContent": await self.in_one_message(path),
                        "/docs": await self.over_rest(rest, "/docs", path),
                        "/static/docs": await self.over_rest(rest, "/static/docs", path),
                    }

            for reading in asyncio.as_completed([read(path) for path in await self.paths()]):
                yield await reading


async def built_on_one_day(served: Served, source: Source, output: Path) -> Mapping[str, bytes]:
    """Build with the service and with MkDocs and return what MkDocs made.

    MkDocs writes the date of the build into sitemap.xml. When midnight comes
    between the two builds they differ rightly, and both are made again.
    """
    for attempt in range(2):
        day = today()
        await served.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=served.entity, force=attempt > 0))
        files = await mkdocs_build(source.folder, output / str(attempt))
        if today() == day:
            return files
    raise AssertionError("two midnights in two builds")


def today() -> date:
    return datetime.now(UTC).date()


def check_metadata(content: bytes, plain: bytes, paths: list[str]) -> None:
    """Assert the one file that is not MkDocs' own: its keys and what they say."""
    metadata = json.loads(content)
    assert set(metadata) == {"site_name", "site_description", "build_timestamp", "files", "etag"}
    assert metadata["files"] == paths == sorted(paths)
    assert abs(metadata["build_timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 600
    assert metadata["etag"]
    theirs = json.loads(plain)
    assert metadata["site_name"] == theirs["site_name"]
    assert (metadata["site_description"] or "None") == theirs["site_description"]


@pytest.mark.parametrize("make_source", [own_manual, flat, monorepo, without_configuration])
async def test_every_file_is_served_as_mkdocs_writes_it(tmp_path: Path, make_source: Callable[[Path], Source]) -> None:
    source = make_source(tmp_path)
    async with (
        running("serve", tmp_path / "run", catalog=source.catalog, build_timeout_seconds=200) as service,
        connected(service.grpc) as client,
    ):
        served = Served(service, client, source.entity)
        plain = await built_on_one_day(served, source, tmp_path / "plain")
        paths = await served.paths()
        assert set(paths) == set(plain)
        different = []
        async for path, ways in served.everything():
            if path == METADATA:
                check_metadata(ways["ReadContent"], plain[METADATA], paths)
                assert len(set(ways.values())) == 1
            else:
                different += [(path, way) for way, content in ways.items() if content != plain[path]]
        assert different == []
