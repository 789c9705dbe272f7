"""What is refused before or instead of being served: names, bodies, headers, parameters and methods that do not fit."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from tests.conformance.problems import check_problem, detail
from tests.conformance.raw_http import exchange, request
from tests.support.published import MOUNT, Catalog, Deployment, deployed, site_path

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
BUILD = b'{"entity":{"kind":"component","name":"demo"}}'
JSON = {"content-type": "application/json"}
ENTITY_ROUTES = [
    ("GET", "/metadata/techdocs/{}"),
    ("GET", "/metadata/entity/{}"),
    ("GET", "/docs/{}"),
    ("GET", "/docs/{}/index.html"),
    ("GET", "/sync/{}"),
    ("POST", "/sync/{}"),
    ("GET", "/v1/sites/{}"),
    ("DELETE", "/v1/sites/{}"),
    ("POST", "/v1/sites/{}:rollback"),
    ("GET", "/v1/sites/{}/revisions"),
    ("GET", "/v1/sites/{}/contents"),
    ("GET", "/v1/sites/{}/content/index.html"),
]
BAD_ENTITIES = {
    "default/component/-demo": "entity.name",
    "default/component/demo-": "entity.name",
    "default/component/de%20mo": "entity.name",
    "default/component/d%C3%A9mo": "entity.name",
    "default/component/de'mo": "entity.name",
    f"default/component/{'x' * 64}": "entity.name",
    "default/1component/demo": "entity.kind",
    "default/com-ponent/demo": "entity.kind",
    "-default/component/demo": "entity.namespace",
    "de.fault/component/demo": "entity.namespace",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("refusals")
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    async with deployed(folder, catalog) as running:
        await running.sync("demo")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(service: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.rest, timeout=30) as connected:
        yield connected


def violations(answer: httpx.Response) -> Mapping[str, str]:
    return {each["field"]: each["description"] for each in detail(answer, "BadRequest")["fieldViolations"]}


@pytest.mark.parametrize(("entity", "field"), BAD_ENTITIES.items())
async def test_bad_entity_is_refused_by_field_everywhere(client: httpx.AsyncClient, entity: str, field: str) -> None:
    for method, template in ENTITY_ROUTES:
        path = template.format(entity)
        body = {"revision": "0" * 64} if path.endswith(":rollback") else None
        answer = await client.request(method, path, json=body)
        check_problem(answer, status=400, reason="FIELD_INVALID", code="INVALID_ARGUMENT", method=method, url=path)
        assert set(violations(answer)) == {field}


@pytest.mark.parametrize("entity", BAD_ENTITIES)
async def test_bad_entity_has_no_pages_for_backstage(client: httpx.AsyncClient, entity: str) -> None:
    answer = await client.get(f"/static/docs/{entity}/index.html")
    assert answer.status_code == 404, "its reader takes any other status for a page"


@pytest.mark.parametrize(
    ("path", "parameter", "hint"),
    [
        ("/v1/builds?page_sze=3", "page_sze", "page_size"),
        ("/v1/builds?pagesize=3", "pagesize", "page_size"),
        ("/v1/builds?entity.nmae=x", "entity.nmae", "entity.name"),
        ("/v1/builds?state=1", "state", "states"),
        ("/v1/builds?entity=x", "entity", "entity.namespace"),
        ("/v1/sites?flter=x", "flter", ""),
        ("/v1/sites/default/component/demo?x=1", "x", ""),
        ("/v1/sites/default/component/demo?entity.name=other", "entity.name", "path"),
        ("/v1/capabilities?verbose=true", "verbose", ""),
        ("/metadata/techdocs/default/component/demo?cache=no", "cache", ""),
        ("/sync/default/component/demo?forced=true", "forced", "force"),
    ],
)
@pytest.mark.parametrize("mount", ["", MOUNT])
async def test_unknown_parameter_is_named(
    client: httpx.AsyncClient, mount: str, path: str, parameter: str, hint: str
) -> None:
    answer = await client.get(mount + path)
    if mount and path.startswith(("/metadata/", "/sync/")):
        assert answer.status_code == 200, "Backstage's own paths have no queries, and pass any over"
        return
    check_problem(answer, status=400, reason="FIELD_INVALID", code="INVALID_ARGUMENT", url=path)
    ((named, text),) = violations(answer).items()
    assert named == parameter
    assert hint in text
    assert parameter in answer.json()["error"]["message"]


@pytest.mark.parametrize("query", ["?h=word", "?v=2&entity.name=other", "?path=../secret", "?readOffset=5", "?%ff=%zz"])
async def test_parameters_of_pages_are_their_own_business(client: httpx.AsyncClient, query: str) -> None:
    for path in (site_path(path="index.html"), site_path(below="static/docs", path="index.html")):
        plain, with_query = await client.get(path), await client.get(path + query)
        assert (with_query.status_code, with_query.content) == (200, plain.content)


@pytest.mark.parametrize(
    "character", ["\x01", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\\", "\xa0", "é", ":", "%"], ids=repr
)
async def test_document_says_which_characters_a_path_may_have(client: httpx.AsyncClient, character: str) -> None:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    for template in ("/docs/{namespace}/{kind}/{name}/{path}", "/v1/sites/{namespace}/{kind}/{name}/content/{path}"):
        parameters = document["paths"][template]["get"]["parameters"]
        (schema,) = [parameter["schema"] for parameter in parameters if parameter["name"] == "path"]
        path = f"a{character}b"
        answer = await client.get(
            template.format(namespace="default", kind="component", name="demo", path=quote(path)),
            headers={"accept": "application/json"},
        )
        assert answer.status_code == (404 if re.search(schema["pattern"], path) else 400)


@pytest.mark.parametrize(
    ("body", "headers", "status", "named"),
    [
        (b"{", JSON, 400, "body"),
        (b"[]", JSON, 400, "body"),
        (b'"text"', JSON, 400, "body"),
        (b"null", JSON, 400, "body"),
        (b'{"entity":{"kind":"component","name":"demo"}} trailing', JSON, 400, "body"),
        (b'{"force":true,"force":false}', JSON, 400, "body"),
        (b'{"force":NaN}', JSON, 400, "body"),
        (b'{"entity":' + b'{"entity":' * 100_000, JSON, 400, "body"),
        (b'{"entity":"\xff"}', JSON, 400, "body"),
        (b'{"entity":{"kind":"component","name":"demo"},"forse":true}', JSON, 400, "forse"),
        (b'{"entity":{"kind":"component","nane":"demo"}}', JSON, 400, "entity.nane"),
        (b'{"entity":{"kind":7,"name":"demo"}}', JSON, 400, "entity.kind"),
        (b'{"entity":{"kind":"component","name":"demo"},"force":"yes"}', JSON, 400, "force"),
        (b'{"entity":{"kind":"component","name":"demo"},"requestId":"no-uuid"}', JSON, 400, "request_id"),
        (b"{}", JSON, 400, "entity"),
        (b"", JSON, 400, "entity"),
        (BUILD, {"content-type": "text/xml"}, 415, ""),
        (BUILD, {"content-type": "application/x-www-form-urlencoded"}, 415, ""),
        (BUILD, {"content-type": "application/json; charset=utf-16"}, 415, ""),
        (BUILD, {**JSON, "content-encoding": "gzip"}, 415, ""),
    ],
)
async def test_body_that_does_not_fit_is_refused_by_name(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int, named: str
) -> None:
    answer = await client.post("/v1/builds", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["response"] == {"statusCode": status}
    if named:
        assert named in violations(answer)


@pytest.mark.parametrize("path", ["/v1/builds", "/sync/default/component/demo", "/docs/default/component/demo"])
async def test_body_over_the_limit_is_refused_announced_or_not(service: Deployment, path: str) -> None:
    method = "GET" if path.startswith("/docs") else "POST"
    # Announced and never sent; sent in chunks without announcing; a length beyond all numbers.
    announced = request(path, "content-type: application/json", f"content-length: {MIB + 1}", method=method)
    chunks = request(path, "content-type: application/json", "transfer-encoding: chunked", method=method)
    chunks += b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    chunks += (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 16 + b"0\r\n\r\n"
    endless = request(path, "content-type: application/json", f"content-length: {'9' * 18}", method=method)
    for sent in (announced, chunks, endless):
        answer = await exchange(service.address, sent)
        assert answer.status == 413
        assert json.loads(answer.body)["error"]["code"] == 413


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        (["authorization: Bearer " + "x" * 7000], {431}),
        (["authorization: Bearer \xe9"], {400}),
        (["if-none-match: " + ", ".join(['"x"'] * 20_000)], {200, 400, 431}),
        (["range: bytes=" + ",".join(["0-0"] * 20_000)], {200, 400, 431}),
        (["accept: " + ",".join(["text/html;q=0.5"] * 10_000)], {200, 400, 431}),
        (["x-filler: " + "x" * 300_000], {200, 400, 431}),
        ([f"x-filler-{number}: {'x' * 1000}" for number in range(500)], {200, 400, 431}),
        (["content-length: 1", "content-length: 2"], {400}),
        (["content-length: -1"], {400}),
        (["transfer-encoding: chunked", "content-length: 5"], {400}),
        (["no colon"], {400}),
        (["host: elsewhere.test"], {200, 400}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_odd_headers_are_no_defect_of_ours(service: Deployment, headers: list[str], statuses: set[int]) -> None:
    sent = request("/docs/default/component/demo/index.html", *headers)
    answer = await exchange(service.address, sent.decode().encode("latin-1"))
    assert answer.status in statuses
    after = await exchange(service.address, request("/readyz"))
    assert after.status == 200


async def test_every_other_method_is_405_with_those_that_are_known(client: httpx.AsyncClient) -> None:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    for template, item in document["paths"].items():
        path = template.replace("{path}", "index.html").replace("{revision}", "0" * 64).replace("{build}", "b")
        path = path.format(namespace="default", kind="component", name="demo")
        known = {method.upper() for method in item}
        known |= {"HEAD"} if "GET" in known else set()
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"} - known:
            answer = await client.request(method, path)
            assert answer.status_code == 405, f"{method} {path}"
            assert set(answer.headers["allow"].split(", ")) == known | {"OPTIONS"}
            assert answer.json()["error"]["code"] == 405
        options = await client.options(path)
        assert (options.status_code, options.content) == (204, b"")
        assert set(options.headers["allow"].split(", ")) == known | {"OPTIONS"}


@pytest.mark.parametrize(
    "path", ["/", MOUNT, "/api", "/v1", "/v2/sites", "/docs", "/docs/default", "/static", "/favicon.ico"]
)
async def test_unknown_path_is_404_in_the_common_form(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["name"] == "NotFoundError"
    assert answer.json()["request"] == {"method": "GET", "url": "/" if path == MOUNT else path}
