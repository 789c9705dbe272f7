"""Folders of git repositories, fetched from a real git server over HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from techdocs_server.adapters.sources.git import GitPreparer, GitTimeouts
from techdocs_server.adapters.sources.local_directory import LocalDirectoryPreparer
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.domain.catalog_entity import SourceRef
from techdocs_server.domain.errors import BuildFailureReason, BuildStepFailed, QuotaExceeded
from techdocs_server.ports.sources import EditLinks

from tests.support.git_repository import GitRepository
from tests.support.git_server import GitServer, git_server
from tests.support.remote_sources import SECRET, failure_of, loopback, source
from tests.support.sites import Files, files_below
from tests.support.waiting import eventually

UNAVAILABLE, REFUSED = BuildFailureReason.SOURCE_UNAVAILABLE, BuildFailureReason.SOURCE_REFUSED
USUAL_TIMEOUTS = GitTimeouts()
FILES: Files = {
    "mkdocs.yml": "site_name: Root\n",
    "services/pay/mkdocs.yml": "site_name: Pay\n",
    "services/pay/docs/index.md": "# Pay\n",
    "other/large.bin": b"\0\1" * 50_000,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as running:
        yield running


@pytest.fixture
def repository(server: GitServer) -> GitRepository:
    made = GitRepository(server.folder / "acme/shop.git")
    made.commit(FILES)
    return made


class Reading:
    """A preparer whose bounds a test sets, and what it reads."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.server = server
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._folder = folder
        self._made: list[GitPreparer] = []
        self.preparer = self.with_(loopback(server.host))

    def with_(
        self,
        *hosts: SourceHost,
        max_bytes: int = 10**7,
        max_files: int = 100,
        timeouts: GitTimeouts = USUAL_TIMEOUTS,
    ) -> GitPreparer:
        made = GitPreparer(
            SourceHosts(hosts),
            max_bytes=max_bytes,
            max_files=max_files,
            temporary_directory=self.scratch,
            timeouts=timeouts,
        )
        self._made.append(made)
        return made

    def url(self, path: str = "tree/main/services/pay") -> str:
        return f"{self.server.url}/acme/shop/{path}".rstrip("/")

    def into(self) -> Path:
        folder = self._folder / f"into-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        return folder

    async def files(self, path: str = "tree/main/services/pay") -> dict[str, bytes]:
        into = self.into()
        await self.preparer.prepare(source(self.url(path)), into=into)
        return files_below(into)

    async def etag(self, path: str = "tree/main/services/pay") -> str:
        return await self.preparer.etag(source(self.url(path)))

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
async def reading(server: GitServer, repository: GitRepository, tmp_path: Path) -> AsyncIterator[Reading]:
    made = Reading(server, tmp_path)
    yield made
    made.close()
    assert list(made.scratch.iterdir()) == []


async def test_folder_is_copied_and_the_rest_is_not_fetched(reading: Reading) -> None:
    into = reading.into()
    prepared = await reading.preparer.prepare(source(reading.url()), into=into)
    assert files_below(into) == {"mkdocs.yml": b"site_name: Pay\n", "docs/index.md": b"# Pay\n"}
    assert prepared.warnings == ()
    assert prepared.edit_links == EditLinks(
        repo_url=reading.url(), edit_base=f"{reading.server.url}/acme/shop/edit/main/services/pay/"
    )
    assert prepared.etag == await reading.etag()


async def test_etag_is_that_of_the_same_folder_on_disk(reading: Reading, tmp_path: Path) -> None:
    into = reading.into()
    prepared = await reading.preparer.prepare(source(reading.url()), into=into)
    local = LocalDirectoryPreparer(max_bytes=10**6, max_files=10)
    assert await local.etag(SourceRef("dir", str(into), "x", "x")) == prepared.etag
    local.close()


async def test_unchanged_check_costs_one_list_of_refs(reading: Reading) -> None:
    first = await reading.etag()
    reading.server.requests.clear()
    assert await reading.etag() == first
    assert reading.server.paths == ["GET /acme/shop.git/info/refs", "POST /acme/shop.git/git-upload-pack"]
    assert reading.server.ref_lists == 1


