"""Requests that the usual way could tell apart are never one to the cache."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import techdocs_bridge
from techdocs_bridge.page_cache.request_key import CHOOSING_HEADERS, OWN_HEADERS, UNUSUAL_HEADERS, Looked
from techdocs_bridge.page_cache.request_key import look as look_with

_PACKAGE = Path(techdocs_bridge.__file__).parent
_READING = {"get", "getlist"}


def look(request: dict[str, object], *, with_cookie: bool = True) -> Looked | None:
    return look_with(request, with_cookie=with_cookie)


def scope(
    *headers: tuple[bytes, bytes], method: str = "GET", path: bytes = b"/a", query: bytes = b""
) -> dict[str, object]:
    return {
        "type": "http",
        "method": method,
        "raw_path": path,
        "query_string": query,
        "scheme": "http",
        "headers": [(b"host", b"docs.test"), *headers],
    }


def headers_read() -> Iterator[str]:
    """Yield the name of every request header that the bridge's source reads by ``headers.get`` and the like."""
    for module in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READING:
                target, first = ast.unparse(node.func.value), node.args[0] if node.args else None
                if target.endswith("headers") and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_every_header_that_is_read_anywhere_is_known_here() -> None:
    found = set(headers_read())
    assert {"host", "if-none-match", "range"} <= found
    known = {name.decode() for name in (*CHOOSING_HEADERS, *UNUSUAL_HEADERS, *OWN_HEADERS)}
    assert found <= known


@pytest.mark.parametrize("name", CHOOSING_HEADERS)
def test_header_that_chooses_makes_another_request(name: bytes) -> None:
    plain = {**scope(), "headers": []}
    one, other = ({**plain, "headers": [(name, value)]} for value in (b"", b"b"))
    looked = [look(request) for request in (plain, one, other)]
    assert name == b"if-modified-since" or len({found.key for found in looked if found}) == 3


@pytest.mark.parametrize("name", [*CHOOSING_HEADERS, *sorted(OWN_HEADERS)])
def test_header_that_comes_twice_is_unusual(name: bytes) -> None:
    assert look({**scope(), "headers": [(name, b"a"), (name, b"b")]}) is None


@pytest.mark.parametrize("name", sorted(UNUSUAL_HEADERS))
def test_unusual_header_is_left_to_the_usual_way(name: bytes) -> None:
    assert look(scope((name, b"1"))) is None


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "PUT"])
def test_only_reading_methods(method: str) -> None:
    assert look(scope(method=method)) is None


def test_method_path_and_query_make_another_request() -> None:
    requests = [scope(), scope(method="HEAD"), scope(path=b"/b"), scope(query=b"x"), scope(path=b"/%61")]
    keys = {looked.key for looked in map(look, requests) if looked}
    assert len(keys) == len(requests)


def test_cookie_is_the_credential_where_it_counts_and_no_bearer_token_comes() -> None:
    cookie = (b"cookie", b"a=b; backstage-auth=token")
    cases = [
        (look(scope(cookie)), b"Bearer token"),
        (look(scope(cookie), with_cookie=False), b""),
        (look(scope(cookie, (b"authorization", b"Basic x"))), b"Bearer token"),
        (look(scope(cookie, (b"authorization", b"Bearer other"))), b"Bearer other"),
        (look(scope((b"cookie", b"a=b"))), b""),
    ]
    assert [found.credential if found else None for found, _ in cases] == [expected for _, expected in cases]


def test_date_alone_is_left_to_the_usual_way() -> None:
    date = (b"if-modified-since", b"Tue, 24 Nov 2026 00:00:00 GMT")
    assert look(scope(date)) is None
    assert look(scope(date, (b"if-none-match", b'"a"'))) is not None


def test_what_a_proxy_says_depends_on_who_says_it() -> None:
    forwarded = (b"x-forwarded-host", b"backstage.example.com")
    keys = {look({**scope(forwarded), "client": (peer, 1)}).key for peer in ("10.0.0.1", "10.0.0.2")}  # type: ignore[union-attr]  # both are usual
    assert len(keys) == 2


def test_who_asks_is_no_part_of_the_key_but_whether_somebody_does() -> None:
    alice, bob, nobody = (
        look(scope((b"authorization", b"Bearer alice"))),
        look(scope((b"authorization", b"Bearer bob"))),
        look(scope()),
    )
    assert alice is not None
    assert bob is not None
    assert nobody is not None
    assert alice.key == bob.key != nobody.key
    assert alice.credential != bob.credential


def test_very_long_value_is_left_to_the_usual_way() -> None:
    assert look(scope((b"accept", b"a" * 513))) is None
