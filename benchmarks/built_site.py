"""One source, and what is done with it: synced by a real server that stays up, or built by plain MkDocs."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, docs_pb2, docs_pb2_grpc, entity_pb2

from benchmarks.corpus import Corpus
from benchmarks.process_memory import PeakMemory
from tests.support.services import RunningService, running
from tests.support.waiting import eventually

ENTITY = entity_pb2.EntityRef(kind="component", name="measured")
_DESCRIPTOR = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: measured\n"
    "  annotations:\n    backstage.io/techdocs-ref: dir:.\nspec: {type: service, owner: me, lifecycle: test}\n"
)
_BUILD_SECONDS = 1200.0
_READ_SECONDS = 30.0
_MOST_LISTED = 1000
_LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
_ZYGOTE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Source:
    """A documentation source of ours alone, which is edited while it is measured."""

    folder: Path

    @property
    def docs(self) -> Path:
        """The folder of the pages."""
        named = re.search(r"^docs_dir:\s*['\"]?([^'\"\s#]+)", (self.folder / "mkdocs.yml").read_text(), re.MULTILINE)
        return self.folder / (named[1] if named else "docs")

    def pages(self) -> Sequence[Path]:
        """Return every page, the one in the middle first: where it is in the navigation matters little, but somewhat."""
        found = sorted(self.docs.rglob("*.md"))
        middle = len(found) // 2
        return found[middle:] + found[:middle]


@contextmanager
def corpus(pages: int) -> Iterator[Source]:
    """Write a corpus of so many pages, and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="techdocs-corpus-") as folder:
        yield _described(Corpus(pages).write(Path(folder, "source")))


@contextmanager
def copied(tree: Path) -> Iterator[Source]:
    """Copy a tree with an mkdocs.yml, and remove the copy in the end."""
    with tempfile.TemporaryDirectory(prefix="techdocs-tree-") as folder:
        copy = Path(folder, "source")
        shutil.copytree(tree, copy, symlinks=True, ignore=shutil.ignore_patterns(".*", "node_modules", "site"))
        yield _described(copy)


def _described(folder: Path) -> Source:
    (folder / "catalog-info.yaml").write_text(_DESCRIPTOR)
    return Source(folder)


async def plain_build(source: Source) -> float:
    """Run ``mkdocs build`` in a fresh process; return the seconds."""
    with tempfile.TemporaryDirectory(prefix="techdocs-plain-") as site:
        return await plain_build_into(source, Path(site))


async def plain_build_into(source: Source, site: Path) -> float:
    """Run ``mkdocs build`` in a fresh process and leave the site in a folder; return the seconds."""
    began = time.perf_counter()
    await _ended(await _mkdocs(source, str(site)))
    return time.perf_counter() - began


async def plain_peak(source: Source) -> int:
    """Run ``mkdocs build`` in a fresh process and return the bytes that it and its children took at most."""
    with tempfile.TemporaryDirectory(prefix="techdocs-plain-") as site:
        process = await _mkdocs(source, site)
        with PeakMemory(process.pid, itself=True) as memory:
            await _ended(process)
        return memory.peak_bytes


