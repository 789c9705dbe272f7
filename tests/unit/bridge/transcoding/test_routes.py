from __future__ import annotations

import pytest
from techdocs_bridge.transcoding.path_template import PathInvalid, TemplateInvalid
from techdocs_bridge.transcoding.routes import Found, NoRoute, Route, RouteInvalid, RouteTable, WrongMethod, services

from tests.unit.bridge.transcoding.fresh_contract import contract_of, everything, rpc

MOUNT = "/api/techdocs"
ENTITY = {"entity.namespace": "default", "entity.kind": "component", "entity.name": "shop"}


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return RouteTable.from_services(services())


def found(table: RouteTable, http_method: str, path: bytes) -> tuple[str, dict[str, str]]:
    match = table.find(http_method, path, mount=MOUNT)
    assert isinstance(match, Found), match
    return match.route.operation.operation_id, match.variables


@pytest.mark.parametrize("mount", [b"", b"/api/techdocs"])
@pytest.mark.parametrize(
    ("http_method", "path", "operation", "variables"),
    [
        ("GET", b"/metadata/techdocs/default/component/shop", "getTechDocsMetadata", ENTITY),
        ("GET", b"/metadata/entity/default/component/shop", "getEntityMetadata", ENTITY),
        ("GET", b"/docs/default/component/shop", "getTechDocsIndex", ENTITY),
        ("GET", b"/docs/default/component/shop/", "getTechDocsIndex", ENTITY),
        ("GET", b"/docs/default/component/shop/guide/", "getTechDocsPage", ENTITY | {"path": "guide/"}),
        ("GET", b"/docs/default/component/shop/a/b.html", "getTechDocsPage", ENTITY | {"path": "a/b.html"}),
        ("HEAD", b"/docs/default/component/shop/a/b.html", "getTechDocsPage", ENTITY | {"path": "a/b.html"}),
        ("GET", b"/static/docs/default/component/shop/a.css", "getStaticTechDocs", ENTITY | {"path": "a.css"}),
        ("GET", b"/static/docs/default/component/shop", "getStaticTechDocs", ENTITY | {"path": ""}),
        ("GET", b"/sync/default/component/shop", "streamTechDocsSync", ENTITY),
        ("POST", b"/sync/default/component/shop", "syncTechDocs", ENTITY),
        ("GET", b"/v1/builds", "listBuilds", {}),
        ("POST", b"/v1/builds/", "createBuild", {}),
        ("GET", b"/v1/builds/7", "getBuild", {"name": "builds/7"}),
        ("POST", b"/v1/builds/7:cancel", "cancelBuild", {"name": "builds/7"}),
        ("POST", b"/v1/builds/7:cancel/", "cancelBuild", {"name": "builds/7"}),
        ("POST", b"/v1/builds/7:%63ancel", "cancelBuild", {"name": "builds/7"}),
        ("GET", b"/v1/builds/7%3Acancel", "getBuild", {"name": "builds/7:cancel"}),
        ("GET", b"/v1/builds/7%3Awatch", "getBuild", {"name": "builds/7:watch"}),
        ("GET", b"/v1/builds/7:watch", "watchBuild", {"name": "builds/7"}),
        ("POST", b"/v1/sites/default/component/shop:rollback", "rollbackSite", ENTITY),
        ("GET", b"/v1/sites/default/component/shop/contents", "listContents", ENTITY),
        ("GET", b"/v1/sites/default/component/shop/content/x", "getContent", ENTITY | {"path": "x"}),
        ("GET", b"/v1/sites/default/component/shop/revisions/0f", "getRevision", ENTITY | {"revision": "0f"}),
    ],
)
def test_the_contract_routes_these_requests(
    table: RouteTable, mount: bytes, http_method: str, path: bytes, operation: str, variables: dict[str, str]
) -> None:
    assert found(table, http_method, mount + path) == (operation, variables)


