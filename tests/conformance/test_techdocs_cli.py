"""What Backstage's own command publishes is served, replaced and imported by this service."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from techdocs.v1 import docs_pb2, sites_pb2

from tests.support.classic import S3Objects
from tests.support.published import PAGES, Catalog, Deployment, deployed, site_path
from tests.support.rpc_client import Client, collected, component, connected, problem
from tests.support.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS
from tests.support.services import environment
from tests.support.sites import mkdocs_config, write_files
from tests.support.techdocs_cli import TechDocsCLI, techdocs_cli
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUCKET, ROOT, ETAG = "backstage", "root/path", "0123456789abcdef"
# More than 5 MiB: the command uploads it in parts, so its entity tag is no MD5.
BIG = "assets/big.bin"
ROOTS = pytest.mark.parametrize("root", ["", ROOT], ids=["at the root", "below a root path"])


@dataclass
class World:
    """A bucket that the command has filled, at its root and below a root path, and services that read it."""

    server: SeaweedFS
    cli: TechDocsCLI
    folder: Path
    site: Path
    services: Mapping[str, tuple[Deployment, Client]]

    @property
    def files(self) -> dict[str, bytes]:
        """What was published, by path."""
        return {str(path.relative_to(self.site)): path.read_bytes() for path in self.site.rglob("*") if path.is_file()}

    @property
    def objects(self) -> S3Objects:
        """The whole bucket."""
        return S3Objects(self.server, BUCKET)

    def settings(self, root: str = "") -> dict[str, object]:
        """Return the settings of a service that reads the bucket."""
        given = {"backstage_prefix": f"{root}/"} if root else {}
        return {
            "s3_endpoint": self.server.endpoint,
            "s3_region": "us-east-1",
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
            "backstage_bucket": BUCKET,
            **given,
        }


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, s3_server: SeaweedFS) -> AsyncIterator[World]:
    cli, folder = techdocs_cli(), tmp_path_factory.mktemp("techdocs-cli")
    source, site = folder / "source", folder / "site"
    write_files(source, {"mkdocs.yml": mkdocs_config("Made elsewhere", plugins=["techdocs-core"])})
    write_files(source / "docs", {**PAGES, "a+b & c.txt": "a name with signs\n", BIG: bytes(range(256)) * 24_000})
    await cli.generate(source, site, etag=ETAG)
    s3_server.make_bucket(BUCKET)
    catalog = Catalog(folder / "catalog")
    for name in ("demo", "replaced"):
        catalog.add(name, {"index.md": "# Ours\n"})
        for root in ("", ROOT):
            await cli.publish(site, s3_server, BUCKET, f"default/Component/{name.title()}", root=root)
    world = World(s3_server, cli, folder, site, {})
    async with (
        deployed(folder / "plain", catalog, server=world.settings()) as plain,
        deployed(folder / "rooted", catalog, server=world.settings(ROOT)) as rooted,
        connected(plain.server.grpc) as to_plain,
        connected(rooted.server.grpc) as to_rooted,
    ):
        world.services = {"": (plain, to_plain), ROOT: (rooted, to_rooted)}
        yield world


@ROOTS
async def test_every_file_is_served_byte_for_byte(world: World, root: str) -> None:
    deployment, client = world.services[root]
    assert {"index.html", "techdocs_metadata.json", "größe/seite eins/index.html", "a+b & c.txt"} <= set(world.files)
    async with httpx.AsyncClient(base_url=deployment.rest, timeout=30) as http:
        for path, content in world.files.items():
            for below in ("static/docs", "docs"):
                answer = await http.get(site_path(below=below, path=quote(path)))
                assert (answer.status_code, answer.content) == (200, content), (below, path)
            messages = await collected(
                client.docs.ReadContent(docs_pb2.ReadContentRequest(entity=component("demo"), path=path))
            )
            assert b"".join(message.body.data for message in messages) == content, path
            got = await client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("demo"), path=path))
            assert got.data_omitted if path == BIG else got.body.data == content, path


@ROOTS
async def test_what_the_command_says_of_the_site_is_told(world: World, root: str) -> None:
    deployment, client = world.services[root]
    written = json.loads(world.files["techdocs_metadata.json"])
    answer = await client.docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=component("demo")))
    metadata = answer.metadata
    assert (metadata.site_name, metadata.etag) == ("Made elsewhere", ETAG) == (written["site_name"], written["etag"])
    assert metadata.site_description == written["site_description"]
    assert metadata.build_timestamp.ToMilliseconds() == written["build_timestamp"]
    assert sorted(metadata.files) == sorted(written["files"])
    async with httpx.AsyncClient(base_url=deployment.rest, timeout=30) as http:
        body = (await http.get(site_path(below="metadata/techdocs"))).json()
    assert (body["site_name"], body["etag"]) == ("Made elsewhere", ETAG)
    listing = await client.docs.ListContents(docs_pb2.ListContentsRequest(entity=component("demo"), page_size=1000))
    assert {info.path: info.size_bytes for info in listing.contents} == {
        path: len(content) for path, content in world.files.items()
    }
    assert listing.revision == answer.revision


async def test_pages_are_read_as_a_browser_does(world: World) -> None:
    deployment, _ = world.services[""]
    async with httpx.AsyncClient(base_url=deployment.rest, timeout=30) as http:
        first = await http.get(site_path(path="guide/start/"))
        assert "Second page" in first.text
        held = await http.get(site_path(path="guide/start/"), headers={"If-None-Match": first.headers["etag"]})
        assert (held.status_code, held.content) == (304, b"")
        part = await http.get(site_path(path="assets/notes.txt"), headers={"Range": "bytes=6-10"})
        assert (part.status_code, part.text) == (206, "notes")
        head = await http.head(site_path(path="assets/notes.txt"))
        assert head.headers["content-length"] == str(len(PAGES["assets/notes.txt"]))
        svg = await http.get(site_path(below="static/docs", path="assets/picture.svg"))
        assert svg.headers["content-type"].startswith("text/plain")
        absent = await http.get(site_path(path="absent/"), headers={"Accept": "text/html"})
        assert absent.status_code == 404


async def test_a_file_uploaded_in_parts_has_ranges_and_conditions(world: World) -> None:
    deployment, _ = world.services[""]
    async with httpx.AsyncClient(base_url=deployment.rest, timeout=30) as http:
        part = await http.get(site_path(path=BIG), headers={"Range": "bytes=5300000-5300009"})
        assert part.content == world.files[BIG][5_300_000:5_300_010]
        assert part.headers["etag"].endswith('-2"')
        held = await http.get(site_path(path=BIG), headers={"If-None-Match": part.headers["etag"]})
        assert held.status_code == 304


async def test_a_build_of_ours_replaces_it_and_leaves_the_bucket_as_it_is(world: World) -> None:
    deployment, client = world.services[""]
    before = await world.objects.all()
    await deployment.sync("replaced")
    answer = await client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("replaced")))
    assert b'<h1 id="ours">Ours' in answer.body.data
    gone = docs_pb2.GetContentRequest(entity=component("replaced"), path="assets/notes.txt")
    assert (await problem(client.docs.GetContent(gone))).reason == "CONTENT_NOT_FOUND"
    assert await world.objects.all() == before
    _, to_other = world.services[ROOT]
    assert (
        b"Welcome"
        in (await to_other.docs.GetContent(docs_pb2.GetContentRequest(entity=component("replaced")))).body.data
    )


async def test_folders_in_any_letter_case_are_found_when_that_is_asked_for(world: World) -> None:
    await world.cli.publish(world.site, world.server, BUCKET, "Default/Component/MixedCase", keeps_case=True)
    assert "Default/Component/MixedCase/index.html" in await world.objects.all()
    request = docs_pb2.GetContentRequest(entity=component("mixedcase"), path="assets/data.json")
    _, lower = world.services[""]
    assert (await problem(lower.docs.GetContent(request))).reason == "SITE_NOT_FOUND"
    settings = {**world.settings(), "backstage_case": "preserved"}
    async with (
        deployed(world.folder / "cased", Catalog(world.folder / "none"), server=settings) as cased,
        connected(cased.server.grpc) as client,
    ):
        assert (await client.docs.GetContent(request)).body.data == world.files["assets/data.json"]
        lowered = docs_pb2.GetContentRequest(entity=component("demo"), path="assets/data.json")
        assert (await client.docs.GetContent(lowered)).body.data == world.files["assets/data.json"]


async def test_what_the_command_removes_is_gone_within_seconds(world: World) -> None:
    _, client = world.services[""]
    await world.cli.publish(world.site, world.server, BUCKET, "default/component/short")
    request = docs_pb2.GetContentRequest(entity=component("short"), path="assets/notes.txt")
    assert (await client.docs.GetContent(request)).body.data
    smaller = world.folder / "smaller"
    smaller.mkdir()
    (smaller / "index.html").write_text("less")
    await world.cli.publish(smaller, world.server, BUCKET, "default/component/short")
    front = docs_pb2.GetContentRequest(entity=component("short"))
    assert (await client.docs.GetContent(front)).body.data == b"less"
    assert (await problem(client.docs.GetContent(request))).reason == "CONTENT_NOT_FOUND"


async def imported(world: World, data: Path, *arguments: str, **changes: object) -> tuple[int, list[str]]:
    """Run ``techdocs import`` and return its status and what it says."""
    settings = {**world.settings(), "data_directory": data, **changes}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "techdocs_server", "import", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(settings),
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode().splitlines()


async def test_sites_are_imported_verified_and_served_without_the_bucket(world: World) -> None:
    data = world.folder / "imported" / "data"
    before = await world.objects.all()
    await world.objects.put(**{"notes.txt": b"no site", "default/component/headless/a.txt": b"no front page"})
    try:
        status, said = await imported(world, data, "--dry-run", backstage_prefix=f"{ROOT}/")
        assert (status, said[-1]) == (0, "2 found")
        only = ("--entity", "default/Component/Demo")
        status, [first, last] = await imported(world, data, *only)
        assert (status, last) == (0, "1 imported")
        assert first.startswith(f"imported: component:default/demo: {len(world.files) - 1} files, ")
        status, said = await imported(world, data)
        assert status == 1
        assert "unmanaged: notes.txt" in said
        assert "failed: component:default/headless: it has no index.html" in said
        assert [line for line in said if line.startswith("skipped: component:default/demo: ")]
        assert [line for line in said if line.startswith("imported: component:default/replaced: ")]
        status, said = await imported(world, data, "--replace", *only)
        assert (status, said[-1]) == (0, "1 unchanged")
    finally:
        await world.objects.remove("notes.txt")
        await world.objects.remove("default/component/headless/a.txt")
    assert await world.objects.all() == before
    nothing = world.folder / "nothing"
    async with (
        deployed(world.folder / "imported", Catalog(nothing)) as alone,
        connected(alone.server.grpc) as client,
    ):
        for path, content in world.files.items():
            got = await client.docs.GetContent(docs_pb2.GetContentRequest(entity=component("demo"), path=path))
            assert path == "techdocs_metadata.json" or got.info.sha256 == hashlib.sha256(content).hexdigest(), path
        described = await client.docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=component("demo")))
        assert (described.metadata.site_name, described.metadata.etag) == ("Made elsewhere", f"classic:{ETAG}")
        site = await client.sites.GetSite(sites_pb2.GetSiteRequest(entity=component("demo")))
        assert site.site.title == "Made elsewhere"
        status, [problem_line] = await imported(world, alone.data)
        assert status == 2
        assert "another techdocs process uses" in problem_line
    await mirror_is_what_the_command_would_write(world, world.folder / "imported")


async def mirror_is_what_the_command_would_write(world: World, folder: Path) -> None:
    """Mirror what was imported to a place of its own, and compare it with what was imported from."""
    settings = {**world.settings("mirrored/root"), "mirror_classic": "true"}
    published = S3Objects(world.server, BUCKET, "default/component/demo/")
    mirrored = S3Objects(world.server, BUCKET, "mirrored/root/default/component/demo/")
    async with deployed(folder, Catalog(folder / "nothing"), server=settings):

        async def is_there() -> bool:
            return await mirrored.names() == await published.names()

        await eventually(is_there, timeout_seconds=30, what="the site is mirrored")
    theirs, ours = await published.all(), await mirrored.all()
    assert set(ours) == set(theirs)
    for key, content in theirs.items():
        assert key == "techdocs_metadata.json" or ours[key] == content, key
    described = json.loads(ours["techdocs_metadata.json"])
    written = json.loads(world.files["techdocs_metadata.json"])
    assert set(described) == set(written)
    assert described["build_timestamp"] == written["build_timestamp"]
    assert sorted(described["files"]) == sorted(written["files"])
