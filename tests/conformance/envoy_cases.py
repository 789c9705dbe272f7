"""Requests on which two transcoders must agree, and those on which they may differ, with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REQUEST_ID = "6d1f2b9e-3c57-4f0e-9a8b-0c2d4e6f8a10"
"""Of a build that is made, and has ended, before the requests are sent."""

_SITE = "/v1/sites/default/component/demo"
_NO_SITE = "/v1/sites/default/component/nobody"
_CONTENTS = f"{_SITE}/contents"
_CONTENT = f"{_SITE}/content"
_DATA = f"{_CONTENT}/assets/data.json"
_DOCS = "/docs/default/component/demo"
_STATIC = "/static/docs/default/component/demo"
_SYNC = "/sync/default/component/demo"
_NOBODY = '"entity":{"kind":"component","name":"nobody"}'


@dataclass(frozen=True, slots=True)
class Case:
    """One request. ``{revision}`` and ``{build}`` in it stand for real ones."""

    target: str
    method: str = "GET"
    body: str | None = None
    within: str = ""
    """Field of the response message that the contract makes the whole answer."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.method, self.target, self.body) if part)


@dataclass(frozen=True, slots=True)
class Difference:
    """What each of the two answers, and why that is right."""

    ours: int
    envoy: int | None
    """None where it depends on what of the failure reached Envoy first."""
    why: str


def _gets(*targets: str, within: str = "") -> list[Case]:
    return [Case(target, within=within) for target in targets]


def _builds(*bodies: str) -> list[Case]:
    return [Case("/v1/builds", "POST", body, within="build") for body in bodies]


