"""The pages of repository hosts: from a URL in a browser to a repository, a ref and a path.

Each kind of host has its own form, listed at `HostType`. Where the ref ends and
the path begins is not always to be seen: branches may hold slashes. Then the
location stays open, and `git_refs` decides with the repository's own list of
refs. An author can decide too, by writing the slash of a branch as ``%2F``.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL, joined

Segments = tuple[str, ...]

# Words for "the page of this folder", "of this file", "edit it", "its bytes".
_PAGES = frozenset({"tree", "blob", "edit", "raw"})
_GITEA_REFS = frozenset({"branch", "tag", "commit"})
_COMMIT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", re.ASCII)


class RefKind(enum.StrEnum):
    """What a URL says a ref is. The value is where such refs stand."""

    ANY = ""
    """It does not say: a branch, a tag or a commit."""
    BRANCH = "refs/heads/"
    """A branch."""
    TAG = "refs/tags/"
    """A tag."""
    COMMIT = "commit"
    """A commit, by its whole id."""


@dataclass(frozen=True, slots=True)
class GitLocation:
    """A folder of a repository.

    ``ref`` is None for the default branch. ``path`` is relative, empty for the
    root. When ``is_ref_open``, the first parts of ``path`` may still belong to the
    ref.
    """

    clone_url: str
    ref: str | None = None
    path: str = ""
    kind: RefKind = RefKind.ANY
    is_ref_open: bool = False


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """The URL of a page of a repository, taken apart.

    ``repository`` and ``clone`` are paths, ``marker`` what stands between the
    repository and ``tail``: the ref and the path, or the path alone when
    ``query_ref`` holds the ref (empty for the default branch).
    """

    url: WebURL
    repository: Segments
    clone: Segments
    marker: Segments = ()
    tail: Segments = ()
    kind: RefKind = RefKind.ANY
    query_ref: str | None = None

    @property
    def ref(self) -> str | None:
        """The ref, or its beginning; None for the default branch."""
        if self.query_ref is not None:
            return self.query_ref or None
        return self.tail[0] if self.tail else None

    @property
    def folders(self) -> Segments:
        """The path, or the end of the ref and the path."""
        return self.tail if self.query_ref is not None else self.tail[1:]


def parse_page(url: WebURL, host: SourceHost) -> RepositoryPage:
    """Take the URL of a repository's page apart. Raises `URLRefused`, naming the form that is expected."""
    base = tuple(part for part in host.base_path.split("/") if part)
    segments = url.segments
    if segments[: len(base)] != base:
        raise URLRefused(f"its path must begin with {host.base_path}")
    page = _FORMS[host.type](url, segments[len(base) :])
    if page is None:
        raise URLRefused(f"it does not look like {example(host)}")
    if any("/" in part for part in (*page.repository, *page.folders)):
        raise URLRefused("it holds an encoded slash where no ref stands")
    return RepositoryPage(
        url=url,
        repository=base + page.repository,
        clone=base + page.clone,
        marker=page.marker,
        tail=page.tail,
        kind=page.kind,
        query_ref=page.query_ref,
    )


def parse_git_location(url: WebURL, host: SourceHost) -> GitLocation:
    """Return the folder of a repository that a URL names. Raises `URLRefused`."""
    page = parse_page(url, host)
    clone_url = f"{url.origin}/{joined(page.clone)}"
    ref = page.ref
    if ref is None or ref == "HEAD":
        return GitLocation(clone_url, path="/".join(page.folders))
    is_open = page.query_ref is None and "/" not in ref and page.kind is not RefKind.COMMIT
    return GitLocation(clone_url, ref, "/".join(page.folders), page.kind, is_ref_open=is_open)


def is_commit_id(ref: str) -> bool:
    """Whether a ref is a whole commit id."""
    return _COMMIT.fullmatch(ref) is not None


def example(host: SourceHost) -> str:
    """Return the form of URL that is expected of a host, for hints."""
    return f"https://{host.host}{host.base_path}{_EXAMPLES[host.type]}"


def _owner_and_name(url: WebURL, segments: Segments) -> tuple[Segments, Segments] | None:
    """Split ``owner/name/rest`` into the repository and the rest."""
    if len(segments) < 2:
        return None
    return (segments[0], segments[1].removesuffix(".git")), segments[2:]


def _clone(repository: Segments) -> Segments:
    return (*repository[:-1], f"{repository[-1].removesuffix('.git')}.git")


def _github(url: WebURL, segments: Segments) -> RepositoryPage | None:
    if (found := _owner_and_name(url, segments)) is None:
        return None
    repository, rest = found
    if not rest:
        return RepositoryPage(url, repository, _clone(repository))
    if rest[0] not in _PAGES or len(rest) < 2:
        return None
    return RepositoryPage(url, repository, _clone(repository), rest[:1], rest[1:])