async def test_build_makes_the_next_check_cost_one_list_of_refs(reading: Reading) -> None:
    await reading.files()
    reading.server.requests.clear()
    await reading.etag()
    assert len(reading.server.requests) == 2
    assert reading.server.ref_lists == 1


async def test_commit_elsewhere_keeps_the_etag_and_fetches_no_blob(reading: Reading, repository: GitRepository) -> None:
    first = await reading.etag()
    repository.commit({**FILES, "other/new.md": "x", "mkdocs.yml": "site_name: Changed\n"})
    reading.server.requests.clear()
    assert await reading.etag() == first
    # One list of refs to look, and to fetch the commit another list and the pack. No third pack for blobs.
    assert [request.lists_refs for request in reading.server.requests if request.method == "POST"] == [
        True,
        True,
        False,
    ]


async def test_edit_inside_changes_the_etag_and_back_again(reading: Reading, repository: GitRepository) -> None:
    first = await reading.etag()
    repository.commit({**FILES, "services/pay/docs/index.md": "# Paid\n"})
    changed = await reading.etag()
    repository.commit(FILES)
    assert changed != first
    assert await reading.etag() == first


async def test_server_without_filters_serves_too(reading: Reading, server: GitServer) -> None:
    made = GitRepository(server.folder / "acme/old.git", filters=False)
    made.commit(FILES)
    into = reading.into()
    await reading.preparer.prepare(source(f"{server.url}/acme/old/tree/main/services/pay"), into=into)
    assert files_below(into).keys() == {"mkdocs.yml", "docs/index.md"}


@pytest.mark.parametrize("path", ["", "tree/HEAD", "tree/main", "tree/main/"])
async def test_root_of_the_default_branch(reading: Reading, path: str) -> None:
    assert (await reading.files(path))["mkdocs.yml"] == b"site_name: Root\n"


async def test_branch_tag_and_commit_are_read_as_they_stand(reading: Reading, repository: GitRepository) -> None:
    old = repository.git("rev-parse", "main")
    repository.git("tag", "-a", "v1.0", "-m", "first", old)
    repository.git("tag", "light", old)
    repository.commit({"docs/index.md": "branch"}, branch="next")
    repository.commit({"services/pay/docs/index.md": "later"})
    assert (await reading.files("tree/next/docs")) == {"index.md": b"branch"}
    for ref in ("v1.0", "light", old):
        assert (await reading.files(f"tree/{ref}/services/pay/docs")) == {"index.md": b"# Pay\n"}
    assert (await reading.files("tree/main/services/pay/docs")) == {"index.md": b"later"}


async def test_branch_with_slashes_is_told_from_its_path_by_the_longest_name(
    reading: Reading, repository: GitRepository
) -> None:
    repository.commit({"docs/index.md": "long", "x/docs/index.md": "wrong"}, branch="feature/x")
    repository.git("tag", "feature", repository.git("rev-parse", "feature/x"))
    assert (await reading.files("tree/feature/x/docs")) == {"index.md": b"long"}
    assert (await reading.files("tree/feature%2Fx/docs")) == {"index.md": b"long"}
    repository.git("update-ref", "-d", "refs/heads/feature/x")
    assert (await reading.files("tree/feature/x/docs")) == {"index.md": b"wrong"}


async def test_known_commit_asks_the_server_nothing(reading: Reading, repository: GitRepository) -> None:
    path = f"tree/{repository.git('rev-parse', 'main')}/services/pay"
    first = await reading.etag(path)
    reading.server.requests.clear()
    assert await reading.etag(path) == first
    assert reading.server.requests == []


