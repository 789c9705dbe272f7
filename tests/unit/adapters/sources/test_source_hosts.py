"""The operator's list of hosts."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.sources.problems import Redaction
from techdocs_server.adapters.sources.routing import is_archive
from techdocs_server.adapters.sources.source_hosts import HostType, SourceHost, SourceHosts, parse_source_url
from techdocs_server.adapters.sources.web_address import WebURL
from techdocs_server.domain.errors import BuildStepFailed

from tests.support.remote_sources import SECRET


@pytest.mark.parametrize(
    "host", ["GitHub.com", "https://github.com", "github.com/", "github.com:443", "a b", "u@host", "host:x", "ho_st:"]
)
def test_host_that_is_written_wrongly_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must be a host name"):
        SourceHost(host, HostType.GITHUB)


@pytest.mark.parametrize("host", ["github.com", "git.example:8443", "localhost", "[::1]:80", "10.0.0.1"])
def test_host_is_a_name_or_address_with_an_unusual_port(host: str) -> None:
    assert SourceHost(host, HostType.GITHUB).host == host


@pytest.mark.parametrize(
    "options", [{"token": "a\nb"}, {"token": ""}, {"username": "a\rb"}, {"username": "a:b"}, {"username": ""}]
)
def test_credentials_that_would_break_a_header_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"username must not hold|printable text"):
        SourceHost("host", HostType.GITHUB, **options)  # type: ignore[arg-type]  # the names of its own fields


def test_this_machine_is_a_git_host() -> None:
    assert SourceHost("", HostType.GIT).schemes == ("file",)
    with pytest.raises(ValueError, match="must have type git"):
        SourceHost("", HostType.ARCHIVE)


def test_token_is_not_shown() -> None:
    host = SourceHost("host", HostType.GITHUB, token=SECRET)
    assert SECRET not in repr(host) + repr([host]) + str(host)


def test_host_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="listed twice"):
        SourceHosts([SourceHost("a", HostType.GIT), SourceHost("a", HostType.GITHUB)])


@pytest.mark.parametrize("url", ["https://host:8443/x", "https://sub.host/x", "https://host.evil/x", "file:///host/x"])
def test_only_the_very_host_is_allowed(url: str) -> None:
    hosts = SourceHosts([SourceHost("host", HostType.GIT)])
    assert hosts.allowed(parse_source_url("https://host/x")).host == "host"
    with pytest.raises(BuildStepFailed, match="not one that documentation may come from"):
        hosts.allowed(parse_source_url(url))


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        (HostType.ARCHIVE, "/anything", True),
        (HostType.GITHUB, "/o/r/tree/main/docs.zip", False),
        (HostType.GITHUB, "/o/docs.zip", False),
        (HostType.GITHUB, "/o/r/archive/refs/heads/main.tar.gz", True),
        (HostType.GITHUB, "/o/r/releases/download/v1/docs.tgz", True),
        (HostType.GITHUB, "/o/r/issues", False),
        (HostType.GITLAB, "/g/s/p/-/archive/main/p-main.zip", True),
        (HostType.GITLAB, "/g/s/p/-/tree/main/x.zip", False),
        (HostType.BITBUCKET_CLOUD, "/w/r/get/main.tar.gz", True),
        (HostType.GIT, "/x/docs.tar.gz", True),
        (HostType.GIT, "/x/r.git/tree/main/a.zip", False),
    ],
)
def test_archives_are_told_from_folders(kind: HostType, path: str, expected: bool) -> None:
    assert is_archive(WebURL.parse(f"https://host{path}"), SourceHost("host", kind)) is expected


def test_secrets_are_taken_out_of_foreign_texts_in_every_form() -> None:
    redaction = Redaction([SECRET, f"user:{SECRET}"])
    said = (
        f"a {SECRET} b hush%2Fhush%2B42%3D%3D c dXNlcjpodXNoL2h1c2grNDI9PQ== d aHVzaC9odXNoKzQyPT0=\n\x1b[31m"
        + "x" * 400
    )
    clean = redaction.clean(said)
    assert clean.startswith("a *** b *** c *** d ***")
    assert "\n" not in clean
    assert len(clean) <= 301
