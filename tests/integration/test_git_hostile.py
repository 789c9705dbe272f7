"""Repositories and servers that mean harm. Each rule is shown twice: holding, and switched off, when the canary is reached."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from techdocs_server.adapters.sources.git import GitPreparer
from techdocs_server.adapters.sources.git_command import CONFIGURATION, GitCommand, GitFailed, GitLimits
from techdocs_server.adapters.sources.git_failures import Asked
from techdocs_server.adapters.sources.git_repository import ATTRIBUTES
from techdocs_server.adapters.sources.git_repository import GitRepository as ServedRepository
from techdocs_server.adapters.sources.scm_urls import GitLocation
from techdocs_server.adapters.sources.source_hosts import SourceHost, SourceHosts
from techdocs_server.adapters.sources.tree import TreeLimits
from techdocs_server.domain.errors import BuildFailureReason, QuotaExceeded

from tests.support.git_repository import FOLDER, LINK, SUBMODULE, GitRepository
from tests.support.git_server import GitServer, git_server
from tests.support.remote_sources import SECRET, failure_of, loopback, source
from tests.support.sites import files_below

LIMITS = TreeLimits(max_bytes=1_000_000, max_files=100)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[GitServer]:
    """The canary: a server that nobody may be led to."""
    with git_server(tmp_path / "repositories") as running:
        yield running


@pytest.fixture
def repository(server: GitServer) -> GitRepository:
    made = GitRepository(server.folder / "acme/shop.git")
    made.commit({"docs/index.md": "# Shop\n"})
    return made


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
async def closing() -> AsyncIterator[list[GitPreparer]]:
    opened: list[GitPreparer] = []
    yield opened
    for preparer in opened:
        preparer.close()


def git_command(private: Path, host: SourceHost, configuration: Mapping[str, str] = CONFIGURATION) -> GitCommand:
    private.mkdir()
    limits = GitLimits(max_output_bytes=10**6, max_file_bytes=10**7)
    return GitCommand(private, host, pinned="", limits=limits, configuration=configuration)


async def checked_out(server: GitServer, private: Path, *, attributes: str = ATTRIBUTES, **config: str) -> Path:
    """Return a checkout as git makes it, before our own copy."""
    host = loopback(server.host)
    git = git_command(private, host, {**CONFIGURATION, **config})
    url = f"{server.url}/acme/shop.git"
    repository = ServedRepository(
        git, private, asked=Asked(url, host, LIMITS.max_bytes), limits=LIMITS, attributes=attributes
    )
    fetched = await repository.fetch(await repository.resolve(GitLocation(url, path="docs")))
    checkout, _ = await repository.check_out(fetched.tree)
    return checkout


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_redirect_of_a_git_server_is_not_followed(
    server: GitServer,
    other: GitServer,
    repository: GitRepository,
    scratch: Path,
    closing: list[GitPreparer],
    is_rule_on: bool,
) -> None:
    server.redirect_to = other.url
    preparer = GitPreparer(
        SourceHosts([loopback(server.host, token=SECRET)]),
        max_bytes=10**6,
        max_files=10,
        temporary_directory=scratch,
        configuration=CONFIGURATION if is_rule_on else {**CONFIGURATION, "http.followRedirects": "true"},
    )
    closing.append(preparer)
    url = f"{server.url}/acme/shop/tree/main/docs"
    if is_rule_on:
        failure = await failure_of(preparer, url)
        assert failure.reason is BuildFailureReason.SOURCE_REFUSED
        assert "redirect" in failure.problem
    else:
        await preparer.etag(source(url))
    assert bool(other.requests) is not is_rule_on


@pytest.mark.parametrize("is_rule_on", [True, False])
@pytest.mark.parametrize("name", ["docs.example", "127.0.0.1"])
async def test_name_that_leads_to_this_machine_is_not_connected_to(
    other: GitServer,
    repository: GitRepository,
    scratch: Path,
    closing: list[GitPreparer],
    is_rule_on: bool,
    name: str,
) -> None:
    host = SourceHost(
        f"{name}:{other.port}", loopback(other.host).type, allow_http=True, allow_private_addresses=not is_rule_on
    )
    preparer = GitPreparer(
        SourceHosts([host]),
        max_bytes=10**6,
        max_files=10,
        temporary_directory=scratch,
        lookup=lambda name, port: ["127.0.0.1"],
    )
    closing.append(preparer)
    url = f"http://{name}:{other.port}/acme/shop/tree/main/docs"
    if is_rule_on:
        failure = await failure_of(preparer, url)
        assert failure.reason is BuildFailureReason.SOURCE_REFUSED
        assert failure.problem.endswith("may not be fetched from: it is this machine")
    else:
        # No name server knows the name: git connects to the address that was checked.
        await preparer.etag(source(url))
    assert bool(other.requests) is not is_rule_on


async def test_host_that_is_not_listed_is_not_asked(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer]
) -> None:
    preparer = GitPreparer(SourceHosts(), max_bytes=10**6, max_files=10, temporary_directory=scratch)
    closing.append(preparer)
    failure = await failure_of(preparer, f"{server.url}/acme/shop")
    assert failure.reason is BuildFailureReason.SOURCE_REFUSED
    assert failure.problem == f"the host {server.host} is not one that documentation may come from"
    assert f"adds '{server.host}' to source_hosts" in failure.hint
    assert server.requests == []


async def test_link_out_of_the_repository_is_left_out(
    server: GitServer, repository: GitRepository, scratch: Path, tmp_path: Path, closing: list[GitPreparer]
) -> None:
    canary = tmp_path / "canary"
    canary.write_text("hush")
    links = {"docs/file.md": str(canary), "docs/folder": str(tmp_path), "docs/up": "../../../canary"}
    repository.commit({"docs/index.md": "x"}, links=links)
    preparer = GitPreparer(
        SourceHosts([loopback(server.host)]), max_bytes=10**6, max_files=10, temporary_directory=scratch
    )
    closing.append(preparer)
    into = tmp_path / "into"
    into.mkdir()
    prepared = await preparer.prepare(source(f"{server.url}/acme/shop/tree/main/docs"), into=into)
    assert files_below(into) == {"index.md": b"x"}
    assert sorted(prepared.warnings) == [f"{name} was left out: it is a link" for name in ("file.md", "folder", "up")]
    # Without our copy the link stands, and leads there.
    assert ((await checked_out(server, tmp_path / "private")) / "file.md").read_text() == "hush"


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_filter_that_a_tree_names_is_not_run(
    server: GitServer, repository: GitRepository, tmp_path: Path, is_rule_on: bool
) -> None:
    canary = tmp_path / "canary"
    attributes = "*.md filter=evil ident eol=crlf text working-tree-encoding=UTF-16\n"
    repository.commit({"docs/index.md": "$Id$\nx\n", "docs/.gitattributes": attributes})
    checkout = await checked_out(
        server,
        tmp_path / "private",
        attributes=ATTRIBUTES if is_rule_on else "",
        **{"filter.evil.smudge": f"tee {canary}"},
    )
    assert canary.exists() is not is_rule_on
    assert ((checkout / "index.md").read_bytes() == b"$Id$\nx\n") is is_rule_on


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_protocol_that_runs_commands_is_not_spoken(tmp_path: Path, is_rule_on: bool) -> None:
    canary = tmp_path / "canary"
    git = git_command(tmp_path / "private", loopback("127.0.0.1:1"))
    with pytest.raises(GitFailed):
        await git.run(
            "ls-remote", "--", f"ext::touch {canary}", variables={} if is_rule_on else {"GIT_ALLOW_PROTOCOL": "ext"}
        )
    assert canary.exists() is not is_rule_on


@pytest.mark.parametrize("is_rule_on", [True, False])
async def test_configuration_of_the_servers_user_is_not_read(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_rule_on: bool
) -> None:
    canary, configuration = tmp_path / "canary", tmp_path / "gitconfig"
    configuration.write_text(f'[credential]\n\thelper = "!touch {canary}; false"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    server.credentials = ("x-access-token", SECRET)
    git = git_command(tmp_path / "private", loopback(server.host), CONFIGURATION if is_rule_on else {})
    with pytest.raises(GitFailed):
        await git.run(
            "ls-remote",
            "--",
            f"{server.url}/acme/shop.git",
            variables={} if is_rule_on else {"GIT_CONFIG_GLOBAL": str(configuration)},
        )
    assert canary.exists() is not is_rule_on


@pytest.mark.parametrize("name", [".git", "..", "a\\b/../.git", ".GIT", "git~1"])
async def test_tree_that_would_write_elsewhere_is_refused(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer], name: str
) -> None:
    blob = repository.blob("[core]\n\tfsmonitor = touch canary\n")
    inner = repository.raw_tree(("100644", "config", blob))
    docs = repository.raw_tree((FOLDER, name, inner))
    repository.commit_tree(repository.raw_tree((FOLDER, "docs", docs)))
    preparer = GitPreparer(
        SourceHosts([loopback(server.host)]), max_bytes=10**6, max_files=10, temporary_directory=scratch
    )
    closing.append(preparer)
    failure = await failure_of(preparer, f"{server.url}/acme/shop/tree/main/docs")
    assert failure.reason is BuildFailureReason.SOURCE_REFUSED
    assert "broken or unsafe objects" in failure.problem
    assert list(scratch.iterdir()) == []


async def test_submodule_is_left_out_and_its_server_not_asked(
    server: GitServer, other: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer]
) -> None:
    modules = repository.blob(f'[submodule "sub"]\n\tpath = docs/sub\n\turl = {other.url}/acme/shop.git\n')
    commit = repository.git("rev-parse", "main")
    docs = repository.raw_tree(("100644", "index.md", repository.blob("x")), (SUBMODULE, "sub", commit))
    repository.commit_tree(repository.raw_tree(("100644", ".gitmodules", modules), (FOLDER, "docs", docs)))
    preparer = GitPreparer(
        SourceHosts([loopback(server.host)]), max_bytes=10**6, max_files=10, temporary_directory=scratch
    )
    closing.append(preparer)
    into = scratch.parent / "into"
    into.mkdir()
    prepared = await preparer.prepare(source(f"{server.url}/acme/shop/tree/main/docs"), into=into)
    assert files_below(into) == {"index.md": b"x"}
    assert prepared.warnings == ("sub was left out: it is a submodule",)
    assert other.requests == []


async def bombed(
    server: GitServer, scratch: Path, closing: list[GitPreparer], *, max_bytes: int, max_files: int
) -> dict[str, bytes]:
    preparer = GitPreparer(
        SourceHosts([loopback(server.host)]), max_bytes=max_bytes, max_files=max_files, temporary_directory=scratch
    )
    closing.append(preparer)
    into = scratch.parent / f"into-{len(closing)}"
    into.mkdir()
    await preparer.prepare(source(f"{server.url}/acme/shop"), into=into)
    return files_below(into)


async def test_trees_within_trees_are_counted_before_they_are_written(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer]
) -> None:
    def nested(levels: int) -> str:
        tree = repository.raw_tree(("100644", "f", repository.blob("x")))
        for _ in range(levels):
            tree = repository.raw_tree(*((FOLDER, f"d{number}", tree) for number in range(10)))
        return tree

    repository.commit_tree(nested(12))  # a trillion files in thirteen objects
    with pytest.raises(QuotaExceeded, match="more than 400 files"):
        await bombed(server, scratch, closing, max_bytes=10**6, max_files=200)
    repository.commit_tree(nested(2))
    assert len(await bombed(server, scratch, closing, max_bytes=10**6, max_files=200)) == 100
    with pytest.raises(QuotaExceeded, match="more than 98 files"):
        await bombed(server, scratch, closing, max_bytes=10**6, max_files=49)


@pytest.mark.parametrize("levels", [64, 65, 1500])
async def test_folders_nested_without_end_are_not_written(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer], levels: int
) -> None:
    tree = repository.raw_tree(("100644", "f", repository.blob("x")))
    for _ in range(levels):
        tree = _stored(repository, b"40000 d\0" + bytes.fromhex(tree))
    repository.commit_tree(tree)
    if levels == 64:
        assert len(await bombed(server, scratch, closing, max_bytes=10**6, max_files=100)) == 1
    else:
        with pytest.raises(QuotaExceeded, match="nested deeper than 64 levels"):
            await bombed(server, scratch, closing, max_bytes=10**6, max_files=100)
    assert list(scratch.iterdir()) == []


def _stored(repository: GitRepository, entries: bytes) -> str:
    """Store a tree without a process for each; return its id."""
    content = b"tree %d\0" % len(entries) + entries
    oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    file = repository.folder / "objects" / oid[:2] / oid[2:]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(zlib.compress(content))
    return oid


async def test_one_blob_in_many_places_is_measured_before_it_is_written(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer]
) -> None:
    blob = repository.blob(b"\0" * 100_000)
    repository.commit_tree(repository.raw_tree(*(("100644", f"f{number}", blob) for number in range(9))))
    with pytest.raises(QuotaExceeded, match="is larger than 899999 bytes"):
        await bombed(server, scratch, closing, max_bytes=899_999, max_files=10)
    assert len(await bombed(server, scratch, closing, max_bytes=900_000, max_files=10)) == 9


async def test_link_in_the_path_of_a_source_is_not_followed(
    server: GitServer, repository: GitRepository, scratch: Path, closing: list[GitPreparer]
) -> None:
    repository.commit_tree(repository.raw_tree((LINK, "docs", repository.blob("/etc"))))
    preparer = GitPreparer(
        SourceHosts([loopback(server.host)]), max_bytes=10**6, max_files=10, temporary_directory=scratch
    )
    closing.append(preparer)
    failure = await failure_of(preparer, f"{server.url}/acme/shop/tree/main/docs")
    assert failure.problem.startswith("'docs' in refs/heads/main of ")
