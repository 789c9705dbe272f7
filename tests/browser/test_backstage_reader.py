"""The unmodified TechDocs reader of Backstage in a real browser, with the bridge behind it on its own origin."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from techdocs.v1 import builds_pb2

from tests.browser.chromium import Tab, tab
from tests.browser.documents import PAGES
from tests.browser.portal import Portal, portal, served_entity
from tests.browser.reader_app import reader_app
from tests.browser.reader_page import alerts, docs, natural_width, style
from tests.integration.build_control import Site, building
from tests.support.holding import holding_plugins
from tests.support.rpc_client import component
from tests.support.sites import Files, entity_document, mkdocs_config, write_files
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

_READ = "demo"
_EDITED = "edited"
"""Was edited after its build, when the tests began: Backstage looks at a source once a minute at most."""
_FIRST_TIME = "Documentation is accessed for the first time and is being prepared."
_PREPARING = "A newer version of this documentation is being prepared"
_NEWER = "A newer version of this documentation is now available, please refresh to view."
_FAILED = "Building a newer version of this documentation failed."

_LOOK_SECONDS = 90.0


@dataclass
class Stage:
    """A service whose builds a test can hold, and the app that reads it."""

    service: Site
    portal: Portal

    def add(self, name: str, pages: Files, **options: object) -> None:
        """Add a component to the service and to the catalog of the app."""
        document = entity_document(name, spec={"lifecycle": "experimental"})
        given: dict[str, object] = {
            "site_description": f"What {name} does",
            "plugins": holding_plugins(self.service.gate),
        }
        config = mkdocs_config(f"Manual of {name}", **given | options)
        files = {"mkdocs.yml": config, "catalog-info.yaml": json.dumps(document), **pages}
        write_files(self.service.catalog.folder / name, files)
        self.portal.entities[f"component:default/{name}"] = served_entity(document)

    def url(self, name: str, path: str = "") -> str:
        """Return the address of a page in the app."""
        return f"{self.portal.origin}/docs/default/component/{name}{path}"

    async def build(self, name: str) -> None:
        """Build a component, as a request of somebody else would."""
        await self.service.client.builds.SyncSite(builds_pb2.SyncSiteRequest(entity=component(name)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    app = reader_app()
    folder = tmp_path_factory.mktemp("reader")
    # The reader shows no page before all its stylesheets are there, and none comes from elsewhere in a test.
    service_of = building(folder, role="serve", build_external_fonts=False)
    async with service_of as service, portal(service.service.rest, app) as served:
        made = Stage(service, served)
        made.add(_READ, PAGES)
        made.add(_EDITED, {"docs/index.md": "# First edition\n"})
        for name in (_READ, _EDITED):
            await made.build(name)
        write_files(service.catalog.folder / _EDITED, {"docs/index.md": "# Second edition\n"})
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def reader(browser: Browser, stage: Stage) -> AsyncIterator[Tab]:
    async with tab(browser, stage.portal.origin) as opened:
        try:
            yield opened
        finally:
            stage.service.gate.unlink(missing_ok=True)
        assert not opened.errors


async def test_page_is_shown_with_the_header_of_its_site(reader: Tab, stage: Stage, screenshots: Path) -> None:
    page = reader.page
    await page.goto(stage.url(_READ))
    await expect(docs(page).get_by_role("heading", name="Payments")).to_be_visible()
    header = page.locator("header").first
    await expect(header.get_by_role("heading", name=f"Manual of {_READ}")).to_be_visible()
    for text in (f"What {_READ} does", "Component", "experimental"):
        await expect(header).to_contain_text(text)
    await page.screenshot(path=screenshots / "reader-front-page.png")
    await expect(page).to_have_title(f"{_READ} | Portal")
    assert await style(docs(page).locator(".admonition").first, "border-top-style") == "solid"
    await expect(alerts(page)).to_have_count(0)
    assert [said for said in reader.console if "/.backstage/auth/v1/cookie" not in said and "cdnjs" not in said] == []
    assert not [failed for failed in reader.failed if "/api/search/" not in failed]


async def test_navigation_and_links_lead_to_pages(reader: Tab, stage: Stage) -> None:
    page = reader.page
    await page.goto(stage.url(_READ))
    await docs(page).get_by_role("link", name="how to run it").click()
    await expect(docs(page).get_by_role("heading", name="Restart")).to_be_in_viewport()
    assert page.url == stage.url(_READ, "/guides/run/#restart")
    await docs(page).locator(".md-nav--primary").get_by_role("link", name="Pictures").click()
    await expect(docs(page).get_by_role("heading", name="Pictures")).to_be_visible()
    assert page.url == stage.url(_READ, "/guides/pictures/")
    await page.go_back()
    await expect(docs(page).get_by_role("heading", name="Run it")).to_be_visible()


async def test_pictures_of_both_kinds_are_shown(reader: Tab, stage: Stage, screenshots: Path) -> None:
    await reader.page.goto(stage.url(_READ, "/guides/pictures"))
    assert await natural_width(docs(reader.page).locator("img[alt=flow]")) == 1
    svg = docs(reader.page).locator("img[alt=box]")
    assert await natural_width(svg) == 120
    # The reader fetches SVG images and puts them into the page itself.
    assert str(await svg.get_attribute("src")).startswith("data:image/svg+xml")
    await reader.page.screenshot(path=screenshots / "reader-pictures.png")


async def test_search_inside_finds_a_word_and_goes_there(reader: Tab, stage: Stage, screenshots: Path) -> None:
    page = reader.page
    await page.goto(stage.url(_READ))
    await page.get_by_role("textbox", name="Search").press_sequentially("zanzibar")
    await expect(page.get_by_role("option")).to_have_count(2)
    result = page.get_by_role("option").first
    await expect(result).to_contain_text("Pictures")
    await page.screenshot(path=screenshots / "reader-search.png")
    await result.click()
    await expect(docs(page).get_by_role("heading", name="Pictures")).to_be_visible()
    assert page.url == stage.url(_READ, "/guides/pictures/")


async def test_tab_of_the_entity_shows_the_same(reader: Tab, stage: Stage, screenshots: Path) -> None:
    page = reader.page
    await page.goto(f"{stage.portal.origin}/catalog/default/component/{_READ}/docs")
    await docs(page).get_by_role("link", name="how to run it").click()
    await expect(docs(page).get_by_role("heading", name="Restart")).to_be_visible()
    await page.screenshot(path=screenshots / "reader-entity-tab.png")
    assert page.url == f"{stage.portal.origin}/catalog/default/component/{_READ}/docs/guides/run/#restart"


async def test_first_visit_shows_the_log_of_the_build_and_then_the_page(
    reader: Tab, stage: Stage, screenshots: Path
) -> None:
    page = reader.page
    stage.add("fresh", PAGES)
    stage.service.hold()
    await page.goto(stage.url("fresh"))
    await expect(alerts(page)).to_contain_text(_FIRST_TIME)
    await stage.service.held_child()
    await page.screenshot(path=screenshots / "reader-first-visit.png")
    await page.get_by_role("button", name="Show Build Logs").click()
    log = page.get_by_role("presentation").filter(has_text="Build Details")
    await expect(log).to_contain_text("fresh")
    await expect(log).to_contain_text(re.compile("generating", re.IGNORECASE))
    await page.screenshot(path=screenshots / "reader-build-log.png")
    stage.service.release()
    await expect(docs(page).get_by_role("heading", name="Payments")).to_be_visible()
    await page.screenshot(path=screenshots / "reader-first-visit-done.png")


async def test_missing_page_is_said_to_be_missing(reader: Tab, stage: Stage, screenshots: Path) -> None:
    await reader.page.goto(stage.url(_READ, "/nowhere"))
    await expect(reader.page.get_by_text("Page not found.")).to_be_visible()
    await reader.page.screenshot(path=screenshots / "reader-missing-page.png")


async def test_failed_build_says_what_the_author_must_do(reader: Tab, stage: Stage, screenshots: Path) -> None:
    stage.add("broken", {"docs/index.md": "# Broken\n"}, docs_dir="../outside")
    await reader.page.goto(stage.url("broken"))
    await expect(alerts(reader.page)).to_contain_text(_FAILED)
    await reader.page.screenshot(path=screenshots / "reader-failed-build.png")
    await expect(alerts(reader.page)).to_contain_text("docs_dir")


async def test_newer_version_is_announced_and_shown_by_refresh(reader: Tab, stage: Stage, screenshots: Path) -> None:
    page = reader.page
    stage.service.hold()

    async def being_prepared() -> bool:
        reader.finished.clear()
        await page.goto(stage.url(_EDITED))
        await expect(docs(page).get_by_role("heading", name="First edition")).to_be_visible()
        preparing = alerts(page).filter(has_text=_PREPARING)

        async def known() -> bool:
            return await preparing.is_visible() or any("/sync/" in url for url in reader.finished)

        await eventually(known, timeout_seconds=_LOOK_SECONDS, what="the reader knows how the source is")
        return await preparing.is_visible()

    await eventually(being_prepared, timeout_seconds=_LOOK_SECONDS, what="a visit finds the edit")
    await page.screenshot(path=screenshots / "reader-being-prepared.png")
    stage.service.release()
    await expect(alerts(page)).to_contain_text(_NEWER)
    await expect(docs(page).get_by_role("heading", name="First edition")).to_be_visible()
    await page.screenshot(path=screenshots / "reader-newer-version.png")
    await page.get_by_role("button", name="Refresh").click()
    await expect(docs(page).get_by_role("heading", name="Second edition")).to_be_visible()
    await expect(alerts(page)).to_have_count(0)
