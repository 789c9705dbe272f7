"""From one page of a repository to another."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.sources.scm_links import edit_links, host_type_of, resolve_relative
from techdocs_server.adapters.sources.scm_urls import parse_git_location
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.ports.sources import EditLinks

HOSTS = SourceHosts([SourceHost("stash.example", HostType.BITBUCKET_SERVER), SourceHost("git.example", HostType.GIT)])
GH, GL, BB = "https://github.com/o/r", "https://gitlab.com/g/s/p", "https://bitbucket.org/w/r"
BS, GT = "https://stash.example/projects/K/repos/r", "https://codeberg.org/o/r"
AZ, GI = "https://dev.azure.com/o/p/_git/r", "https://git.example/x/r.git"


def known(url: str) -> SourceHost:
    host = host_type_of(WebURL.parse(url), HOSTS)
    assert host is not None
    return host


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        (f"{GH}/blob/main/sub/catalog-info.yaml", ".", f"{GH}/tree/main/sub/"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "..", f"{GH}/tree/main/"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "/abs", f"{GH}/tree/main/abs"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "/", f"{GH}/tree/main/"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "docs", f"{GH}/tree/main/sub/docs"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "./docs/", f"{GH}/tree/main/sub/docs/"),
        (f"{GH}/blob/main/sub/catalog-info.yaml", "../other/./x", f"{GH}/tree/main/other/x"),
        (f"{GH}/tree/main/sub/", ".", f"{GH}/tree/main/sub/"),
        (f"{GH}/tree/main/sub/", "docs", f"{GH}/tree/main/sub/docs"),
        (f"{GH}/tree/main/sub", ".", f"{GH}/tree/main/"),
        (f"{GH}/tree/main/", ".", f"{GH}/tree/main/"),
        (f"{GH}/tree/main", ".", f"{GH}/tree/main/"),
        (f"{GH}/edit/main/a/b.yaml", ".", f"{GH}/tree/main/a/"),
        (f"{GH}/blob/feature/x/sub/c.yaml", ".", f"{GH}/tree/feature/x/sub/"),
        (f"{GH}/blob/feature%2Fx/sub/c.yaml", "/docs", f"{GH}/tree/feature%2Fx/docs"),
        (f"{GH}/blob/main/a%20b/c.yaml", "ü?#", f"{GH}/tree/main/a%20b/%C3%BC%3F%23"),
        (GH, ".", GH),
        (GH, "docs", f"{GH}/tree/HEAD/docs"),
        (f"{GL}/-/blob/main/sub/c.yaml", ".", f"{GL}/-/blob/main/sub/"),
        (f"{GL}/-/blob/main/sub/c.yaml", "/abs", f"{GL}/-/blob/main/abs"),
        (f"{GL}/-/tree/main/sub/", "..", f"{GL}/-/tree/main/"),
        (f"{GL}/-/blob/main/a/c.yaml?ref_type=heads", "b", f"{GL}/-/blob/main/a/b?ref_type=heads"),
        (GL, "docs", f"{GL}/-/tree/HEAD/docs"),
        (f"{BB}/src/main/sub/c.yaml", ".", f"{BB}/src/main/sub/"),
        (f"{BB}/src/abc/sub/c.yaml?at=f%2Fx", "/docs", f"{BB}/src/abc/docs?at=f%2Fx"),
        (BB, "docs", f"{BB}/src/HEAD/docs"),
        (f"{BS}/browse/sub/c.yaml?at=main", ".", f"{BS}/browse/sub/?at=main"),
        (f"{BS}/browse/sub/c.yaml?at=main", "/docs", f"{BS}/browse/docs?at=main"),
        (f"{BS}/browse/c.yaml", ".", f"{BS}/browse/"),
        (f"{GT}/src/branch/main/sub/c.yaml", ".", f"{GT}/src/branch/main/sub/"),
        (f"{GT}/src/branch/main/sub/c.yaml", "../x", f"{GT}/src/branch/main/x"),
        (f"{AZ}?path=/sub/c.yaml", ".", f"{AZ}?path=%2Fsub%2F"),
        (f"{AZ}?path=/sub/c.yaml&version=GBmain", "..", f"{AZ}?path=%2F&version=GBmain"),
        (f"{AZ}?path=/sub/c.yaml&version=GBmain", "/docs", f"{AZ}?path=%2Fdocs&version=GBmain"),
        (f"{AZ}?path=/sub/&version=GBmain", "docs", f"{AZ}?path=%2Fsub%2Fdocs&version=GBmain"),
        (AZ, "docs", f"{AZ}?path=%2Fdocs"),
        (f"{GI}/blob/main/sub/c.yaml", ".", f"{GI}/tree/main/sub/"),
    ],
)
def test_folder_is_resolved_against_the_page_of_its_descriptor(base: str, target: str, expected: str) -> None:
    resolved = resolve_relative(WebURL.parse(base), target, host=known(base))
    assert resolved == expected
    # What comes out is itself a page that is understood, and stays what it is.
    assert str(WebURL.parse(resolved)) == resolved
    parse_git_location(WebURL.parse(resolved), known(base))


@pytest.mark.parametrize("target", ["..", "../..", "../../../../etc", "a/../../..", "/..", "/../x", "./../../x"])
@pytest.mark.parametrize("base", [f"{GH}/blob/main/c.yaml", f"{BS}/browse/c.yaml?at=x", f"{AZ}?path=/c.yaml"])
def test_target_that_leaves_the_repository_is_refused(base: str, target: str) -> None:
    with pytest.raises(URLRefused, match="leads out of the repository"):
        resolve_relative(WebURL.parse(base), target, host=known(base))


@pytest.mark.parametrize("target", ["a\\b", "a\nb", "a\0b", "..\\..\\x"])
def test_target_of_two_meanings_is_refused(target: str) -> None:
    with pytest.raises(URLRefused, match="control characters or backslashes"):
        resolve_relative(WebURL.parse(f"{GH}/blob/main/c.yaml"), target, host=known(GH))


@pytest.mark.parametrize(
    ("url", "edit_base"),
    [
        (f"{GH}/tree/main", f"{GH}/edit/main/"),
        (f"{GH}/tree/main/", f"{GH}/edit/main/"),
        (f"{GH}/tree/main/sub", f"{GH}/edit/main/sub/"),
        (f"{GH}/blob/main/sub/", f"{GH}/edit/main/sub/"),
        (f"{GH}/tree/a%2Fb/sub", f"{GH}/edit/a%2Fb/sub/"),
        (GH, ""),
        (f"{GL}/-/tree/main/sub", f"{GL}/-/edit/main/sub/"),
        (GL, ""),
        (f"{BS}/browse/sub?at=main", f"{BS}/browse/sub/"),
        (f"{BS}/browse?at=main", f"{BS}/browse/"),
        (BS, ""),
    ],
)
def test_readers_are_led_to_the_folder_in_the_hosts_editor(url: str, edit_base: str) -> None:
    assert edit_links(WebURL.parse(url), host=known(url)) == EditLinks(repo_url=url, edit_base=edit_base)


@pytest.mark.parametrize("url", [f"{BB}/src/main", f"{GT}/src/branch/main", f"{AZ}?path=/docs", f"{GI}/tree/main"])
def test_other_hosts_have_no_edit_links(url: str) -> None:
    assert edit_links(WebURL.parse(url), host=known(url)) is None


def test_well_known_host_is_read_as_the_operator_says_where_he_does() -> None:
    hosts = SourceHosts([SourceHost("github.com", HostType.GITEA)])
    assert host_type_of(WebURL.parse(GH), hosts) == SourceHost("github.com", HostType.GITEA)
    assert host_type_of(WebURL.parse("https://unknown.example/x"), hosts) is None