async def test_token_reaches_its_host_and_shows_nowhere(reading: Reading, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reading.server.credentials = ("x-access-token", SECRET)
    reading.preparer = reading.with_(loopback(reading.server.host, token=SECRET))
    files = await reading.files()
    assert files.keys() == {"mkdocs.yml", "docs/index.md"}
    assert any(request.authorization for request in reading.server.requests)
    assert SECRET not in caplog.text + repr(reading.preparer) + repr(files)


async def test_token_of_a_running_git_is_in_one_file_of_its_own_and_in_no_process(reading: Reading) -> None:
    reading.server.credentials = ("x-access-token", SECRET)
    reading.preparer = reading.with_(loopback(reading.server.host, token=SECRET))
    reading.server.hang.set()
    running = asyncio.create_task(reading.etag())
    await eventually(lambda: reading.server.requests[-1:] and reading.server.requests[-1].authorization, what="a token")
    processes = _git_processes(reading.scratch)
    shown = [(Path("/proc") / pid / name).read_text() for pid in processes for name in ("cmdline", "environ")]
    holding = [file for file in reading.scratch.rglob("*") if file.is_file() and SECRET in file.read_text()]
    modes = [stat.S_IMODE(path.stat().st_mode) for file in holding for path in (file, file.parent)]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert any("git" in text for text in shown)
    assert SECRET not in "".join(shown)
    assert [file.name for file in holding] == ["askpass.secret"]
    assert modes == [0o600, 0o700]


async def test_host_asking_for_credentials_fails_and_names_the_setting(reading: Reading) -> None:
    reading.server.credentials = ("x-access-token", SECRET)
    failure = await failure_of(reading.preparer, reading.url())
    assert failure.reason is UNAVAILABLE
    assert failure.problem == f"{reading.server.host} asks for credentials for {reading.server.url}/acme/shop.git"
    assert "source_hosts" in failure.hint


async def test_wrong_token_fails_without_showing_it_even_when_the_server_does(reading: Reading) -> None:
    reading.server.credentials = ("x-access-token", "another")
    reading.server.says = f"no entry with {SECRET}".encode()
    reading.preparer = reading.with_(loopback(reading.server.host, token=SECRET))
    failure = await failure_of(reading.preparer, reading.url())
    assert failure.problem.startswith(f"{reading.server.host} refuses the credentials for ")
    assert SECRET not in failure.problem + failure.hint
    reading.server.credentials, reading.server.status = None, 503
    failure = await failure_of(reading.preparer, reading.url())
    assert failure.problem.endswith("its server reports an error; it says: no entry with ***")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("tree/gone/docs", "has no branch, tag or commit that 'gone/docs' names"),
        ("tree/0123456789", "is no branch or tag of"),
        ("tree/main/services/none", "there is no folder 'services/none' in refs/heads/main of"),
        ("tree/main/mkdocs.yml", "'mkdocs.yml' in refs/heads/main of"),
        ("tree/" + "0" * 39 + "1/docs", "the branch, tag or commit is not in"),
        ("tree/main/mkdocs.yml tree", "there is no folder 'mkdocs.yml tree' in"),
        ("issues/1", "does not look like https://"),
        ("tree/main/%2e%2e/x", "its path holds '.', '..'"),
        ("tree/--upload-pack=touch", "has no branch, tag or commit that '--upload-pack=touch' names"),
    ],
)
async def test_what_is_not_there_is_named(reading: Reading, path: str, problem: str) -> None:
    failure = await failure_of(reading.preparer, reading.url(path).replace(" ", "%20"))
    assert problem in failure.problem
    assert str(reading.scratch) not in failure.problem


async def test_repository_that_is_not_there_is_named(reading: Reading) -> None:
    failure = await failure_of(reading.preparer, f"{reading.server.url}/acme/none")
    assert failure.problem == f"there is no repository {reading.server.url}/acme/none.git"


async def test_deleted_branch_and_moved_tag_are_seen(reading: Reading, repository: GitRepository) -> None:
    repository.commit({"docs/index.md": "1"}, branch="next")
    repository.git("tag", "moving", "next")
    first = await reading.etag("tree/moving/docs")
    repository.commit({"docs/index.md": "2"}, branch="next")
    repository.git("tag", "--force", "moving", "next")
    assert await reading.etag("tree/moving/docs") != first
    repository.git("update-ref", "-d", "refs/heads/next")
    failure = await failure_of(reading.preparer, reading.url("tree/next/docs"))
    assert "deleted or renamed" in failure.hint


