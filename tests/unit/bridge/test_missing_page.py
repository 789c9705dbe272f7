from __future__ import annotations

import pytest
from techdocs_bridge.missing_page import with_links_into

SITE = b"/docs/default/component/x/"
SCOPE = b'<script>__md_scope=new URL("%b",location)</script>'


@pytest.mark.parametrize("root", [b"/", b"/payments/", b"/docs/"])
@pytest.mark.parametrize(
    "link",
    [
        b'<link rel="stylesheet" href="%bassets/main.css">',
        b'<script src="%bassets/bundle.js"></script>',
        b'<a href="%b.">home</a>',
        b'{"base": "%b", "features": []}',
        b'{"search": "%bassets/search.js"}',
    ],
)
def test_links_from_the_root_lead_into_the_site(root: bytes, link: bytes) -> None:
    page = SCOPE % root + link % root
    assert with_links_into(SITE, page) == SCOPE % SITE + link % SITE


@pytest.mark.parametrize(
    "link",
    [
        b'<a href="//elsewhere.example/x">',
        b'<a href="https://elsewhere.example/x">',
        b'<a href="#section">',
        b'<a href="/\\elsewhere.example">',
        b'<path d="M3 6h18v2H3z"/>',
        b"<p>/ is the root</p>",
    ],
)
def test_what_is_no_link_from_the_root_stays(link: bytes) -> None:
    assert with_links_into(SITE, SCOPE % b"/" + link) == SCOPE % SITE + link


def test_page_of_a_site_that_knows_where_it_is_stays() -> None:
    page = SCOPE % SITE + b'<a href="%bguide/">' % SITE
    assert with_links_into(SITE, page) == page


def test_page_that_does_not_say_its_root_stays() -> None:
    page = b'<a href="/guide/">'
    assert with_links_into(SITE, page) == page
