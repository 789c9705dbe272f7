"""Documentation that cannot be built: each mistake is told in words its author can act on, and nothing else is lost."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio
from techdocs.v1 import builds_pb2, docs_pb2

from tests.conformance.event_streams import parse
from tests.support.published import Catalog
from tests.support.rpc_client import Client, Problem, collected, component, connected, problem
from tests.support.services import RunningService, running
from tests.support.sites import entity_document, mkdocs_config, write_catalog, write_files

PROJECT = Path(__file__).parents[2]
BUILD_FAILED = (grpc.StatusCode.ABORTED, "BUILD_FAILED", 422)
NO_DOCS_SOURCE = (grpc.StatusCode.FAILED_PRECONDITION, "NO_DOCS_SOURCE", 404)
CRASHING_HOOK = "raise RuntimeError('a hook was run')\n"


@dataclass(frozen=True)
class Mistake:
    """What an author does to a folder that was fine, and what everybody is told then."""

    make: Callable[[Path], object]
    outcome: tuple[grpc.StatusCode, str, int]
    words: tuple[str, ...]


def config(text: str) -> Callable[[Path], object]:
    return lambda folder: write_files(folder, {"mkdocs.yml": text})


def reference(techdocs_ref: str | None) -> Callable[[Path], object]:
    def write(folder: Path) -> object:
        document = entity_document(folder.name, techdocs_ref=techdocs_ref)
        return write_catalog(folder, {"catalog-info.yaml": document})

    return write


MISTAKES = {
    "broken-yaml": Mistake(config("site_name: [one\nplugins: }\n"), BUILD_FAILED, ("mkdocs.yml", "line")),
    "no-mapping": Mistake(config("just text\n"), BUILD_FAILED, ("mkdocs.yml must hold options",)),
    "missing-page": Mistake(
        config(mkdocs_config(strict=True, nav=[{"Gone": "gone.md"}])), BUILD_FAILED, ("gone.md", "strict mode")
    ),
    "dead-link": Mistake(
        lambda folder: write_files(
            folder, {"mkdocs.yml": mkdocs_config(strict=True), "docs/index.md": "[dead](nowhere.md)\n"}
        ),
        BUILD_FAILED,
        ("nowhere.md", "strict mode"),
    ),
    "no-front-page": Mistake(
        lambda folder: (folder / "docs/index.md").rename(folder / "docs/first.md"),
        BUILD_FAILED,
        ("no front page", "index.md"),
    ),
    "no-docs-dir": Mistake(config(mkdocs_config(docs_dir="manual")), BUILD_FAILED, ("docs_dir", "manual")),
    "no-text": Mistake(
        lambda folder: write_files(folder, {"docs/index.md": b"# Caf\xe9\n"}), BUILD_FAILED, ("index.md", "'utf-8'")
    ),
    "no-reference": Mistake(reference(None), NO_DOCS_SOURCE, ("backstage.io/techdocs-ref: dir:.",)),
    "malformed-reference": Mistake(reference("here"), NO_DOCS_SOURCE, ("'here'", "<type>:<target>")),
    "url-reference": Mistake(reference("url:https://example.com/docs"), BUILD_FAILED, ("example.com", "source_hosts")),
    "outside-reference": Mistake(reference("dir:../broken-yaml"), NO_DOCS_SOURCE, ("leads out", "dir:.")),
    "absolute-reference": Mistake(reference("dir:/etc"), NO_DOCS_SOURCE, ("leads out", "dir:.")),
    "missing-folder": Mistake(reference("dir:./gone"), BUILD_FAILED, ("missing-folder/gone", "does not exist")),
    "broken-descriptor": Mistake(
        lambda folder: (folder / "catalog-info.yaml").write_text(
            "kind: Component\nmetadata: {name: broken-descriptor\n"
        ),
        (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE", 503),
        ("broken-descriptor/catalog-info.yaml",),
    ),
    "removed-descriptor": Mistake(
        lambda folder: (folder / "catalog-info.yaml").unlink(),
        (grpc.StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND", 404),
        ("removed-descriptor",),
    ),
}

# What is left out of a configuration: the author, the words he is warned with, and the line.
LEFT_OUT: Mapping[str, tuple[Callable[[Path], object], str, int]] = {
    "unknown-plugin": (
        config("site_name: Demo\nplugins:\n  - techdocs-core\n  - no-such-plugin\n"),
        "no-such-plugin",
        4,
    ),
    "crashing-hook": (
        lambda folder: write_files(
            folder, {"mkdocs.yml": "site_name: Demo\nhooks:\n  - hook.py\n", "hook.py": CRASHING_HOOK}
        ),
        "hooks",
        2,
    ),
}


@dataclass(frozen=True)
class Broken:
    """A service whose every site was good once and has its mistake now."""

    folder: Path
    service: RunningService
    client: Client
    rest: httpx.AsyncClient

    async def sync(self, name: str) -> Problem:
        """Sync over gRPC, which must fail."""
        call = self.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)))
        refusal = await problem(call)
        self.check_silent(refusal.everything)
        return refusal

    def check_silent(self, text: str) -> None:
        """Assert that a text tells nothing of where things are on this machine."""
        places = (self.folder, self.folder.resolve(), PROJECT, sys.prefix, sys.base_prefix, Path.home())
        assert [place for place in map(str, places) if len(place) > 1 and place in text] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broken]:
    folder = tmp_path_factory.mktemp("bad-documentation")
    catalog = Catalog(folder / "catalog")
    for name in [*MISTAKES, *LEFT_OUT]:
        catalog.add(name, {"index.md": f"# Good {name}\n"})
    async with (
        running("serve", folder / "run", catalog=catalog.folder) as service,
        connected(service.grpc) as client,
        httpx.AsyncClient(base_url=service.rest, timeout=120) as rest,
    ):
        requests = [builds_pb2.SyncSiteRequest(entity=component(name)) for name in MISTAKES]
        await asyncio.gather(*(client.builds.SyncSite(request) for request in requests))
        for name, mistake in MISTAKES.items():
            mistake.make(catalog.folder / name)
        for name, (make, _, _) in LEFT_OUT.items():
            make(catalog.folder / name)
        yield Broken(folder, service, client, rest)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextmanager
def told(name: str, text: str) -> Iterator[None]:
    """Name the mistake and what was said of it when an assertion fails."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{name} is told as: {text}") from error


