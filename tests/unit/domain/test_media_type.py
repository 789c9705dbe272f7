import pytest
from techdocs_server.domain.media_type import media_type


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("assets/main.CSS", "text/css; charset=utf-8"),
        ("assets/bundle.js", "text/javascript; charset=utf-8"),
        ("search/search_index.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("f.woff2", "font/woff2"),
        ("sitemap.xml", "application/xml; charset=utf-8"),
        ("sitemap.xml.gz", "application/gzip"),
        ("a.pdf", "application/pdf"),
        ("LICENSE", "application/octet-stream"),
        ("dir.d/README", "application/octet-stream"),
        (".html", "text/html; charset=utf-8"),
    ],
)
def test_type_follows_the_extension(path: str, expected: str) -> None:
    assert media_type(path) == expected
