"""The hosts that documentation may come from, as the operator lists them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from techdocs_server.adapters.sources.problems import refused
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.domain.errors import BuildStepFailed


class HostType(enum.StrEnum):
    """What runs on a host, which decides how its URLs are read. Values are the operator's words."""

    GITHUB = "github"
    """GitHub and GitHub Enterprise: ``/owner/repo/tree/<ref>/<path>``."""
    GITLAB = "gitlab"
    """GitLab: ``/group/project/-/tree/<ref>/<path>``."""
    BITBUCKET_CLOUD = "bitbucket-cloud"
    """bitbucket.org: ``/workspace/repo/src/<ref>/<path>``."""
    BITBUCKET_SERVER = "bitbucket-server"
    """Bitbucket Data Center: ``/projects/KEY/repos/repo/browse/<path>?at=<ref>``."""
    GITEA = "gitea"
    """Gitea and Forgejo: ``/owner/repo/src/branch/<ref>/<path>``."""
    AZURE = "azure"
    """Azure DevOps: ``/org/project/_git/repo?path=/<path>&version=GB<ref>``."""
    GIT = "git"
    """Any git server: ``/any/where/repo.git/tree/<ref>/<path>``."""
    ARCHIVE = "archive"
    """A web server with archives, tar.gz or zip."""

    @property
    def token_user(self) -> str:
        """The user name that goes with a token, where the operator names none."""
        return _TOKEN_USERS.get(self, "git")


_TOKEN_USERS = {
    HostType.GITHUB: "x-access-token",
    HostType.GITLAB: "oauth2",
    HostType.BITBUCKET_CLOUD: "x-token-auth",
    HostType.BITBUCKET_SERVER: "x-token-auth",
}


@dataclass(frozen=True, slots=True)
class SourceHost:
    """One host that sources may come from.

    ``host`` is its name, in lower case, with a port when that is not the scheme's
    own. The empty name is this machine: ``file:`` URLs of type ``git``. ``token`` goes to this
    host only, with ``username``; archives get it as a bearer token when no user name is set.
    ``base_path`` is what stands in front of the usual paths, such as ``/gitlab``.
    ``ca_certificates`` is a PEM file to trust instead of the system's. Raises
    `ValueError` for a host that is written wrongly.
    """

    host: str
    type: HostType
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    base_path: str = ""
    allow_http: bool = False
    allow_private_addresses: bool = False
    ca_certificates: Path | None = None

    def __post_init__(self) -> None:
        if self.is_this_machine:
            if self.type is not HostType.GIT:
                raise ValueError("the empty host is this machine, and must have type git")
        elif urlsplit(f"//{self.host}").netloc != self.host or not _is_host(self.host):
            raise ValueError(f"{self.host!r} must be a host name in lower case, such as github.com or git.example:8443")
        if any(text is not None and not _is_one_line(text) for text in (self.token, self.username)):
            raise ValueError(f"{self.host}: token and username must be printable text without line breaks")
        if self.username is not None and ":" in self.username:
            raise ValueError(f"{self.host}: username must not hold a colon")

    @property
    def is_this_machine(self) -> bool:
        """Whether the URLs are ``file:`` ones."""
        return not self.host

    @property
    def schemes(self) -> tuple[str, ...]:
        """The URL schemes that are allowed."""
        if self.is_this_machine:
            return ("file",)
        return ("https", "http") if self.allow_http else ("https",)

    @property
    def token_user(self) -> str:
        """The user name that goes with the token."""
        return self.username or self.type.token_user


class SourceHosts:
    """The allow-list. Empty by default: no source is fetched from anywhere."""

    def __init__(self, hosts: Iterable[SourceHost] = ()) -> None:
        """Raise `ValueError` when a host is listed twice."""
        self._hosts: dict[str, SourceHost] = {}
        for host in hosts:
            if self._hosts.setdefault(host.host, host) is not host:
                raise ValueError(f"{host.host!r} is listed twice")

    def __iter__(self) -> Iterator[SourceHost]:
        return iter(self._hosts.values())

    def find(self, url: WebURL) -> SourceHost | None:
        """Return the entry of a URL's host, whatever its scheme."""
        return self._hosts.get(url.host)

    def allowed(self, url: WebURL) -> SourceHost:
        """Return the entry of a URL's host. Raises `BuildStepFailed` when the host or the scheme is not allowed."""
        host = self.find(url)
        if host is None:
            where = f"the host {url.host}" if url.host else "a folder of the server's machine"
            raise refused(
                f"{where} is not one that documentation may come from",
                hint=f"the operator adds {url.host!r} to source_hosts, or the source moves to a host that is listed",
            )
        if url.scheme not in host.schemes:
            raise refused(
                f"{url.shown} would be fetched without encryption",
                hint=f"write https://, or the operator sets allow_http for {url.host} in source_hosts",
            )
        return host


def parse_source_url(text: str) -> WebURL:
    """Take the URL of a source apart. Raises `BuildStepFailed`."""
    try:
        return WebURL.parse(text)
    except URLRefused as error:
        raise url_refused(error) from error


def url_refused(error: URLRefused) -> BuildStepFailed:
    """Return the failure of a source whose URL cannot be used."""
    return refused(f"the URL of the documentation source cannot be used: {error}")


def _is_host(text: str) -> bool:
    try:
        url = WebURL.parse(f"https://{text}")
    except URLRefused:
        return False
    return url.host == text and not url.segments


def _is_one_line(text: str) -> bool:
    return bool(text) and text.isprintable()
