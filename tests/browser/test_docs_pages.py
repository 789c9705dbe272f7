"""A built site under ``/docs`` in a real browser: it looks, works and is reached as the author meant it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chromium import Tab, tab
from tests.browser.documents import PAGES, WIDE_FONT, configuration
from tests.support.ports import free_port
from tests.support.services import running
from tests.support.sites import entity_document, write_catalog, write_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

_BUILD_SECONDS = 120.0
_INDIGO = "rgb(64, 81, 181)"
_GOOGLE_FONTS = "https://fonts.googleapis.com/"


@dataclass(frozen=True)
class Site:
    """Two sites of one service: ``url`` knows where it is served and needs no other host, ``plain`` is as most are."""

    origin: str
    url: str
    plain: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder, port = tmp_path_factory.mktemp("docs"), free_port()
    origin = f"http://127.0.0.1:{port}"
    known, plain = f"{origin}/docs/default/component/known", f"{origin}/docs/default/component/plain"
    write_site(folder / "catalog/known", pages=PAGES, config=configuration(site_url=f"{known}/"))
    write_site(folder / "catalog/plain", pages=PAGES)
    for name in ("known", "plain"):
        write_catalog(folder / "catalog" / name, {"catalog-info.yaml": entity_document(name)})
    service = running("serve", folder, catalog=folder / "catalog", bridge_listen=f"127.0.0.1:{port}")
    async with service, httpx.AsyncClient(base_url=origin, timeout=_BUILD_SECONDS) as client:
        for name in ("known", "plain"):
            (await client.post(f"/sync/default/component/{name}")).raise_for_status()
        yield Site(origin, known, plain)


@pytest_asyncio.fixture(loop_scope="module")
async def reader(browser: Browser, site: Site) -> AsyncIterator[Tab]:
    """A blank tab. At the end nothing may have been complained about but what a test took out of the lists."""
    async with tab(browser, site.origin) as opened:
        yield opened
        assert not opened.errors
        assert not opened.console
        assert not opened.failed


async def test_page_renders_with_the_styles_of_its_theme(reader: Tab, site: Site, screenshots: Path) -> None:
    page = reader.page
    await page.goto(f"{site.url}/")
    await page.screenshot(path=screenshots / "docs-front-page.png")
    assert await page.title() == "Payments"
    assert await _style(page, ".md-header", "background-color") == _INDIGO
    assert await _style(page, ".md-header", "position") == "sticky"
    assert await _style(page, ".admonition", "border-top-style") == "solid"
    assert await _natural_width(page, "img[alt=flow]") == 1
    assert {status for url, status in reader.answers.items() if url.startswith(site.origin)} == {200}
    # The picture of the smiley is on another host, as the emoji extension has it.
    reader.console.clear()


async def test_directory_gets_its_slash_so_that_links_lead_on(reader: Tab, site: Site) -> None:
    page = reader.page
    await page.goto(f"{site.url}/guides?from=mail")
    assert page.url == f"{site.url}/guides/?from=mail"
    await page.get_by_role("article").get_by_role("link", name="Run it").click()
    await page.wait_for_url(f"{site.url}/guides/run/")


async def test_deep_link_shows_its_section(reader: Tab, site: Site) -> None:
    await reader.page.set_viewport_size({"width": 1000, "height": 300})
    await reader.page.goto(f"{site.url}/guides/run/#restart")
    await expect(reader.page.get_by_role("heading", name="Restart")).to_be_in_viewport()
    await expect(reader.page.locator("h1")).not_to_be_in_viewport()


async def test_navigation_replaces_the_page_without_loading_it_anew(reader: Tab, site: Site) -> None:
    page = reader.page
    await page.goto(f"{site.url}/guides/")
    await page.evaluate("window.stays = true")
    await page.locator(".md-nav--primary").get_by_role("link", name="Pictures").click()
    await expect(page.locator("h1#pictures")).to_be_visible()
    assert page.url == f"{site.url}/guides/pictures/"
    assert await page.evaluate("window.stays")


async def test_pictures_of_both_kinds_are_shown(reader: Tab, site: Site, screenshots: Path) -> None:
    await reader.page.goto(f"{site.url}/guides/pictures/")
    await reader.page.screenshot(path=screenshots / "docs-pictures.png")
    assert await _natural_width(reader.page, "img[alt=box]") == 120
    assert await _natural_width(reader.page, "img[alt=flow]") == 1


async def test_search_finds_a_word_and_goes_there(reader: Tab, site: Site, screenshots: Path) -> None:
    page = reader.page
    await page.goto(f"{site.url}/guides/")
    await page.get_by_role("textbox", name="Search").press_sequentially("zanzibar")
    result = page.locator(".md-search-result__link").first
    await expect(result).to_contain_text("Pictures")
    await page.screenshot(path=screenshots / "docs-search.png")
    await result.click()
    await expect(page.locator("h1#pictures")).to_be_visible()
    assert page.url.startswith(f"{site.url}/guides/pictures/")


async def test_code_is_copied_by_its_button(reader: Tab, site: Site) -> None:
    await reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await reader.page.goto(f"{site.url}/guides/run/")
    await reader.page.get_by_role("button", name="Copy to clipboard").first.click()
    await reader.page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('def pay'))")


async def test_font_of_the_site_is_loaded(reader: Tab, site: Site) -> None:
    await reader.page.goto(f"{site.url}/wide/")
    await reader.page.evaluate("document.fonts.ready")
    assert await reader.page.evaluate("[...document.fonts].map(font => font.status)") == ["loaded"]
    assert await _width(reader.page, ".wide") == pytest.approx(4 * 32, abs=1)


async def test_fonts_of_the_theme_are_let_through_from_their_host(reader: Tab, site: Site) -> None:
    async def stylesheet(route: Route) -> None:
        face = '@font-face { font-family: Roboto; src: url("https://fonts.gstatic.com/roboto.woff2") }'
        await route.fulfill(content_type="text/css", body=face)

    async def font(route: Route) -> None:
        await route.fulfill(content_type="font/woff2", body=WIDE_FONT, headers={"access-control-allow-origin": "*"})

    await reader.context.route(f"{_GOOGLE_FONTS}**", stylesheet)
    await reader.context.route("https://fonts.gstatic.com/**", font)
    await reader.page.goto(f"{site.plain}/guides/pictures/")
    assert await reader.page.evaluate("document.fonts.load('16px Roboto', 'A').then(faces => faces.length)") == 1
    _forget_known_error(reader)


async def test_page_renders_where_the_fonts_of_the_theme_cannot_be_reached(
    reader: Tab, site: Site, screenshots: Path
) -> None:
    await reader.page.goto(f"{site.plain}/guides/pictures/")
    await reader.page.screenshot(path=screenshots / "docs-without-network.png")
    assert await _style(reader.page, ".md-header", "background-color") == _INDIGO
    assert await _natural_width(reader.page, "img[alt=box]") == 120
    # The one thing that was missing is the fonts.
    assert [url for url in reader.foreign if not url.startswith(f"GET {_GOOGLE_FONTS}")] == []
    assert len(reader.foreign) == 1
    assert len(reader.console) == 1
    reader.console.clear()
    _forget_known_error(reader)


@pytest.mark.parametrize("path", ["/nowhere/", "/guides/nowhere/at/all/"])
@pytest.mark.parametrize("knows_where_it_is", [True, False])
async def test_missing_page_is_said_in_the_looks_of_the_site(
    reader: Tab, site: Site, screenshots: Path, path: str, *, knows_where_it_is: bool
) -> None:
    base = site.url if knows_where_it_is else site.plain
    await reader.page.goto(f"{base}{path}")
    await reader.page.screenshot(path=screenshots / f"docs-missing-{base.rpartition('/')[2]}.png")
    await expect(reader.page.locator("h1")).to_have_text("404 - Not found")
    assert await _style(reader.page, ".md-header", "background-color") == _INDIGO
    await reader.page.locator(".md-nav--primary").get_by_role("link", name="Wide").click()
    await expect(reader.page.locator(".wide")).to_be_visible()
    assert reader.page.url == f"{base}/wide/"
    reader.console = [said for said in reader.console if "404 (Not Found)" not in said and _GOOGLE_FONTS not in said]
    _forget_known_error(reader)


def _forget_known_error(reader: Tab) -> None:
    # MkDocs' own search, which techdocs-core turns on, has a script for other themes than Material.
    reader.errors = [error for error in reader.errors if error != "base_url is not defined"]


async def _style(page: Page, selector: str, name: str) -> str:
    read = "(element, name) => getComputedStyle(element).getPropertyValue(name)"
    value: str = await page.locator(selector).first.evaluate(read, name)
    return value


async def _natural_width(page: Page, selector: str) -> int:
    width: int = await page.locator(selector).evaluate("image => image.decode().then(() => image.naturalWidth)")
    return width


async def _width(page: Page, selector: str) -> float:
    box = await page.locator(selector).bounding_box()
    assert box is not None
    return box["width"]
