"""Paths that mean something else than they say, on every route to content and in every spelling.

None may be answered with anything but 400 or 404, and none with a byte of a file
that the site does not have. Requests go out by hand, because libraries tidy paths up.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from techdocs.v1 import docs_pb2, docs_pb2_grpc, entity_pb2

from tests.conformance.raw_http import RawAnswer, exchange, request
from tests.conformance.unsafe_paths import RAW, STRANGE_OVER_GRPC, UNSAFE, UNSAFE_OVER_GRPC
from tests.support.published import MOUNT, PAGES, SECRET, Catalog, Deployment, deployed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTITY = "/default/component/demo/"
CONTENT_ROUTES = {"docs": f"/docs{ENTITY}", "static": f"/static/docs{ENTITY}", "v1": f"/v1/sites{ENTITY}content/"}
ROUTES = {f"{name}{mount}": mount + path for name, path in CONTENT_ROUTES.items() for mount in ("", MOUNT)}
ROUTES["static in capitals"] = f"/API/TechDocs/STATIC/Docs{ENTITY}"
OTHER_ROUTES = {
    "site metadata": "/metadata/techdocs/default/component/",
    "entity metadata": "/metadata/entity/default/component/",
    "sync": "/sync/default/component/",
    "site": "/v1/sites/default/component/",
    "tokens": "/.backstage/auth/v1/",
    "health": "/.backstage/health/v1/",
    "root": "/",
}
METHODS = ("TRACE", "PROPFIND", "PUT", "PATCH", "DELETE", "MKCOL", "LOCK", "LINK", "SEARCH", "PURGE", "M-SEARCH")
FOREIGN = (SECRET.encode(), b"root:x:", b"SQLite format")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("unsafe")
    (folder / "secret.txt").write_text(SECRET)
    catalog = Catalog(folder / "catalog")
    catalog.add("demo")
    catalog.add("other", {**PAGES, "secret.txt": SECRET})
    async with deployed(folder, catalog) as running:
        await running.sync("demo", "other")
        (running.data / "secret.txt").write_text(SECRET)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def docs(service: Deployment) -> AsyncIterator[docs_pb2_grpc.DocsServiceAsyncStub]:
    async with grpc.aio.insecure_channel(service.server.grpc) as channel:
        yield docs_pb2_grpc.DocsServiceStub(channel)


def check_refused(answer: RawAnswer, *, kept_from: str) -> None:
    assert answer.status == 404 if kept_from.startswith("static") else answer.status in (400, 404)
    assert answer.is_complete
    assert not [foreign for foreign in FOREIGN if foreign in answer.body]
    if answer.header("content-type") == "application/json":
        assert json.loads(answer.body)["response"] == {"statusCode": answer.status}


@pytest.mark.parametrize(
    "suffix", UNSAFE, ids=lambda suffix: suffix[:40].decode("latin-1").encode("unicode_escape").decode()
)
async def test_unsafe_path_is_400_or_404_on_every_route(service: Deployment, suffix: bytes) -> None:
    for name, route in ROUTES.items():
        for accept in ("text/html", "application/json"):
            answer = await exchange(service.address, request(route.encode() + suffix, f"accept: {accept}"))
            check_refused(answer, kept_from=name)


@pytest.mark.parametrize("route", OTHER_ROUTES.values(), ids=OTHER_ROUTES)
async def test_unsafe_path_is_refused_where_no_content_is(service: Deployment, route: str) -> None:
    for mount in ("", MOUNT, MOUNT.upper()):
        for suffix in UNSAFE:
            answer = await exchange(service.address, request((mount + route).encode() + suffix, "accept: */*"))
            assert answer.status in (400, 404), (suffix, answer)
            assert answer.is_complete
            assert not [foreign for foreign in FOREIGN if foreign in answer.body]
            error = json.loads(answer.body)
            assert error["response"] == {"statusCode": answer.status}
            assert error["error"]["name"] in ("InputError", "NotFoundError")


@pytest.mark.parametrize("method", METHODS)
async def test_other_method_never_gets_content(service: Deployment, method: str) -> None:
    for route in [*ROUTES.values(), *(MOUNT + other for other in OTHER_ROUTES.values())]:
        for suffix in ("index.html", "../secret.txt"):
            answer = await exchange(service.address, request(route + suffix, "content-length: 0", method=method))
            assert answer.status in (400, 404, 405), (route, answer)
            assert b"<html" not in answer.body
            assert json.loads(answer.body)["response"] == {"statusCode": answer.status}


@pytest.mark.parametrize(
    "suffix", [b"..%5cother", b"%2e%2e/%2e%2e/x", b"../../x", b"a%00", b"%zz", b"a//b", b"..%2f.."]
)
async def test_unsafe_static_path_is_told_in_backstages_words(service: Deployment, suffix: bytes) -> None:
    answer = await exchange(service.address, request(f"{MOUNT}/static/docs/Default/Component/Demo/".encode() + suffix))
    assert (answer.status, json.loads(answer.body)["error"]["message"]) == (
        404,
        "Content not found for component:default/demo",
    )


@pytest.mark.parametrize("suffix", RAW, ids=repr)
async def test_bytes_that_are_no_target_are_refused(service: Deployment, suffix: bytes) -> None:
    for route in ROUTES.values():
        answer = await exchange(service.address, request(route.encode() + suffix))
        assert answer.status in (400, 404)
        assert not [foreign for foreign in FOREIGN if foreign in answer.body]


@pytest.mark.parametrize(
    "target",
    [
        "/docs/default/component/../component/other/secret.txt",
        "/docs/default/component/demo/../other/secret.txt",
        "/docs/default/component/demo/%2e%2e/other/secret.txt",
        "/docs/default/component/demo%2f..%2fother/secret.txt",
        "/docs/default/component%2fother/secret.txt",
        "/docs/default%2fcomponent%2fother/secret.txt",
        "/docs//default/component/other/secret.txt",
        "/docs/./default/component/other/secret.txt",
        "//docs/default/component/other/secret.txt",
        "/static/../docs/default/component/other/secret.txt",
        "/v1/../docs/default/component/other/secret.txt",
        f"{MOUNT}/../docs/default/component/other/secret.txt",
        f"{MOUNT}%2fdocs/default/component/other/secret.txt",
        "/docs/default/component/other%00/secret.txt",
        "/docs/default/component/other%20/secret.txt",
        "/docs/default/component/%6fther%2f/secret.txt",
        "/secret.txt",
        "/data/secret.txt",
        "/..%2fsecret.txt",
    ],
)
async def test_no_spelling_of_a_neighbour_leads_to_it(service: Deployment, target: str) -> None:
    """The address of the neighbour's file is answered only when it is spelt as what it is."""
    answer = await exchange(service.address, request(target))
    assert answer.status in (400, 404), answer
    assert not [foreign for foreign in FOREIGN if foreign in answer.body]