AGREED: Sequence[Case] = (
    # Path templates, and variables nested in messages.
    *_gets("/v1/capabilities", "/v1/capabilities/", within="capabilities"),
    *_gets("/v1/sites", "/v1/sites?", "/v1/sites/", "/nowhere", "/", "/v1", "/v1/builds/a/b", f"{_SITE}/nothing"),
    *_gets(
        _SITE, f"{_SITE}/", "/v1/sites/default/Component/DEMO", "/v1/sites/%64efault/component/dem%6F", within="site"
    ),
    *_gets(_NO_SITE, "/v1/sites/-/component/demo", "/v1/sites/default/component/a%20b"),
    *_gets(f"{_SITE}/revisions", f"{_SITE}/revisions/short", f"{_SITE}/revisions/{'f' * 64}"),
    *_gets(f"{_SITE}/revisions/{{revision}}", within="revision"),
    *_gets("/metadata/techdocs/default/component/demo", within="metadata"),
    *_gets("/metadata/techdocs/default/component/demo?revision={revision}", within="metadata"),
    # A variable that holds the name of its collection, and custom verbs.
    *_gets("/v1/builds/{build}", "/v1/builds/{build}/", within="build"),
    *_gets("/v1/builds/never", "/v1/builds/UPPER", "/v1/builds/{build}:unknown", "/v1/builds/{build}%3Awatch"),
    *_gets(
        "/v1/builds/{build}:watch",
        "/v1/builds/{build}:watch?after_sequence=2",
        "/v1/builds/{build}:watch?afterSequence=3",
    ),
    Case("/v1/builds/{build}:cancel", "POST", "{}", within="build"),
    Case("/v1/builds/{build}:cancel", "POST", within="build"),
    Case("/v1/builds/never:cancel", "POST", "{}"),
    Case(f"{_SITE}:rollback", "POST", '{"revision":"{revision}"}', within="site"),
    Case(f"{_SITE}:rollback", "POST", '{"revision":"{revision}","etag":"another"}'),
    Case(f"{_SITE}:rollback", "POST", '{"revision":"short"}'),
    # The rest of a path, decoded segment by segment.
    *_gets(_DATA, f"{_CONTENT}/guide/start", f"{_CONTENT}/guide/start/", _CONTENT, f"{_CONTENT}/"),
    *_gets(f"{_CONTENT}/gr%C3%B6%C3%9Fe/seite%20eins/index.html", f"{_CONTENT}/%69ndex%2Ehtml", f"{_CONTENT}/a%252Fb"),
    *_gets(
        f"{_CONTENT}/nope",
        f"{_CONTENT}/a:b",
        f"{_CONTENT}/a:watch",
        f"{_CONTENT}/../index.html",
        f"{_CONTENT}/%2e%2e/x",
    ),
    # Numbers, in both spellings of the name, and what is none.
    *_gets(
        f"{_CONTENTS}?page_size=2",
        f"{_CONTENTS}?pageSize=2",
        f"{_CONTENTS}?page%5Fsize=2",
        f"{_CONTENTS}?&&page_size=1&",
    ),
    *_gets(f"{_CONTENTS}?page_size=-1", f"{_CONTENTS}?page_size=abc", f"{_CONTENTS}?page_size=2147483648"),
    *_gets(f"{_CONTENTS}?page_size=", f"{_CONTENTS}?page_size=%201", f"{_CONTENTS}?page_size=0x1"),
    *_gets(
        f"{_DATA}?read_offset=2&read_limit=5", f"{_DATA}?read_offset=-4", f"{_DATA}?read_offset=9223372036854775808"
    ),
    *_gets(f"{_DATA}?read_offset=-4&read_limit=2"),
    # Strings, empty and escaped.
    *_gets(
        f"{_CONTENTS}?page_token=", f"{_CONTENTS}?page_token=never", f"{_CONTENTS}?revision={{revision}}&page_size=1"
    ),
    *_gets(
        f"{_CONTENTS}?path_prefix=assets%2F", f"{_CONTENTS}?path_prefix=assets/", f"{_CONTENTS}?path_prefix=gr%C3%B6"
    ),
    *_gets(f"{_CONTENTS}?path_prefix=gr%C3%B6%C3%9Fe/seite%20eins"),
    # Booleans.
    Case(f"{_NO_SITE}?allow_missing=true", "DELETE"),
    Case(f"{_NO_SITE}?allowMissing=true&force=false", "DELETE"),
    Case(f"{_NO_SITE}?allow_missing=false", "DELETE"),
    Case(_NO_SITE, "DELETE"),
    Case(f"{_SITE}?etag=another", "DELETE"),
    Case(f"{_SYNC}?force=maybe", "POST"),
    # Enums by name and by number, once and repeated.
    *_gets(f"{_DATA}?view=CONTENT_VIEW_INFO", f"{_DATA}?view=2", f"{_DATA}?view=info", f"{_DATA}?view=99"),
    *_gets("/v1/builds?states=BUILD_STATE_SUCCEEDED", "/v1/builds?states=5", "/v1/builds?states=BUILD_STATE_FAILED"),
    *_gets("/v1/builds?states=BUILD_STATE_SUCCEEDED&states=6", "/v1/builds?states=BUILD_STATE_SUCCEEDED&states=5"),
    *_gets(
        "/v1/builds?states=NOPE", "/v1/builds?states=99", "/v1/builds?states=0", "/v1/builds?states=build_state_failed"
    ),
    # Repeated strings, in both spellings at once, and fields of nested messages.
    *_gets(f"{_DATA}?if_none_match=*", f"{_DATA}?if_none_match=%22a%22&if_none_match=%22b%22"),
    *_gets(f"{_DATA}?ifNoneMatch=%22a%22&if_none_match=*"),
    *_gets("/v1/builds?entity.kind=component&entity.name=demo", "/v1/builds?entity.kind=component&entity.name=nobody"),
    *_gets("/v1/builds?entity.kind=component", "/v1/builds?entity=x", "/v1/builds?entity.nmae=x"),
    *_gets(f"{_CONTENTS}?unknown=1", "/v1/capabilities?x=1"),
    # Bodies.
    *_builds(f"{{{_NOBODY}}}", f'{{{_NOBODY},"requestId":null,"force":null}}', f" {{ {_NOBODY} }} ", "{}", ""),
    *_builds(
        f'{{{_NOBODY},"request_id":"no-uuid"}}', f'{{{_NOBODY},"requestId":"no-uuid"}}', "{", "[]", '{"entity":7}'
    ),
    *_builds('{"entity":{"kind":"component","name":7}}', f"{{{_NOBODY}}} trailing", f'{{{_NOBODY},"force":1}}'),
    *_builds(json.dumps({"entity": {"kind": "component", "name": "demo"}, "requestId": REQUEST_ID})),
    *_builds(json.dumps({"entity": {"kind": "component", "name": "other"}, "requestId": REQUEST_ID})),
    Case(_SYNC, "POST"),
    Case(_SYNC, "POST", "{}"),
    Case("/sync/default/component/nobody", "POST"),
    # Answers that are bytes: whole, empty, and larger than a message.
    *_gets("/metadata/entity/default/component/demo", "/metadata/entity/default/component/nobody"),
    *_gets(
        _DOCS,
        f"{_DOCS}/index.html",
        f"{_DOCS}/guide/start/",
        f"{_DOCS}/assets/data.json",
        f"{_DOCS}/assets/picture.svg",
    ),
    *_gets(f"{_DOCS}/assets/big.bin", f"{_STATIC}/assets/data.json"),
    *_gets(f"{_DOCS}/index.html?revision={{revision}}", f"{_DOCS}/gr%C3%B6%C3%9Fe/seite%20eins/"),
)

_STRICTER_PATH = "a path that could be read in two ways is refused"
_STRICTER_VALUE = "a value that could be read in two ways is refused"
_NAMED = "what would be ignored is refused by name"
_OWN_METHODS = "a known path has 405 with Allow, OPTIONS, and HEAD wherever it has GET"
_PAGES = "pages are asked for in HTTP's own words: headers say range and condition, and the query belongs to the page"
_LATE = "a stream that fails before its first message has the status of its failure"

