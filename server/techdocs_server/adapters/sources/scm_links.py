"""From one page of a repository to another: the folder a descriptor means, and where its readers edit it.

The rules are Backstage's (@backstage/integration: ScmIntegration.resolveUrl and
resolveEditUrl), with one more: a target never leaves the repository and ref of its base.
"""

from __future__ import annotations

import posixpath
import urllib.parse
from dataclasses import replace

from techdocs_server.adapters.sources.scm_urls import RepositoryPage, Segments, parse_page
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL, joined
from techdocs_server.ports.sources import EditLinks

# Backstage knows these without being told. They say how a URL is read, not that it may be fetched.
_WELL_KNOWN = SourceHosts(
    (
        SourceHost("github.com", HostType.GITHUB),
        SourceHost("gitlab.com", HostType.GITLAB),
        SourceHost("bitbucket.org", HostType.BITBUCKET_CLOUD),
        SourceHost("dev.azure.com", HostType.AZURE),
        SourceHost("codeberg.org", HostType.GITEA),
    )
)
# The path of a page of the default branch, for hosts that need a ref there.
_DEFAULT_TREES: dict[HostType, Segments] = {
    HostType.GITHUB: ("tree", "HEAD"),
    HostType.GITLAB: ("-", "tree", "HEAD"),
    HostType.BITBUCKET_CLOUD: ("src", "HEAD"),
    HostType.GITEA: ("src", "HEAD"),
    HostType.GIT: ("tree", "HEAD"),
}
# Hosts whose pages MkDocs can link for editing. Source: plugin-techdocs-node, getRepoUrlFromLocationAnnotation.
_EDITABLE = frozenset({HostType.GITHUB, HostType.GITLAB, HostType.BITBUCKET_SERVER})


def host_type_of(url: WebURL, hosts: SourceHosts) -> SourceHost | None:
    """Return what is known of a URL's host: the operator's entry, or a well-known one that allows nothing."""
    return hosts.find(url) or _WELL_KNOWN.find(url)


def resolve_relative(base: WebURL, target: str, *, host: SourceHost) -> str:
    """Return the URL of a folder that is named relative to a page.

    ``base`` is the page of a descriptor, or of a folder when it ends with a slash or is the
    repository itself. A target that begins with a slash counts from the
    repository's root. Raises `URLRefused` when the target leaves the repository,
    or the page is not understood.
    """
    page = parse_page(base, host)
    folders = page.folders if base.ends_with_slash and host.type is not HostType.AZURE else _folder_of(page, host)
    joined_path = posixpath.join("/".join(("", *folders)), target)
    folders = _normalized(joined_path)
    # As a URL resolved from "." or ".." does, and one from "docs" does not.
    is_folder_form = target.rpartition("/")[2] in ("", ".", "..")
    if host.type is HostType.AZURE:
        return _azure_page(page, folders, is_folder_form=is_folder_form)
    tail = (*_tree_of(page, host, folders), *folders)
    slash = "/" if is_folder_form and len(tail) > 0 else ""
    url = f"{base.origin}/{joined((*page.repository, *tail))}{slash}"
    return f"{url}?{base.query}" if base.query else url


def edit_links(url: WebURL, *, host: SourceHost) -> EditLinks | None:
    """Return where readers find and edit a source, None for hosts that have no such pages."""
    if host.type not in _EDITABLE:
        return None
    try:
        page = parse_page(url, host)
    except URLRefused:
        return None
    if not page.marker:
        return EditLinks(repo_url=str(url))
    if host.type is HostType.BITBUCKET_SERVER:
        # It has no page for editing: readers are led to the folder.
        if len(page.folders) == 0 and url.segments[-1:] != ("browse",):
            return EditLinks(repo_url=str(url))
        path = (*page.repository, "browse", *page.folders)
    else:
        path = (*page.repository, *page.marker[:-1], "edit", *page.tail)
    return EditLinks(repo_url=str(url), edit_base=f"{url.origin}/{joined(path)}/")


def _folder_of(page: RepositoryPage, host: SourceHost) -> Segments:
    """Return the folder that a page stands in, which is itself when its URL ends with a slash."""
    if host.type is HostType.AZURE and page.url.parameters().get("path", "/").endswith("/"):
        return page.folders
    return page.folders[:-1]


def _normalized(path: str) -> Segments:
    folders: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not folders:
                raise URLRefused("it leads out of the repository")
            folders.pop()
        elif "\\" in part or not part.isprintable():
            raise URLRefused("it holds control characters or backslashes")
        else:
            folders.append(part)
    return tuple(folders)


def _tree_of(page: RepositoryPage, host: SourceHost, folders: Segments) -> Segments:
    """Return what stands between the repository and the path: the word for a page, and the ref."""
    if page.query_ref is not None:
        return page.marker
    if page.ref is None:
        # The repository's own page serves for its root.
        return _DEFAULT_TREES[host.type] if folders else ()
    marker = ("tree",) if host.type in (HostType.GITHUB, HostType.GIT) else page.marker
    return (*marker, page.ref)


def _azure_page(page: RepositoryPage, folders: Segments, *, is_folder_form: bool) -> str:
    path = "/".join(("", *folders)) + ("/" if is_folder_form or not folders else "")
    parameters = {**page.url.parameters(), "path": path.replace("//", "/")}
    bare = replace(page.url, query=urllib.parse.urlencode(parameters), ends_with_slash=False)
    return str(bare)
