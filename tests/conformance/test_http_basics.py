"""What HTTP itself asks of the answers: validators, lengths, redirects, policies, pages for what is missing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from tests.conformance.problems import check_problem
from tests.conformance.processes import output_of
from tests.support.published import BIG_BYTES, MOUNT, Catalog, Deployment, deployed, site_path

pytestmark = pytest.mark.asyncio(loop_scope="module")

INDEX = site_path()
PAGE = site_path(path="guide/start/index.html")
DIRECTORY = site_path(path="guide/start")
JSON_DOCUMENTS = [
    "/metadata/techdocs/default/component/demo",
    "/metadata/entity/default/component/demo",
    "/v1/sites/default/component/demo",
    "/v1/capabilities",
    "/openapi.json",
]
CONDITIONAL = [PAGE, f"/static{PAGE}", site_path(path="assets/picture.svg"), *JSON_DOCUMENTS]
NAVIGATION = {"sec-fetch-mode": "navigate", "accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("http")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo", big=True)
    async with deployed(folder, catalog) as running:
        await running.sync("demo")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(service: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    # Whoever takes codings gets another representation as soon as it is made; `test_reading_as_http` sees to those.
    headers = {"accept-encoding": "identity"}
    async with httpx.AsyncClient(base_url=service.rest, headers=headers, timeout=30) as connected:
        yield connected


@pytest.mark.parametrize("path", CONDITIONAL)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_held_tag_gets_304_without_a_body(client: httpx.AsyncClient, path: str, form: str) -> None:
    first = await client.get(path)
    etag = first.headers["etag"]
    assert re.fullmatch(r'"[!#-~]+"', etag), "a strong tag in quotes"
    for method in ("GET", "HEAD"):
        again = await client.request(method, path, headers={"if-none-match": form.format(etag)})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        # Documents of the API depend on the caller, or may.
        policy = "private, no-cache" if path in JSON_DOCUMENTS and path != "/openapi.json" else "no-cache"
        assert again.headers["cache-control"] == first.headers["cache-control"] == policy
        assert "content-type" not in again.headers


@pytest.mark.parametrize("path", CONDITIONAL)
async def test_tag_of_another_version_gets_the_whole(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"if-none-match": '"of-another-version"'})
    assert answer.status_code == 200
    assert answer.content


@pytest.mark.parametrize("path", [*CONDITIONAL, site_path(path="assets/big.bin")])
async def test_length_is_announced_and_kept(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"accept-encoding": "identity"})
    assert int(answer.headers["content-length"]) == len(answer.content) > 0
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=-5", BIG_BYTES - 5, BIG_BYTES - 1),
        (f"bytes={BIG_BYTES - 2}-", BIG_BYTES - 2, BIG_BYTES - 1),
        (f"bytes=1000000-{10**15}", 1_000_000, BIG_BYTES - 1),
    ],
)
async def test_range_is_answered_with_that_part(client: httpx.AsyncClient, header: str, first: int, last: int) -> None:
    answer = await client.get(site_path(path="assets/big.bin"), headers={"range": header})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{BIG_BYTES}"
    assert answer.content == (bytes(range(256)) * (BIG_BYTES // 256))[first : last + 1]


async def test_resumed_download_is_the_whole_file(client: httpx.AsyncClient) -> None:
    path = site_path(path="assets/big.bin")
    begun = await client.get(path, headers={"range": "bytes=0-999999"})
    resume = {"range": "bytes=1000000-", "if-range": begun.headers["etag"]}
    rest = await client.get(path, headers=resume)
    assert rest.status_code == 206
    assert begun.content + rest.content == (await client.get(path)).content
    changed = await client.get(path, headers={**resume, "if-range": '"of-another-version"'})
    assert (changed.status_code, len(changed.content)) == (200, BIG_BYTES)


async def test_missing_page_is_the_site_s_own_page_for_people(client: httpx.AsyncClient) -> None:
    own = await client.get(site_path(path="404.html"))
    answer = await client.get(site_path(path="no/such/page/"), headers={"accept": NAVIGATION["accept"]})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    # MkDocs makes the links of this page for a site at the root of its host; all but those are as they are.
    assert answer.text != own.text
    assert answer.text.replace(f'"{site_path().rstrip("/")}/', '"/') == own.text
    assert "etag" not in answer.headers
    assert answer.headers["vary"] == "accept-encoding, accept"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (site_path(path="no/such/page/"), "application/json"),
        (site_path(path="no/such.png"), "image/avif,image/webp,*/*;q=0.8"),
        (site_path(below="static/docs", path="no/such/page/index.html"), "text/html"),
        (site_path("nobody"), "text/html"),
    ],
)
async def test_missing_page_is_json_for_programs(client: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(path, headers={"accept": accept})
    reason = "SITE_NOT_FOUND" if "nobody" in path else "CONTENT_NOT_FOUND"
    check_problem(answer, status=404, reason=reason, code="NOT_FOUND", url=path)


@pytest.mark.parametrize("mount", ["", MOUNT])
@pytest.mark.parametrize("query", ["", "?h=word"])
async def test_navigation_to_a_directory_gets_its_slash(client: httpx.AsyncClient, mount: str, query: str) -> None:
    for path in (INDEX, DIRECTORY):
        answer = await client.get(f"{mount}{path}{query}", headers=NAVIGATION)
        assert answer.status_code == 308
        assert answer.headers["location"] == f"{mount}{path}/{query}"
        assert answer.headers["vary"] == "sec-fetch-mode"
        followed = await client.get(answer.headers["location"], headers=NAVIGATION)
        assert followed.status_code == 200


async def test_programs_get_a_directory_without_a_redirect(client: httpx.AsyncClient) -> None:
    bare, slashed = await client.get(DIRECTORY), await client.get(f"{DIRECTORY}/")
    assert (bare.status_code, bare.content) == (200, slashed.content)


@pytest.mark.parametrize(
    ("path", "media_type", "static_type"),
    [
        ("index.html", "text/html; charset=utf-8", "text/plain; charset=utf-8"),
        ("assets/picture.svg", "image/svg+xml", "text/plain; charset=utf-8"),
        ("sitemap.xml", "application/xml", "text/plain; charset=utf-8"),
        ("assets/data.json", "application/json; charset=utf-8", "application/json; charset=utf-8"),
        ("assets/notes.txt", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
    ],
)
async def test_same_file_has_a_safe_type_below_static(
    client: httpx.AsyncClient, path: str, media_type: str, static_type: str
) -> None:
    shown, static = await client.get(site_path(path=path)), await client.get(site_path(below="static/docs", path=path))
    assert shown.headers["content-type"].split(";")[0] == media_type.split(";")[0]
    assert static.headers["content-type"] == static_type
    assert shown.content == static.content
    assert shown.headers["etag"] == static.headers["etag"]


@pytest.mark.parametrize("path", [PAGE, f"/static{PAGE}", *JSON_DOCUMENTS, "/healthz", "/readyz", "/no/such/path"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_no_answer_is_without_its_policies(client: httpx.AsyncClient, path: str, method: str) -> None:
    headers = (await client.request(method, path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", headers["x-request-id"])
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_page_s_policy_names_its_own_site_and_no_more(client: httpx.AsyncClient) -> None:
    answer = await client.get(MOUNT + PAGE)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    site = f"{urlsplit(str(client.base_url)).netloc}{MOUNT}/docs/default/component/demo/"
    for directive in ("connect-src", "worker-src", "frame-src", "form-action"):
        own = [source for source in policy[directive].split() if not source.startswith("https://")]
        assert own == [site], directive
    assert "sandbox" in (await client.get(f"/static{PAGE}")).headers["content-security-policy"]


async def test_address_of_a_revision_is_immutable(client: httpx.AsyncClient) -> None:
    current = await client.get(PAGE)
    revision = current.headers["x-techdocs-revision"]
    pinned = await client.get(PAGE, params={"revision": revision})
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.headers["x-techdocs-revision"] == revision
    assert pinned.content == current.content


async def test_request_id_of_the_client_is_kept_when_it_is_one(client: httpx.AsyncClient) -> None:
    given = await client.get("/healthz", headers={"x-request-id": "from-the-client-1"})
    assert given.headers["x-request-id"] == "from-the-client-1"
    refused = await client.get("/healthz", headers={"x-request-id": "has spaces; and more"})
    assert re.fullmatch(r"[0-9a-f-]{36}", refused.headers["x-request-id"])


async def test_openapi_document_is_what_the_command_prints(client: httpx.AsyncClient) -> None:
    printed = json.loads(await output_of(sys.executable, "-m", "techdocs_server", "openapi"))
    for path in ("/openapi.json", f"{MOUNT}/openapi.json"):
        served = (await client.get(path)).json()
        assert served.pop("servers") == [{"url": MOUNT}]
        assert served == {key: value for key, value in printed.items() if key != "servers"}