DIFFERENT: Mapping[Case, Difference] = {
    Case("/v1//capabilities"): Difference(400, 404, _STRICTER_PATH),
    Case(f"{_CONTENT}/guide%2Fstart%2Findex.html"): Difference(400, 404, _STRICTER_PATH),
    Case(f"{_CONTENT}/%zz"): Difference(400, 404, _STRICTER_PATH),
    Case(f"{_CONTENTS}?path_prefix=%zz"): Difference(400, 200, _STRICTER_VALUE),
    Case(f"{_CONTENTS}?page_size=1&page_size=2"): Difference(400, 200, _STRICTER_VALUE),
    Case(f"{_CONTENTS}?page_size=+1"): Difference(400, 200, "a plus sign in a query is a space, and no number has one"),
    Case(f"{_CONTENTS}?page_size=1.0"): Difference(200, 400, "ProtoJSON takes an integer that is written as a float"),
    Case(f"{_CONTENTS}?path_prefix=gr%C3%B6%C3%9Fe/seite+eins"): Difference(
        200, 200, "a plus sign in a query is a space, as forms write it"
    ),
    Case(f"{_CONTENTS}?entity.name=nobody"): Difference(400, 404, "the path has given that field already"),
    Case(f"{_NO_SITE}?allow_missing=yes", "DELETE"): Difference(400, 200, "a boolean is true or false"),
    Case(f"{_SYNC}?force=1", "POST"): Difference(400, 200, "a boolean is true or false"),
    Case(f"{_SYNC}?force=TRUE", "POST"): Difference(400, 200, "a boolean is true or false"),
    Case(_SYNC, "POST", '{"force":true}'): Difference(400, 200, _NAMED),
    Case("/v1/builds", "POST", f'{{{_NOBODY},"unknown":1}}'): Difference(400, 404, _NAMED),
    Case("/v1/builds?force=true", "POST", f"{{{_NOBODY}}}"): Difference(400, 404, _NAMED),
    Case("/v1/builds", "POST", f'{{{_NOBODY},"force":"true"}}'): Difference(
        400, 404, "ProtoJSON's booleans have no quotes"
    ),
    Case("/v1/builds", "POST", f'{{"force":true,"force":false,{_NOBODY}}}'): Difference(400, 404, _STRICTER_VALUE),
    Case("/v1/builds/{build}:cancel", "POST", '{"name":"builds/never"}'): Difference(
        400, 404, "the path has given that field already"
    ),
    Case("/v1/builds/{build}%3Acancel", "POST", "{}"): Difference(
        405, 404, "an escaped colon is no verb, and a build has GET"
    ),
    Case(f"{_SITE}:rollback/", "POST", '{"revision":"{revision}"}'): Difference(
        200, 404, "a slash at the end changes nothing"
    ),
    Case("/v1/builds/{build}:cancel"): Difference(405, 404, _OWN_METHODS),
    Case("/v1/sites", "PUT"): Difference(405, 404, _OWN_METHODS),
    Case(_SITE, "PATCH", "{}"): Difference(405, 404, _OWN_METHODS),
    Case("/v1/builds", "DELETE"): Difference(405, 404, _OWN_METHODS),
    Case("/v1/sites", "OPTIONS"): Difference(204, 404, _OWN_METHODS),
    Case("/v1/sites", "HEAD"): Difference(200, 404, _OWN_METHODS),
    Case(f"{_DOCS}/index.html", "HEAD"): Difference(200, 404, _OWN_METHODS),
    Case(f"{_DOCS}/assets/data.json?x=1"): Difference(200, 400, _PAGES),
    Case(f"{_DOCS}/assets/data.json?read_offset=2"): Difference(200, 200, _PAGES),
    Case(f"{_STATIC}/index.html"): Difference(200, 200, "markup has a harmless media type for Backstage"),
    Case(f"{_STATIC}/assets/big.bin"): Difference(200, 200, "and so has what Backstage knows no type of"),
    Case(f"{_DATA}?read_offset=1000"): Difference(416, 400, "HTTP has a status for it"),
    Case(_SYNC): Difference(200, 200, "the stream has the form that Backstage's client reads"),
    Case("/v1/builds/never:watch"): Difference(404, None, _LATE),
    Case("/v1/builds/{build}:watch?after_sequence=-1"): Difference(400, None, _LATE),
    Case(f"{_STATIC}/nope"): Difference(404, None, _LATE),
    Case("/sync/default/component/broken", "POST"): Difference(
        422, 409, "the request is fine, and the documentation is not"
    ),
}
"""Every row says what both answer, so that a change on either side is seen."""
