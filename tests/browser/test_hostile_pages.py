"""A hostile page under ``/docs`` reaches its own site and nothing else, in a real browser.

Each attempt is made twice: as the bridge answers, and with the policies taken out of its answers. The second run
shows that an attempt is one: what is refused in the first is had in the second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from tests.browser.chromium import Tab, tab
from tests.support.services import running
from tests.support.sites import entity_document, mkdocs_config, write_catalog, write_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

_BUILD_SECONDS = 120.0
_SECRET = "of-the-neighbour-alone"  # noqa: S105 - a marker that must not come out, not a password
_POLICIES = frozenset({"content-security-policy", "cross-origin-opener-policy"})
_ATTACK = (Path(__file__).parent.parent / "support" / "attack.js").read_text("utf-8")
_WORKER = """onmessage = event => fetch(event.data).then(answer => answer.text()).then(
  text => postMessage({text}), error => postMessage({error: error.message}));"""

# Below the page's own path; every other attempt must be refused.
_CLIMBING = "neighbour by fetch through own path"
_ALLOWED = frozenset({"own page by fetch", "own page in a worker", _CLIMBING})
# What these get is not the neighbour's page: the answer to a path that is none, and that of a script.
_WITHOUT_SECRET = frozenset({_CLIMBING, "neighbour runs a worker"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A service with a hostile site and two neighbours, and the URL it is at."""
    folder = tmp_path_factory.mktemp("hostile")
    own = {"docs/index.md": '# Own\n\n<script src="attack.js"></script>\n', "docs/attack.js": _ATTACK}
    theirs = {"docs/index.md": f"# Neighbour\n\n{_SECRET}\n"}
    sites = {"hostile": own, "hostile-not": theirs, "neighbour": theirs}
    config = mkdocs_config(theme={"name": "material", "font": False})
    for name, pages in sites.items():
        write_site(folder / "catalog" / name, pages={**pages, "docs/worker.js": _WORKER}, config=config)
        write_catalog(folder / "catalog" / name, {"catalog-info.yaml": entity_document(name)})
    service = running("serve", folder, catalog=folder / "catalog")
    async with service as serving, httpx.AsyncClient(base_url=serving.rest, timeout=_BUILD_SECONDS) as client:
        for name in sites:
            (await client.post(f"/sync/default/component/{name}")).raise_for_status()
        yield serving.rest


@pytest_asyncio.fixture(loop_scope="module")
async def victim(browser: Browser, origin: str) -> AsyncIterator[Tab]:
    """The tab of somebody who opens the hostile page."""
    async with tab(browser, origin) as opened:
        yield opened


async def test_hostile_page_reaches_nothing_but_its_own_site(victim: Tab, origin: str) -> None:
    outcomes = await _attack(victim, origin)
    reached = {name for name, outcome in outcomes.items() if outcome.startswith("got ")}
    assert reached == _ALLOWED, outcomes
    assert not [outcome for outcome in outcomes.values() if _SECRET in outcome]
    # The form would be answered in a window of its own.
    assert not [url for url in victim.answers if "/sync/" in url]


async def test_every_attempt_succeeds_without_the_policies(victim: Tab, origin: str) -> None:
    async def without_policies(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        headers = {name: value for name, value in answer.headers.items() if name not in _POLICIES}
        await route.fulfill(response=answer, headers=headers)

    await victim.context.route(f"{origin}/**", without_policies)
    outcomes = await _attack(victim, origin)
    refused = {name for name, outcome in outcomes.items() if not outcome.startswith("got ")}
    assert refused == set(), outcomes
    secrets = {name for name, outcome in outcomes.items() if _SECRET in outcome}
    assert secrets == {name for name in outcomes if name.startswith("neighbour ")} - _WITHOUT_SECRET


async def _attack(victim: Tab, origin: str) -> dict[str, str]:
    await victim.page.goto(f"{origin}/docs/default/component/hostile/")
    outcomes: dict[str, str] = await victim.page.evaluate("attack()")
    return outcomes