@pytest.mark.parametrize(
    "name", ["a:cancel", "a:watch", "a:rollback", "a:b:cancel", ":cancel", "cancel:", "12:30.html"]
)
def test_a_file_name_may_hold_a_colon_and_the_word_of_a_verb(table: RouteTable, name: str) -> None:
    assert found(table, "GET", f"/docs/default/component/shop/{name}".encode())[1]["path"] == name


def test_an_unknown_verb_is_part_of_the_last_segment(table: RouteTable) -> None:
    assert found(table, "GET", b"/v1/builds/7:explode") == ("getBuild", {"name": "builds/7:explode"})


@pytest.mark.parametrize(
    ("http_method", "path", "allow"),
    [
        ("PUT", b"/sync/default/component/shop", ("GET", "HEAD", "POST")),
        ("POST", b"/docs/default/component/shop/x", ("GET", "HEAD")),
        ("OPTIONS", b"/v1/builds", ("GET", "HEAD", "POST")),
        ("GET", b"/v1/builds/7:cancel", ("POST",)),
        ("PATCH", b"/v1/sites/default/component/shop", ("DELETE", "GET", "HEAD")),
        ("get", b"/v1/builds", ("GET", "HEAD", "POST")),
    ],
)
def test_a_known_path_with_another_method_says_what_is_allowed(
    table: RouteTable, http_method: str, path: bytes, allow: tuple[str, ...]
) -> None:
    assert table.find(http_method, path, mount=MOUNT) == WrongMethod(allow)


@pytest.mark.parametrize(
    "path", [b"/", b"/api", b"/api/techdocs", b"/api/techdocs/", b"/docs", b"/docs/default/component/", b"/v2/builds",
             b"/api/techdocs/api/techdocs/v1/builds", b"/V1/builds", b"/v1/builds/7/8", b"/:cancel"],
)  # fmt: skip
def test_an_unknown_path_has_no_route(table: RouteTable, path: bytes) -> None:
    assert table.find("GET", path, mount=MOUNT) == NoRoute()


@pytest.mark.parametrize("path", [b"/API/techdocs/v1/builds", b"/api/TechDocs/V1/Builds/", b"/api/techdocs/v1/buildS"])
def test_the_mount_and_what_is_below_it_may_be_in_any_case(table: RouteTable, path: bytes) -> None:
    assert isinstance(table.find("GET", path, mount=MOUNT), Found)


@pytest.mark.parametrize("path", [b"/api/techdocs/docs/a/b/c/..%2f..%2fsecret", b"/api/%2e%2e/docs/a/b/c", b"/%zz"])
def test_a_hostile_path_is_refused_before_any_route_is_tried(table: RouteTable, path: bytes) -> None:
    with pytest.raises(PathInvalid):
        table.find("GET", path, mount=MOUNT)


def test_a_mount_may_begin_like_a_route() -> None:
    table = contract_of(rpc("Get", 'get: "/docs/{name}"')).table
    for path in (b"/docs/x", b"/docs/docs/x"):
        match = table.find("GET", path, mount="/docs")
        assert isinstance(match, Found)
        assert match.variables == {"name": "x"}


def test_without_a_mount_paths_are_taken_as_they_are(table: RouteTable) -> None:
    for mount in ("", "/"):
        assert isinstance(table.find("GET", b"/v1/builds", mount=mount), Found)
        assert isinstance(table.find("GET", b"/api/techdocs/v1/builds", mount=mount), NoRoute)


def test_the_most_specific_template_wins_whatever_the_order_in_the_contract() -> None:
    contract = contract_of(
        rpc("Rest", 'get: "/{name=**}"'),
        rpc("One", 'get: "/a/{name}"'),
        rpc("Fixed", 'get: "/a/b"'),
        rpc("Head", 'custom: {kind: "HEAD" path: "/a/b"}'),
        rpc("Write", 'post: "/a/{name}"'),
    )
    table = contract.table
    assert found(table, "GET", b"/a/b")[0] == "fixed"
    assert found(table, "HEAD", b"/a/b")[0] == "head"
    assert found(table, "GET", b"/a/c")[0] == "one"
    assert found(table, "HEAD", b"/a/c")[0] == "one"
    assert found(table, "POST", b"/a/b")[0] == "write"
    assert found(table, "GET", b"/x/y/z")[0] == "rest"
    assert found(table, "GET", b"/")[0] == "rest"