async def _mkdocs(source: Source, site: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", site, cwd=source.folder,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def _ended(process: asyncio.subprocess.Process) -> None:
    if await process.wait() != 0:
        raise RuntimeError("mkdocs build failed")


class ServedSource:
    """A source in the catalog of a server that is up, and ready to build."""

    def __init__(self, source: Source, service: RunningService, channel: grpc.aio.Channel) -> None:
        self._source = source
        self._service = service
        self._builds = builds_pb2_grpc.BuildServiceStub(channel)
        self._docs = docs_pb2_grpc.DocsServiceStub(channel)
        self._edits = 0
        self._edited: tuple[Path, str] | None = None

    async def sync(self, *, updates: bool = True) -> float:
        """Return the seconds of one sync. Raises `RuntimeError` when it publishes nothing, or something, unexpectedly."""
        began = time.perf_counter()
        answer = await self._builds.SyncSite(builds_pb2.SyncSiteRequest(entity=ENTITY), timeout=_BUILD_SECONDS)
        seconds = time.perf_counter() - began
        if answer.updated != updates:
            raise RuntimeError(f"the sync answered: {answer}")
        return seconds

    async def edit(self) -> float:
        """Add a paragraph to one page; return the seconds from writing the file until readers get it."""
        page, path = self._edited = self._edited or await self._published_page()
        self._edits += 1
        text = f"Edited {self._edits} times."
        content = f"{page.read_text()}\n\n{text}\n"
        began = time.perf_counter()
        page.write_text(content)
        await self.sync()
        shown = await self.content(path)
        seconds = time.perf_counter() - began
        if text.encode() not in shown:
            raise RuntimeError(f"{path} does not say {text!r}")
        return seconds

    async def add(self) -> float:
        """Add one page; return the seconds from writing the file until readers get it."""
        self._edits += 1
        name = f"added-{self._edits}"
        page = self._source.pages()[0].with_name(f"{name}.md")
        began = time.perf_counter()
        page.write_text(f"# Added\n\nThis is {name}.\n")
        await self.sync()
        path = await self._path_of(page)
        seconds = time.perf_counter() - began
        if path is None:
            raise RuntimeError(f"{name} is not in the site")
        return seconds

    async def unchanged(self) -> float:
        """Return the seconds of a sync that finds nothing to do."""
        return await self.sync(updates=False)

    async def peak(self) -> int:
        """Sync, and return the bytes that everything below the server took at most: the zygote, its builds, their workers."""
        with PeakMemory(self._service.process.pid, itself=False) as memory:
            await self.sync()
        return memory.peak_bytes

    async def _published_page(self) -> tuple[Path, str]:
        for page in self._source.pages():
            if path := await self._path_of(page):
                return page, path
        raise RuntimeError("no page of the source is in the site")

    async def _path_of(self, page: Path) -> str | None:
        """Return where a page is in the site: that depends on its mkdocs.yml."""
        place = page.relative_to(self._source.docs).with_suffix("")
        folder = place.parent if place.name in ("index", "README") else place
        for path in ((folder / "index.html").as_posix(), f"{place.as_posix()}.html"):
            with suppress(FileNotFoundError):
                await self.content(path)
                return path
        return None

    async def contents(self) -> list[docs_pb2.ContentInfo]:
        """Return every file of the site, in the server's order."""
        found: list[docs_pb2.ContentInfo] = []
        request = docs_pb2.ListContentsRequest(entity=ENTITY, page_size=_MOST_LISTED)
        while True:
            answer = await self._docs.ListContents(request, timeout=_READ_SECONDS)
            found += answer.contents
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    async def content(self, path: str) -> bytes:
        """Return what a path of the site holds. Raises `FileNotFoundError`."""
        request = docs_pb2.GetContentRequest(entity=ENTITY, path=path)
        try:
            answer = await self._docs.GetContent(request, timeout=_READ_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise FileNotFoundError(path) from error
            raise
        content: bytes = answer.body.data
        return content


@asynccontextmanager
async def served(source: Source, **settings: object) -> AsyncIterator[ServedSource]:
    """Run a server with an empty data directory, and more settings; yield when it is ready to build.

    Its data are removed in the end, but for those that the settings put elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="techdocs-server-") as name:
        folder = Path(name)
        # What says that builds can be forked is a line of debugging.
        async with (
            running(
                "server", folder, catalog=source.folder / "catalog-info.yaml", log_level="debug",
                build_timeout_seconds=_BUILD_SECONDS, **settings,
            ) as service,
            grpc.aio.insecure_channel(
                service.grpc, options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES)]
            ) as channel,
        ):  # fmt: skip
            await channel.channel_ready()
            await _ready(service)
            yield ServedSource(source, service, channel)


async def _ready(service: RunningService) -> None:
    """Wait until builds are forked. Where they cannot be, say so: every build then starts an interpreter."""
    with suppress(AssertionError):
        await eventually(
            lambda: any(event in service.logged() for event in ("zygote_ready", "zygote_failed")),
            timeout_seconds=_ZYGOTE_SECONDS,
            what="builds are forked",
        )
    if "zygote_ready" not in service.logged():
        print("builds are not forked here, which makes each about a second longer", file=sys.stderr)