@pytest.mark.parametrize("name", MISTAKES)
async def test_the_mistake_is_told_and_the_good_site_stays(broken: Broken, name: str) -> None:
    mistake = MISTAKES[name]
    code, reason, http_status = mistake.outcome
    refusal = await broken.sync(name)
    with told(name, refusal.everything):
        assert (refusal.code, refusal.reason) == (code, reason)
        assert all(words in refusal.message for words in mistake.words)

    answer = await broken.rest.post(f"/sync/default/component/{name}")
    broken.check_silent(answer.text)
    with told(name, answer.text):
        assert answer.status_code == http_status
        error = answer.json()["error"]
        assert error["details"][0]["reason"] == reason
        assert all(words in error["message"] for words in mistake.words)

    page = await broken.client.docs.GetContent(docs_pb2.GetContentRequest(entity=component(name)))
    assert f"Good {name}" in page.body.data.decode()
    bridged = await broken.rest.get(f"/docs/default/component/{name}/")
    assert bridged.content == page.body.data


@pytest.mark.parametrize("name", [name for name in MISTAKES if MISTAKES[name].outcome is BUILD_FAILED])
async def test_the_log_of_the_build_ends_with_the_mistake(broken: Broken, name: str) -> None:
    refusal = await broken.sync(name)
    build = refusal.metadata["build"]
    assert refusal.metadata["phase"] in {"preparing", "generating", "publishing"}
    watched = await collected(broken.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build)))
    broken.check_silent(str(watched))
    errors = [
        message.event.log.text for message in watched if message.event.log.severity == builds_pb2.LOG_SEVERITY_ERROR
    ]
    with told(name, "\n".join(message.event.log.text for message in watched)):
        assert all(words in errors[-1] for words in MISTAKES[name].words)
        last = watched[-1].event.state_change
        assert last.state == builds_pb2.BUILD_STATE_FAILED
        assert last.error.message == refusal.message


@pytest.mark.parametrize("name", LEFT_OUT)
async def test_what_an_author_may_not_configure_is_left_out_and_a_warning_says_where(broken: Broken, name: str) -> None:
    _, words, line = LEFT_OUT[name]
    request = builds_pb2.CreateBuildRequest(entity=component(name), force=True)
    build = (await broken.client.builds.CreateBuild(request)).build
    watched = await collected(broken.client.builds.WatchBuild(builds_pb2.WatchBuildRequest(name=build.name)))
    broken.check_silent(str(watched))
    ended = watched[-1].event.state_change
    with told(name, str(ended)):
        assert ended.state == builds_pb2.BUILD_STATE_SUCCEEDED
        [warning] = ended.warnings
        assert words in warning.message
        assert (warning.file, warning.line) == ("mkdocs.yml", line)


@pytest.mark.parametrize("name", ["dead-link", "no-reference", "broken-descriptor"])
async def test_an_event_stream_ends_with_the_mistake(broken: Broken, name: str) -> None:
    answer = await broken.rest.get(f"/sync/default/component/{name}", headers={"accept": "text/event-stream"})
    broken.check_silent(answer.text)
    [*_, last] = parse(answer.text)
    assert last.name == "error"
    assert all(words in str(last.data) for words in MISTAKES[name].words)


async def test_an_entity_that_nobody_knows_is_not_found_although_a_descriptor_is_broken(broken: Broken) -> None:
    refusal = await broken.sync("nobody")
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND")


@pytest.mark.parametrize("name", [name for name in MISTAKES if MISTAKES[name].outcome[1] != "ENTITY_NOT_FOUND"])
async def test_entity_metadata_tells_no_place_of_the_server(broken: Broken, name: str) -> None:
    answer = await broken.rest.get(f"/metadata/entity/default/component/{name}")
    broken.check_silent(answer.text)
    # An entity that names no documentation has nothing for its readers; one whose documentation is broken has.
    documented = 404 if MISTAKES[name].outcome[1] == "NO_DOCS_SOURCE" else 200
    assert answer.status_code == (503 if name == "broken-descriptor" else documented)