async def test_empty_repository_is_named(reading: Reading, server: GitServer) -> None:
    GitRepository(server.folder / "acme/empty.git")
    failure = await failure_of(reading.preparer, f"{server.url}/acme/empty")
    assert failure.problem.endswith("has no default branch")


async def test_hanging_server_ends_at_the_deadline(reading: Reading) -> None:
    reading.server.hang.set()
    preparer = reading.with_(loopback(reading.server.host), timeouts=GitTimeouts(check_seconds=0.5))
    failure = await failure_of(preparer, reading.url())
    assert failure.reason is BuildFailureReason.TIMED_OUT
    assert "did not answer completely within 0.5 seconds" in failure.problem


async def test_cancellation_leaves_no_process_and_no_folder(reading: Reading) -> None:
    reading.server.hang.set()
    running = asyncio.create_task(reading.etag())
    await eventually(lambda: reading.server.requests, what="git asks the server")
    assert _git_processes(reading.scratch)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _git_processes(reading.scratch) == []
    assert list(reading.scratch.iterdir()) == []


def _git_processes(folder: Path) -> list[str]:
    """Return the processes whose environment names a folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in environment:
            found.append(process.name)
    return found


async def test_repository_on_disk_is_read_only_where_the_operator_says_so(
    reading: Reading, repository: GitRepository
) -> None:
    url = f"file://{repository.folder}/tree/main/services/pay"
    failure = await failure_of(reading.preparer, url)
    assert failure.reason is REFUSED
    assert "source_hosts" in failure.hint
    preparer = reading.with_(SourceHost("", HostType.GIT))
    into = reading.into()
    await preparer.prepare(source(url), into=into)
    assert files_below(into).keys() == {"mkdocs.yml", "docs/index.md"}


async def test_folder_at_its_limits_is_read_and_one_byte_more_is_not(
    reading: Reading, repository: GitRepository
) -> None:
    repository.commit({"docs/a.md": "12345", "docs/b.md": "12345"})
    at_limit = reading.with_(loopback(reading.server.host), max_bytes=2_000, max_files=2)
    assert await at_limit.etag(source(reading.url("tree/main/docs")))
    repository.commit({"docs/a.md": "x" * 1990, "docs/b.md": "y" * 11})
    with pytest.raises(QuotaExceeded, match="is larger than 2000 bytes"):
        await at_limit.etag(source(reading.url("tree/main/docs")))


async def test_too_many_files_are_refused(reading: Reading, repository: GitRepository) -> None:
    repository.commit({f"docs/{number}.md": "x" for number in range(9)})
    few = reading.with_(loopback(reading.server.host), max_files=4)
    with pytest.raises(QuotaExceeded, match="has more than 8 files"):
        await few.etag(source(reading.url("tree/main/docs")))


async def test_pack_that_is_too_large_is_cut_off(reading: Reading, repository: GitRepository) -> None:
    repository.commit({"docs/a.bin": os.urandom(200_000)})
    small = reading.with_(loopback(reading.server.host), max_bytes=50_000)
    with pytest.raises(QuotaExceeded, match="is larger than 50000 bytes"):
        await small.etag(source(reading.url("tree/main/docs")))


async def test_failures_are_told_apart_by_type(reading: Reading) -> None:
    reading.server.status = 404
    assert (await failure_of(reading.preparer, reading.url())).reason is UNAVAILABLE
    reading.server.status = 429
    assert "takes no more requests" in (await failure_of(reading.preparer, reading.url())).problem
    down = reading.with_(loopback("127.0.0.1:1"))
    failure = await failure_of(down, "http://127.0.0.1:1/o/r")
    assert failure.problem == "127.0.0.1:1 cannot be reached"
    with pytest.raises(BuildStepFailed, match="user name or password"):
        await reading.preparer.etag(source(f"http://user:pw@{reading.server.host}/acme/shop"))
