"""Which contents are compressed, and which variants are kept."""

import pytest
from techdocs_server.domain.encoding import LEAST_BYTES, MOST_BYTES, is_compressible, is_worth_keeping
from techdocs_server.domain.media_type import media_type

PLENTY = 100_000


@pytest.mark.parametrize(
    "path",
    [
        *("index.html", "a.css", "a.js", "a.mjs", "search_index.json", "a.js.map", "sitemap.xml", "a.svg", "a.md"),
        *("a.txt", "a.yaml", "a.csv", "a.wasm", "favicon.ico", "site.webmanifest"),
    ],
)
def test_texts_and_plain_binaries_are_compressible(path: str) -> None:
    assert is_compressible(media_type(path), PLENTY)


@pytest.mark.parametrize(
    "path",
    [
        *("a.png", "a.jpg", "a.gif", "a.webp", "a.avif", "a.woff", "a.woff2", "a.zip", "sitemap.xml.gz", "a.pdf"),
        *("a.mp4", "LICENSE"),
    ],
)
def test_what_is_compressed_already_or_unknown_is_not(path: str) -> None:
    assert not is_compressible(media_type(path), PLENTY)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, False), (LEAST_BYTES - 1, False), (LEAST_BYTES, True), (MOST_BYTES, True), (MOST_BYTES + 1, False)],
)
def test_contents_have_a_least_and_a_most_size(size: int, expected: bool) -> None:
    assert is_compressible("text/html; charset=utf-8", size) is expected


@pytest.mark.parametrize("name", ["TEXT/HTML", "text/html;charset=utf-8", "application/rss+xml", "font/ttf"])
def test_type_is_told_by_its_kind_alone(name: str) -> None:
    assert is_compressible(name, PLENTY)


def test_a_variant_has_to_save_a_tenth() -> None:
    assert is_worth_keeping(900, of_bytes=1000)
    assert not is_worth_keeping(901, of_bytes=1000)