def _gitlab(url: WebURL, segments: Segments) -> RepositoryPage | None:
    end = next((n for n, part in enumerate(segments) if n >= 2 and (part == "-" or part in _PAGES)), len(segments))
    repository, rest = segments[:end], segments[end:]
    if len(repository) < 2:
        return None
    repository = (*repository[:-1], repository[-1].removesuffix(".git"))
    marker = rest[:2] if rest[:1] == ("-",) else rest[:1]
    if not rest:
        return RepositoryPage(url, repository, _clone(repository))
    if marker[-1] not in _PAGES or len(rest) <= len(marker):
        return None
    # ref_type tells a branch from a tag of the same name.
    kind = {"heads": RefKind.BRANCH, "tags": RefKind.TAG}.get(url.parameters().get("ref_type", ""), RefKind.ANY)
    return RepositoryPage(url, repository, _clone(repository), marker, rest[len(marker) :], kind)


def _bitbucket_cloud(url: WebURL, segments: Segments) -> RepositoryPage | None:
    if (found := _owner_and_name(url, segments)) is None:
        return None
    repository, rest = found
    if not rest:
        return RepositoryPage(url, repository, _clone(repository))
    if rest[0] not in ("src", "raw") or len(rest) < 2:
        return None
    # Pages of a branch whose name holds a slash have a commit in the path and the branch beside it.
    if ref := url.parameters().get("at"):
        return RepositoryPage(url, repository, _clone(repository), rest[:2], rest[2:], query_ref=ref)
    return RepositoryPage(url, repository, _clone(repository), rest[:1], rest[1:])


def _bitbucket_server(url: WebURL, segments: Segments) -> RepositoryPage | None:
    ref = url.parameters().get("at", "")
    match segments:
        case ("projects" | "users" as group, owner, "repos", name, *rest) if not rest or rest[0] in ("browse", "raw"):
            project = owner if group == "projects" else f"~{owner}"
            clone = ("scm", project, f"{name}.git")
            return RepositoryPage(url, segments[:4], clone, ("browse",), tuple(rest[1:]), query_ref=ref)
        case ("scm", owner, name):
            group, who = ("users", owner[1:]) if owner.startswith("~") else ("projects", owner)
            name = name.removesuffix(".git")
            clone = ("scm", owner, f"{name}.git")
            return RepositoryPage(url, (group, who, "repos", name), clone, ("browse",), (), query_ref=ref)
        case _:
            return None


def _gitea(url: WebURL, segments: Segments) -> RepositoryPage | None:
    if (found := _owner_and_name(url, segments)) is None:
        return None
    repository, rest = found
    if not rest:
        return RepositoryPage(url, repository, _clone(repository))
    if rest[0] not in ("src", "raw") or len(rest) < 2:
        return None
    if rest[1] not in _GITEA_REFS:
        return RepositoryPage(url, repository, _clone(repository), rest[:1], rest[1:])
    if len(rest) < 3:
        return None
    kind = RefKind[rest[1].upper()]
    return RepositoryPage(url, repository, _clone(repository), rest[:2], rest[2:], kind)


def _azure(url: WebURL, segments: Segments) -> RepositoryPage | None:
    if "_git" not in segments or segments.index("_git") != len(segments) - 2 or len(segments) < 3:
        return None
    parameters = url.parameters()
    version = parameters.get("version", "")
    kinds = {"": RefKind.ANY, "GB": RefKind.BRANCH, "GT": RefKind.TAG, "GC": RefKind.COMMIT}
    if version[:2] not in kinds or (version and not version[2:]):
        raise URLRefused("its version must be GB and a branch, GT and a tag, or GC and a commit")
    # The path is a query value: it is taken apart here as `WebURL` does the rest.
    path = WebURL.parse(f"https://path.invalid/{joined(tuple(parameters.get('path', '').split('/')))}").segments
    return RepositoryPage(url, segments, segments, (), path, kinds[version[:2]], query_ref=version[2:])


def _git(url: WebURL, segments: Segments) -> RepositoryPage | None:
    end = next((n + 1 for n, part in enumerate(segments) if part.endswith(".git") and part != ".git"), 0)
    repository, rest = segments[:end], segments[end:]
    if not repository:
        return None
    if not rest:
        return RepositoryPage(url, repository, repository)
    if rest[0] not in _PAGES or len(rest) < 2:
        return None
    return RepositoryPage(url, repository, repository, rest[:1], rest[1:])


def _archive(url: WebURL, segments: Segments) -> RepositoryPage | None:
    return None


_FORMS: Mapping[HostType, Callable[[WebURL, Segments], RepositoryPage | None]] = {
    HostType.GITHUB: _github,
    HostType.GITLAB: _gitlab,
    HostType.BITBUCKET_CLOUD: _bitbucket_cloud,
    HostType.BITBUCKET_SERVER: _bitbucket_server,
    HostType.GITEA: _gitea,
    HostType.AZURE: _azure,
    HostType.GIT: _git,
    HostType.ARCHIVE: _archive,
}

_EXAMPLES: Mapping[HostType, str] = {
    HostType.GITHUB: "/owner/repo/tree/main/docs",
    HostType.GITLAB: "/group/project/-/tree/main/docs",
    HostType.BITBUCKET_CLOUD: "/workspace/repo/src/main/docs",
    HostType.BITBUCKET_SERVER: "/projects/KEY/repos/repo/browse/docs?at=main",
    HostType.GITEA: "/owner/repo/src/branch/main/docs",
    HostType.AZURE: "/org/project/_git/repo?path=/docs&version=GBmain",
    HostType.GIT: "/path/repo.git/tree/main/docs",
    HostType.ARCHIVE: "/path/docs.tar.gz",
}
