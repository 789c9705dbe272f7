"""URLs as strangers write them."""

from __future__ import annotations

import pytest
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL


@pytest.mark.parametrize(
    ("text", "written", "host"),
    [
        ("https://github.com/o/r", "https://github.com/o/r", "github.com"),
        ("HTTPS://GitHub.com:443/o//r/?a=1#L2", "https://github.com/o/r/?a=1", "github.com"),
        ("http://host:80/", "http://host/", "host"),
        ("http://host:8080/x", "http://host:8080/x", "host:8080"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x", "[::1]:8443"),
        ("https://host/a%2Fb/%C3%BC/%41", "https://host/a%2Fb/%C3%BC/A", "host"),
        ("https://host/ü", "https://host/%C3%BC", "host"),
        ("https://host/a%22b", "https://host/a%22b", "host"),
        ("https://host/a@b", "https://host/a@b", "host"),
        ("file:///srv/r.git", "file:///srv/r.git", ""),
    ],
)
def test_url_is_written_in_one_way(text: str, written: str, host: str) -> None:
    url = WebURL.parse(text)
    assert (str(url), url.host) == (written, host)
    assert WebURL.parse(written) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "github.com/o/r",
        "//host/x",
        "ssh://git@host/x",
        "git@host:o/r",
        "ext::sh -c x",
        "ftp://host/x",
        "javascript:alert(1)",
        "--upload-pack=x",
        "https://",
        "https:///x",
        "https://-host/x",
        "https://ho st/x",
        "https://host/a b",
        "https://host/a\tb",
        "https://host/a\nb",
        "https://host\\@evil/x",
        "https://host/a\\b",
        "https://host/a%5Cb",
        "https://host/a%00b",
        "https://host/a%0Ab",
        "https://host/../x",
        "https://host/a/./b",
        "https://host/a/%2e%2E/b",
        "https://host/%ff",
        "https://host:x/",
        "https://host:99999/",
        "https://höst/x",
        "https://host;x/",
        "https://[::1/x",
        "https://[v1.x]/",
        "https://host/" + "x" * 2050,
        "file://host/x",
    ],
)
def test_url_of_two_meanings_is_refused(text: str) -> None:
    with pytest.raises(URLRefused):
        WebURL.parse(text)


@pytest.mark.parametrize(
    "text", ["https://hush@host/x", "https://user:hush@host/x", "https://@host/x", "http://hush:@host"]
)
def test_user_name_and_password_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(URLRefused, match="user name or password") as caught:
        WebURL.parse(text)
    assert "hush" not in str(caught.value)


def test_parts_are_what_a_connection_needs() -> None:
    url = WebURL.parse("https://[::1]:8443/a%20b/?x=%2F&y=1&x=2")
    assert (url.name, url.port, url.target) == ("::1", 8443, "/a%20b/?x=%2F&y=1&x=2")
    assert url.parameters() == {"x": "2", "y": "1"}
    assert url.shown == "https://[::1]:8443/a%20b"
    assert WebURL.parse("http://host").port == 80
