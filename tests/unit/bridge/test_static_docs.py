"""Media types under /static/docs."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from techdocs_bridge.backstage.static_docs import DEFAULT_MEDIA_TYPE, static_media_type

TABLE: dict[str, str] = json.loads(files("techdocs_bridge.backstage").joinpath("content_types.json").read_bytes())
# What a browser parses as markup, or runs as a script inside one.
MARKUP = {
    "text/html",
    "text/xml",
    "image/svg+xml",
    "text/xsl",
    "application/xhtml+xml",
    "application/xml",
    "application/rdf+xml",
    "multipart/x-mixed-replace",
}


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("assets/main.1a2b3c4d.min.css", "text/css; charset=utf-8"),
        ("app.js", "application/javascript; charset=utf-8"),
        ("app.mjs", "application/javascript; charset=utf-8"),
        ("search/search_index.json", "application/json; charset=utf-8"),
        ("main.css.map", "application/json; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("spec.yaml", "text/yaml; charset=utf-8"),
        ("LOGO.PNG", "image/png"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("f.pdf", "application/pdf"),
        ("font.woff2", "font/woff2"),
        ("v.mp4", "video/mp4"),
    ],
)
def test_harmless_files_have_their_type(path: str, media_type: str) -> None:
    assert static_media_type(path) == media_type


@pytest.mark.parametrize(
    "path",
    [
        "index.html", "a.HTM", "a.shtml", "a.xhtml", "logo.svg", "sitemap.xml", "a.xsl", "a.rdf", "a.webmanifest",
        "a.vtt", "a.bin", "a.ipynb", "a.drawio", "CNAME", ".css", "dir.css/none", "a.", "", "a.unknown", "a.svg.",
    ],
)  # fmt: skip
def test_markup_and_everything_unknown_is_plain_text(path: str) -> None:
    assert static_media_type(path) == DEFAULT_MEDIA_TYPE


def test_the_table_has_no_markup_and_no_rows_that_say_the_default() -> None:
    assert len(TABLE) > 1000
    for extension, media_type in TABLE.items():
        assert media_type.partition(";")[0] not in MARKUP
        assert media_type != DEFAULT_MEDIA_TYPE
        assert not any(part in extension for part in ("htm", "xml", "svg", "xht", "xsl"))
        assert extension == extension.lower()
        assert not extension.startswith(".")


def test_text_types_say_their_charset() -> None:
    assert all("charset=utf-8" in t for t in TABLE.values() if t.startswith("text/"))
