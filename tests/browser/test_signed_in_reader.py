"""The unmodified reader where everybody must be somebody: tokens of Backstage's own, and the cookie for what the browser loads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chromium import Tab, tab
from tests.browser.documents import PAGES
from tests.browser.portal import Portal, portal, served_entity
from tests.browser.reader_app import reader_app
from tests.browser.reader_page import docs, natural_width, style
from tests.support.backstage.backend import ALICE, BOB, VISIBLE_TO
from tests.support.backstage.service import in_backstage
from tests.support.ports import free_port
from tests.support.sites import entity_document, mkdocs_config, write_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SHOWN, _HIDDEN = "shown", "hidden"
_STATIC = "/api/techdocs/static/docs/default/component/shown/"


@asynccontextmanager
async def _signed_in(folder: Path, *, one_origin: bool) -> AsyncIterator[Portal]:
    """Run Backstage, the service in it, and the app of its user alice."""
    app, port = reader_app(), free_port()
    entities = {}
    for name, users in ((_SHOWN, ALICE), (_HIDDEN, BOB)):
        source = folder / "sources" / name
        write_site(source, pages=PAGES, config=mkdocs_config(name, theme={"name": "material", "font": False}))
        annotations = {
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": f"file:{source / 'catalog-info.yaml'}",
            VISIBLE_TO: users,
        }
        entities[f"component:default/{name}"] = served_entity(entity_document(name), annotations=annotations)
    (folder / "entities.json").write_text(json.dumps(entities))
    settings = {"policy": "catalog", "bridge_cors_origins": [] if one_origin else [f"http://localhost:{port}"]}
    backstage = in_backstage(folder, entities=folder / "entities.json", sources=folder / "sources", settings=settings)
    async with backstage as ours, portal(ours.service.rest, app, port=port, backend=ours.home.url) as served:
        served.user, served.token = ALICE, await ours.home.user_token()
        served.search_token = await ours.home.plugin_token()
        if not one_origin:
            target = ours.techdocs.replace("127.0.0.1", "localhost")
            served.config["discovery"] = {"endpoints": [{"target": target, "plugins": ["techdocs"]}]}
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_origin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    async with _signed_in(tmp_path_factory.mktemp("signed-in"), one_origin=True) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_origins(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    async with _signed_in(tmp_path_factory.mktemp("two-origins"), one_origin=False) as served:
        yield served


async def test_page_is_built_and_read_with_token_and_cookie(
    browser: Browser, one_origin: Portal, screenshots: Path
) -> None:
    async with tab(browser, one_origin.origin) as reader:
        await _reads(reader, one_origin)
        await reader.page.screenshot(path=screenshots / "signed-in.png")
        assert not reader.errors
        assert not [failed for failed in reader.failed if "/api/search/" not in failed]
    loaded = {seen.path.removeprefix(_STATIC): seen for seen in one_origin.handed_on if seen.path.startswith(_STATIC)}
    by_browser = [seen for path, seen in loaded.items() if path.endswith((".css", ".png"))]
    assert by_browser
    for seen in by_browser:
        assert seen.status in (200, 304)
        assert seen.authorization == ""
        assert "backstage-auth=" in seen.cookie
    assert loaded["guides/pictures/index.html"].authorization.startswith("Bearer ")


async def test_nothing_is_shown_to_nobody(browser: Browser, one_origin: Portal, screenshots: Path) -> None:
    one_origin.token, token = "", one_origin.token
    try:
        async with tab(browser, one_origin.origin) as reader:
            await reader.page.goto(f"{one_origin.origin}/docs/default/component/{_SHOWN}")
            await expect(reader.page.get_by_text("401").first).to_be_visible()
            await reader.page.screenshot(path=screenshots / "signed-out.png")
            await expect(docs(reader.page)).to_have_count(0)
    finally:
        one_origin.token = token


async def test_entity_that_the_catalog_hides_is_not_shown(
    browser: Browser, one_origin: Portal, screenshots: Path
) -> None:
    async with tab(browser, one_origin.origin) as reader:
        await reader.page.goto(f"{one_origin.origin}/docs/default/component/{_HIDDEN}")
        await expect(reader.page.get_by_text("404").first).to_be_visible()
        await reader.page.screenshot(path=screenshots / "signed-in-hidden.png")
        await expect(docs(reader.page)).to_have_count(0)


async def test_page_is_read_from_another_origin(browser: Browser, two_origins: Portal, screenshots: Path) -> None:
    async with tab(browser, two_origins.origin) as reader:
        await _reads(reader, two_origins)
        await reader.page.screenshot(path=screenshots / "signed-in-two-origins.png")
        assert not reader.errors
        assert not [said for said in reader.console if "CORS" in said]
    assert not two_origins.handed_on


async def _reads(reader: Tab, served: Portal) -> None:
    """Visit for the first time, see the page appear by itself, and go on to one with pictures."""
    page = reader.page
    await page.goto(f"{served.origin}/docs/default/component/{_SHOWN}")
    await expect(docs(page).get_by_role("heading", name="Payments")).to_be_visible()
    await docs(page).get_by_role("link", name="how to run it").click()
    await docs(page).locator(".md-nav--primary").get_by_role("link", name="Pictures").click()
    await expect(docs(page).get_by_role("heading", name="Pictures")).to_be_visible()
    assert await natural_width(docs(page).locator("img[alt=flow]")) == 1
    assert await natural_width(docs(page).locator("img[alt=box]")) == 120
    assert await style(docs(page).locator("article"), "box-sizing") == "border-box"