def test_a_custom_kind_may_leave_the_method_open() -> None:
    table = contract_of(rpc("Any", 'custom: {kind: "*" path: "/a"}'), rpc("Get", 'get: "/a"')).table
    assert found(table, "GET", b"/a")[0] == "get"
    assert found(table, "BREW", b"/a")[0] == "any"


def test_a_route_knows_its_rpc() -> None:
    routes = {route.operation.operation_id: route for route in RouteTable.from_services(services())}
    page = routes["getTechDocsPage"]
    assert page.full_name == "techdocs.v1.DocsService.ReadContent"
    assert page.grpc_path == "/techdocs.v1.DocsService/ReadContent"
    assert (page.server_streaming, page.idempotent, page.binding, page.response_body) == (True, True, 1, "body")
    create = routes["createBuild"]
    assert (create.server_streaming, create.idempotent, create.body) == (False, False, "*")
    assert routes["syncTechDocs"].idempotent


def test_every_service_of_the_contract_is_found() -> None:
    assert {service.name for service in services()} >= {
        "BuildService", "CapabilitiesService", "DocsService", "SiteService",
    }  # fmt: skip


def test_a_method_without_an_annotation_has_no_route() -> None:
    assert "NotOnTheWeb" not in {route.method.name for route in everything().table}


def test_an_operation_is_named_after_its_method_when_the_contract_names_none() -> None:
    routes: dict[tuple[str, int], Route] = {(r.method.name, r.binding): r for r in everything().table}
    assert routes["Count", 0].operation.operation_id == "count"
    assert routes["Count", 1].operation.operation_id == "count2"
    assert routes["Count", 1].operation.tag == "Everything"
    assert routes["Count", 1].http_method == "PURGE"


@pytest.mark.parametrize(
    ("rpcs", "complaint"),
    [
        ([rpc("A", 'get: "/a/{name}"'), rpc("B", 'get: "/a/{inner.id}"')], "method and path"),
        ([rpc("Same", 'get: "/a"'), rpc("same", 'get: "/b"')], "operation id"),
        ([rpc("A", 'get: "/a"', request="stream Thing")], "stream of requests"),
        ([rpc("A", 'body: "*"')], "without a pattern"),
        ([rpc("A", 'custom: {path: "/a"}')], "without a kind"),
        ([rpc("A", 'get: "/{nothing}"')], "'nothing', which"),
        ([rpc("A", 'get: "/{name.id}"')], "inside something that is no message"),
        ([rpc("A", 'get: "/{inner.nothing}"')], "'nothing', which"),
        ([rpc("A", 'get: "/{inner}"')], "singular primitive"),
        ([rpc("A", 'get: "/{tags}"')], "singular primitive"),
        ([rpc("A", 'get: "/{labels}"')], "singular primitive"),
        ([rpc("A", 'get: "/{made_by}"')], "singular primitive"),
        ([rpc("A", 'post: "/a" body: "nothing"')], "'nothing', which"),
        ([rpc("A", 'get: "/a" response_body: "nothing"')], "'nothing', which"),
        (
            [rpc("A", 'get: "/a" additional_bindings {get: "/b" additional_bindings {get: "/c"}}')],
            "nests additional_bindings",
        ),
    ],
)
def test_a_contract_that_cannot_be_served_stops_the_start(rpcs: list[str], complaint: str) -> None:
    with pytest.raises(RouteInvalid, match=complaint):
        _ = contract_of(*rpcs).table


def test_a_template_that_breaks_the_grammar_stops_the_start() -> None:
    with pytest.raises(TemplateInvalid):
        _ = contract_of(rpc("A", 'get: "a"')).table