async def test_secret_is_what_the_neighbour_serves(service: Deployment) -> None:
    """Without this the tests above could pass because there is nothing to be found."""
    answer = await exchange(service.address, request("/docs/default/component/other/secret.txt"))
    assert (answer.status, answer.body) == (200, SECRET.encode())


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
async def test_safe_escapes_are_the_characters_they_stand_for(service: Deployment, route: str) -> None:
    for suffix in ("gr%C3%B6%C3%9Fe/seite%20eins/index.html", "%69ndex%2Ehtml", "guide/%73tart/", "assets/d%61ta.json"):
        answer = await exchange(service.address, request(route + suffix))
        assert answer.status == 200, (suffix, answer)


async def failure(
    docs: docs_pb2_grpc.DocsServiceAsyncStub, path: str, entity: entity_pb2.EntityRef
) -> list[grpc.aio.AioRpcError]:
    """Return how the two methods that read content refuse a path. Raises `AssertionError` when one does not."""
    with pytest.raises(grpc.aio.AioRpcError) as streamed:
        await docs.ReadContent(docs_pb2.ReadContentRequest(entity=entity, path=path)).read()
    with pytest.raises(grpc.aio.AioRpcError) as unary:
        await docs.GetContent(docs_pb2.GetContentRequest(entity=entity, path=path))
    return [streamed.value, unary.value]


def violations(error: grpc.aio.AioRpcError) -> list[str]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # an AioRpcError has what a finished call has
    assert status is not None
    found = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Is(found.DESCRIPTOR):
            detail.Unpack(found)
    return [violation.field for violation in found.field_violations]


@pytest.mark.parametrize("path", UNSAFE_OVER_GRPC, ids=lambda path: repr(path[:30]))
async def test_unsafe_path_over_grpc_is_an_invalid_field(docs: docs_pb2_grpc.DocsServiceAsyncStub, path: str) -> None:
    for error in await failure(docs, path, entity_pb2.EntityRef(kind="component", name="demo")):
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert set(violations(error)) == {"path"}


@pytest.mark.parametrize("path", STRANGE_OVER_GRPC, ids=repr)
async def test_strange_path_over_grpc_is_not_found(docs: docs_pb2_grpc.DocsServiceAsyncStub, path: str) -> None:
    for error in await failure(docs, path, entity_pb2.EntityRef(kind="component", name="demo")):
        assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
        assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("field", "entity"),
    [
        ("entity.name", entity_pb2.EntityRef(kind="component", name="../other")),
        ("entity.name", entity_pb2.EntityRef(kind="component", name="..")),
        ("entity.name", entity_pb2.EntityRef(kind="component", name="")),
        ("entity.name", entity_pb2.EntityRef(kind="component", name="other\n")),
        ("entity.name", entity_pb2.EntityRef(kind="component", name="x" * 64)),
        ("entity.kind", entity_pb2.EntityRef(kind="", name="other")),
        ("entity.kind", entity_pb2.EntityRef(kind="a/b", name="other")),
        ("entity.namespace", entity_pb2.EntityRef(namespace="a/../default", kind="component", name="other")),
        ("entity.namespace", entity_pb2.EntityRef(namespace=".", kind="component", name="other")),
        ("entity", None),
    ],
)
async def test_bad_entity_over_grpc_is_an_invalid_field(
    docs: docs_pb2_grpc.DocsServiceAsyncStub, field: str, entity: entity_pb2.EntityRef | None
) -> None:
    for calling in (
        docs.GetContent(docs_pb2.GetContentRequest(entity=entity)),
        docs.GetSiteMetadata(docs_pb2.GetSiteMetadataRequest(entity=entity)),
        docs.GetEntityMetadata(docs_pb2.GetEntityMetadataRequest(entity=entity)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calling
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert set(violations(caught.value)) == {field}
