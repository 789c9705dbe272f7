"""Pages of repository hosts: one row for each form of URL."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.sources.scm_urls import GitLocation, RefKind, parse_git_location
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL

C40 = "0123456789abcdef0123456789abcdef01234567"
GITHUB = SourceHost("github.com", HostType.GITHUB)
GITLAB = SourceHost("gitlab.com", HostType.GITLAB)
BELOW = SourceHost("dev.example:8443", HostType.GITLAB, base_path="/gitlab")
CLOUD = SourceHost("bitbucket.org", HostType.BITBUCKET_CLOUD)
SERVER = SourceHost("stash.example", HostType.BITBUCKET_SERVER)
STASH = SourceHost("tools.example", HostType.BITBUCKET_SERVER, base_path="/stash")
GITEA = SourceHost("codeberg.org", HostType.GITEA)
AZURE = SourceHost("dev.azure.com", HostType.AZURE)
STUDIO = SourceHost("acme.visualstudio.com", HostType.AZURE)
GIT = SourceHost("git.example", HostType.GIT)
DISK = SourceHost("", HostType.GIT)
WEB = SourceHost("files.example", HostType.ARCHIVE)

ANY, BRANCH, TAG, COMMIT = RefKind.ANY, RefKind.BRANCH, RefKind.TAG, RefKind.COMMIT

# host, path of the URL, path of the clone URL, ref, path, kind of ref, whether the ref may go on into the path
ROWS: list[tuple[SourceHost, str, str, str | None, str, RefKind, bool]] = [
    (GITHUB, "/o/r", "/o/r.git", None, "", ANY, False),
    (GITHUB, "/o/r/", "/o/r.git", None, "", ANY, False),
    (GITHUB, "/o/r.git", "/o/r.git", None, "", ANY, False),
    (GITHUB, "/o/r/tree/main", "/o/r.git", "main", "", ANY, True),
    (GITHUB, "/o/r/tree/main/", "/o/r.git", "main", "", ANY, True),
    (GITHUB, "/o/r/tree/main/docs", "/o/r.git", "main", "docs", ANY, True),
    (GITHUB, "/o/r/tree/main//docs/", "/o/r.git", "main", "docs", ANY, True),
    (GITHUB, "/o/r/blob/main/a/mkdocs.yml", "/o/r.git", "main", "a/mkdocs.yml", ANY, True),
    (GITHUB, "/o/r/edit/main/a", "/o/r.git", "main", "a", ANY, True),
    (GITHUB, "/o/r/raw/main/a", "/o/r.git", "main", "a", ANY, True),
    (GITHUB, "/o/r/tree/HEAD/docs", "/o/r.git", None, "docs", ANY, False),
    (GITHUB, "/o/r/tree/feature/x/docs", "/o/r.git", "feature", "x/docs", ANY, True),
    (GITHUB, "/o/r/tree/feature%2Fx/docs", "/o/r.git", "feature/x", "docs", ANY, False),
    (GITHUB, "/o/r/tree/v1.0.0/docs", "/o/r.git", "v1.0.0", "docs", ANY, True),
    (GITHUB, f"/o/r/tree/{C40}/docs", "/o/r.git", C40, "docs", ANY, True),
    (GITHUB, "/o/r/tree/main/a%20b/%C3%BC", "/o/r.git", "main", "a b/ü", ANY, True),
    (GITHUB, "/o/r/tree/main/docs?plain=1#L3", "/o/r.git", "main", "docs", ANY, True),
    (GITHUB, "/o/r-with.dots/tree/main", "/o/r-with.dots.git", "main", "", ANY, True),
    (GITLAB, "/g/p", "/g/p.git", None, "", ANY, False),
    (GITLAB, "/g/p.git", "/g/p.git", None, "", ANY, False),
    (GITLAB, "/g/s1/s2/p", "/g/s1/s2/p.git", None, "", ANY, False),
    (GITLAB, "/g/p/-/tree/main", "/g/p.git", "main", "", ANY, True),
    (GITLAB, "/g/s1/s2/p/-/tree/main/docs", "/g/s1/s2/p.git", "main", "docs", ANY, True),
    (GITLAB, "/g/p/-/blob/main/a/catalog-info.yaml", "/g/p.git", "main", "a/catalog-info.yaml", ANY, True),
    (GITLAB, "/g/p/-/raw/main/a", "/g/p.git", "main", "a", ANY, True),
    (GITLAB, "/g/p/-/tree/HEAD/docs", "/g/p.git", None, "docs", ANY, False),
    (GITLAB, "/g/p/-/tree/feature/x/docs?ref_type=heads", "/g/p.git", "feature", "x/docs", BRANCH, True),
    (GITLAB, "/g/p/-/tree/v1?ref_type=tags", "/g/p.git", "v1", "", TAG, True),
    (GITLAB, "/g/p/tree/main/docs", "/g/p.git", "main", "docs", ANY, True),
    (GITLAB, "/g/s/p/blob/main/x", "/g/s/p.git", "main", "x", ANY, True),
    (BELOW, "/gitlab/g/p/-/tree/main/docs", "/gitlab/g/p.git", "main", "docs", ANY, True),
    (BELOW, "/gitlab/g/p", "/gitlab/g/p.git", None, "", ANY, False),
    (CLOUD, "/w/r", "/w/r.git", None, "", ANY, False),
    (CLOUD, "/w/r/src/main", "/w/r.git", "main", "", ANY, True),
    (CLOUD, "/w/r/src/main/docs/", "/w/r.git", "main", "docs", ANY, True),
    (CLOUD, "/w/r/raw/main/docs/x", "/w/r.git", "main", "docs/x", ANY, True),
    (CLOUD, f"/w/r/src/{C40}/docs", "/w/r.git", C40, "docs", ANY, True),
    (CLOUD, f"/w/r/src/{C40}/docs?at=feature%2Fx", "/w/r.git", "feature/x", "docs", ANY, False),
    (CLOUD, "/w/r/src/HEAD/docs", "/w/r.git", None, "docs", ANY, False),
    (SERVER, "/projects/KEY/repos/r", "/scm/KEY/r.git", None, "", ANY, False),
    (SERVER, "/projects/KEY/repos/r/browse", "/scm/KEY/r.git", None, "", ANY, False),
    (SERVER, "/projects/KEY/repos/r/browse/docs/a", "/scm/KEY/r.git", None, "docs/a", ANY, False),
    (SERVER, "/projects/KEY/repos/r/browse/docs?at=main", "/scm/KEY/r.git", "main", "docs", ANY, False),
    (SERVER, "/projects/K/repos/r/browse?at=refs%2Fheads%2Ff%2Fx", "/scm/K/r.git", "refs/heads/f/x", "", ANY, False),
    (SERVER, "/projects/K/repos/r/browse/d?at=refs/tags/v1", "/scm/K/r.git", "refs/tags/v1", "d", ANY, False),
    (SERVER, "/users/ann/repos/r/browse/docs", "/scm/~ann/r.git", None, "docs", ANY, False),
    (SERVER, "/projects/KEY/repos/r/raw/docs/x?at=main", "/scm/KEY/r.git", "main", "docs/x", ANY, False),
    (SERVER, "/scm/KEY/r.git", "/scm/KEY/r.git", None, "", ANY, False),
    (SERVER, "/scm/~ann/r.git", "/scm/~ann/r.git", None, "", ANY, False),
    (STASH, "/stash/projects/K/repos/r/browse/d?at=main", "/stash/scm/K/r.git", "main", "d", ANY, False),
    (GITEA, "/o/r", "/o/r.git", None, "", ANY, False),
    (GITEA, "/o/r.git", "/o/r.git", None, "", ANY, False),
    (GITEA, "/o/r/src/branch/main", "/o/r.git", "main", "", BRANCH, True),
    (GITEA, "/o/r/src/branch/feature/x/docs", "/o/r.git", "feature", "x/docs", BRANCH, True),
    (GITEA, "/o/r/src/tag/v1/docs", "/o/r.git", "v1", "docs", TAG, True),
    (GITEA, f"/o/r/src/commit/{C40}/docs", "/o/r.git", C40, "docs", COMMIT, False),
    (GITEA, "/o/r/raw/branch/main/a.md", "/o/r.git", "main", "a.md", BRANCH, True),
    (GITEA, "/o/r/src/main/docs", "/o/r.git", "main", "docs", ANY, True),
    (AZURE, "/org/p/_git/r", "/org/p/_git/r", None, "", ANY, False),
    (AZURE, "/org/_git/r", "/org/_git/r", None, "", ANY, False),
    (AZURE, "/org/p/_git/r?path=/docs", "/org/p/_git/r", None, "docs", ANY, False),
    (AZURE, "/org/p/_git/r?path=%2Fa%20b%2Fc&version=GBmain", "/org/p/_git/r", "main", "a b/c", BRANCH, False),
    (AZURE, "/org/p/_git/r?version=GBfeature%2Fx&path=/", "/org/p/_git/r", "feature/x", "", BRANCH, False),
    (AZURE, "/org/p/_git/r?version=GTv1&_a=contents", "/org/p/_git/r", "v1", "", TAG, False),
    (AZURE, f"/org/p/_git/r?version=GC{C40}&path=d", "/org/p/_git/r", C40, "d", COMMIT, False),
    (AZURE, "/org/My%20Project/_git/r", "/org/My%20Project/_git/r", None, "", ANY, False),
    (AZURE, "/tfs/Collection/p/_git/r", "/tfs/Collection/p/_git/r", None, "", ANY, False),
    (STUDIO, "/p/_git/r?path=/docs", "/p/_git/r", None, "docs", ANY, False),
    (GIT, "/r.git", "/r.git", None, "", ANY, False),
    (GIT, "/team/deep/r.git/tree/main/docs", "/team/deep/r.git", "main", "docs", ANY, True),
    (GIT, "/team/r.git/blob/v1/docs/x.git", "/team/r.git", "v1", "docs/x.git", ANY, True),
    (DISK, "/srv/git/r.git/tree/main/docs", "/srv/git/r.git", "main", "docs", ANY, True),
]


@pytest.mark.parametrize(("host", "path", "clone", "ref", "folder", "kind", "is_open"), ROWS)
def test_page_names_repository_ref_and_path(
    host: SourceHost, path: str, clone: str, ref: str | None, folder: str, kind: RefKind, is_open: bool
) -> None:
    origin = f"https://{host.host}" if host.host else "file://"
    location = parse_git_location(WebURL.parse(origin + path), host)
    assert location == GitLocation(origin + clone, ref, folder, kind, is_open)


def test_table_covers_every_host_with_repositories() -> None:
    assert {row[0].type for row in ROWS} == set(HostType) - {HostType.ARCHIVE}


@pytest.mark.parametrize(
    ("host", "path", "problem"),
    [
        (GITHUB, "/", "does not look like https://github.com/owner/repo/tree/main/docs"),
        (GITHUB, "/o", "does not look like"),
        (GITHUB, "/o/r/issues/1", "does not look like"),
        (GITHUB, "/o/r/tree", "does not look like"),
        (GITHUB, "/o%2Fx/r", "an encoded slash where no ref stands"),
        (GITHUB, "/o/r/tree/main/a%2Fb", "an encoded slash where no ref stands"),
        (GITLAB, "/p", "does not look like https://gitlab.com/group/project/-/tree/main/docs"),
        (GITLAB, "/g/p/-/issues/1", "does not look like"),
        (GITLAB, "/g/p/-", "does not look like"),
        (GITLAB, "/g/p/-/tree", "does not look like"),
        (BELOW, "/g/p", "its path must begin with /gitlab"),
        (BELOW, "/gitlab2/g/p", "its path must begin with /gitlab"),
        (CLOUD, "/w/r/commits/main", "does not look like https://bitbucket.org/workspace/repo/src/main/docs"),
        (SERVER, "/KEY/r", "does not look like https://stash.example/projects/KEY/repos/repo/browse/docs?at=main"),
        (SERVER, "/projects/K/repos/r/commits", "does not look like"),
        (GITEA, "/o/r/src/branch", "does not look like https://codeberg.org/owner/repo/src/branch/main/docs"),
        (GITEA, "/o/r/issues", "does not look like"),
        (AZURE, "/org/p/r", "does not look like https://dev.azure.com/org/project/_git/repo?path=/docs"),
        (AZURE, "/org/p/_git", "does not look like"),
        (AZURE, "/org/p/_git/r/x", "does not look like"),
        (AZURE, "/org/p/_git/r?version=main", "its version must be GB and a branch"),
        (AZURE, "/org/p/_git/r?version=GB", "its version must be GB and a branch"),
        (AZURE, "/org/p/_git/r?path=/a/../b", "its path holds '.', '..'"),
        (AZURE, "/org/p/_git/r?path=/a%5Cb", "its path holds '.', '..'"),
        (GIT, "/team/r/tree/main", "does not look like https://git.example/path/repo.git/tree/main/docs"),
        (WEB, "/a/b.tar.gz", "does not look like https://files.example/path/docs.tar.gz"),
    ],
)
def test_other_pages_are_refused_with_the_form_that_is_expected(host: SourceHost, path: str, problem: str) -> None:
    with pytest.raises(URLRefused) as caught:
        parse_git_location(WebURL.parse(f"https://{host.host}{path}"), host)
    assert problem in str(caught.value)
