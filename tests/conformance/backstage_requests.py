"""The requests that Backstage's TechDocs plugin and this service are both sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.conformance.backstage_site import EXTENSIONS
from tests.support.backstage.service import ORIGIN

METADATA = "/metadata/techdocs/default/component"
ENTITY = "/metadata/entity/default/component"
STATIC = "/static/docs/default/component"
SYNC = "/sync/default/component"
COOKIE = "/.backstage/auth/v1/cookie"
KEYS = "/.backstage/auth/v1/jwks.json"
INDEX = f"{STATIC}/demo/index.html"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. In headers {etag} and {modified} stand for what the same service said of `conditional_on`."""

    name: str
    """Group and what is special, unique."""
    target: str
    """Below the mount, exactly as it is sent; below the root of the host for names in the group ``root``."""
    method: str = "GET"
    credential: str = "user"
    headers: tuple[str, ...] = ()
    body: bytes = b""

    @property
    def is_at_root(self) -> bool:
        """Whether the target is not below the mount."""
        return self.name.startswith("root: ")


def requests() -> tuple[Request, ...]:
    """Return all of them, in the order they are sent. Syncs come last: they change what is served."""
    groups = (
        _credentials(), _media_types(), _letter_case(), _odd_paths(), _metadata(), _conditional(), _ranges(),
        _methods(), _negotiation(), _cross_origin(), _roots(), _syncs(),
    )  # fmt: skip
    every = tuple(request for group in groups for request in group)
    assert len({request.name for request in every}) == len(every), "two requests have one name"
    return every


_KINDS = (
    "none", "garbage", "user", "bob", "expired user", "user with other claims", "user of a foreign key",
    "user of an unknown key", "unsigned user", "user by a symmetric key", "limited", "plugin", "plugin for a user",
    "plugin for another plugin", "plugin that is none", "plugin named as a path", "static", "restricted static",
    "bearer in small letters", "bearer and two spaces", "bearer without a token", "bearer and two tokens", "basic",
    "cookie", "cookie among others", "cookie with a user token", "cookie with a plugin token",
    "cookie with a static token", "garbage in the cookie", "expired cookie", "garbage and a cookie",
    "basic and a cookie", "user and garbage in the cookie", "user and a cookie",
)  # fmt: skip
_FEW_KINDS = ("none", "garbage", "user", "limited", "plugin", "static", "restricted static", "cookie")


def _credentials() -> Iterator[Request]:
    for kind in _KINDS:
        yield Request(f"metadata credential: {kind}", f"{METADATA}/demo", credential=kind)
        yield Request(f"static credential: {kind}", INDEX, credential=kind)
        yield Request(f"cookie credential: {kind}", COOKIE, credential=kind)
    for kind in _FEW_KINDS:
        yield Request(f"entity credential: {kind}", f"{ENTITY}/demo", credential=kind)
        yield Request(f"sync credential: {kind}", f"{SYNC}/unknown", credential=kind)
        yield Request(f"clear cookie credential: {kind}", COOKIE, "DELETE", credential=kind)
        yield Request(f"keys credential: {kind}", KEYS, credential=kind)
        yield Request(f"nothing credential: {kind}", "/nothing/here", credential=kind)


def _media_types() -> Iterator[Request]:
    for name in EXTENSIONS:
        yield Request(f"media type: {name}", f"{STATIC}/demo/types/{name}")
    yield Request("media type: search index", f"{STATIC}/demo/search/search_index.json")
    yield Request("media type: metadata file", f"{STATIC}/demo/techdocs_metadata.json")
    yield Request("media type: sitemap", f"{STATIC}/demo/sitemap.xml")


def _letter_case() -> Iterator[Request]:
    yield Request("case: metadata", "/metadata/techdocs/Default/Component/Demo")
    yield Request("case: entity", "/metadata/entity/DEFAULT/COMPONENT/DEMO")
    yield Request("case: entity with a name in capitals", f"{ENTITY}/SHOUTING")
    yield Request("case: routes in capitals", "/METADATA/TechDocs/default/component/demo")
    yield Request("case: static triplet", "/static/docs/Default/Component/Demo/index.html")
    yield Request("case: static triplet with a query", "/static/docs/default/Component/demo/index.html?a=b")
    yield Request("case: static triplet, unknown", "/static/docs/Default/Component/Unknown/index.html")
    yield Request("case: static triplet, folder", "/static/docs/Default/component/demo/")
    yield Request("case: static route in capitals", "/STATIC/Docs/default/component/demo/index.html")
    yield Request("case: path below the triplet", f"{STATIC}/demo/INDEX.html")
    yield Request("case: path below a triplet in capitals", "/static/docs/DEFAULT/component/demo/INDEX.html")
    yield Request("case: cookie route in capitals", "/.Backstage/Auth/v1/Cookie")
    yield Request("case: sync", "/sync/Default/Component/Unknown")


def _odd_paths() -> Iterator[Request]:
    below = {
        "none": "",
        "slash": "/",
        "folder": "/guide",
        "folder and slash": "/guide/",
        "folder with a query": "/guide?x=1",
        "folder of several words": "/gr%C3%B6%C3%9Fe",
        "file and slash": "/index.html/",
        "missing": "/missing.html",
        "missing below a file": "/index.html/more",
        "missing folder": "/missing/",
        "query": "/index.html?v=1",
        "empty query": "/index.html?",
        "escaped letters": "/%69ndex.html",
        "escaped slash": "/guide%2Findex.html",
        "escaped dot": "/index%2Ehtml",
        "umlauts": "/gr%C3%B6%C3%9Fe/seite%20eins/index.html",
        "sharp, escaped": "/types/a%23b.txt",
        "question mark, escaped": "/types/a%3Fb.txt",
        "plus": "/types/a+b.txt",
        "plus, escaped": "/types/a%2Bb.txt",
        "percent, escaped": "/types/100%25.txt",
        "bad escape": "/%zz",
        "cut escape": "/index.html%2",
        "escape that is no UTF-8": "/%ff.html",
        "zero byte": "/index.html%00",
        "zero byte before an extension": "/index%00.html",
        "double slash": "//index.html",
        "double slash inside": "/guide//index.html",
        "dot": "/./index.html",
        "dot dot inside": "/guide/../index.html",
        "dot dot out": "/../demo/index.html",
        "dot dot to another entity": "/../other/index.html",
        "dot dot to another entity, escaped": "/%2e%2e/other/index.html",
        "dot dot to another entity, escaped slash": "/..%2fother%2findex.html",
        "dot dot to the system": "/../../../../../../../../etc/passwd",
        "dot dot to the system, escaped": "/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "dot dot, escaped twice": "/%252e%252e/other/index.html",
        "backslashes": "/..%5c..%5cother%5cindex.html",
        "hidden file": "/.hidden",
        "long name": "/" + "x" * 300,
    }
    for name, path in below.items():
        yield Request(f"path: {name}", f"{STATIC}/demo{path}")
    yield Request("path: no triplet", "/static/docs")
    yield Request("path: no triplet and slash", "/static/docs/")
    yield Request("path: one segment", "/static/docs/default")
    yield Request("path: two segments", "/static/docs/default/component")
    yield Request("path: empty kind", "/static/docs/default//demo/index.html")
    yield Request("path: dot dot as a triplet", "/static/docs/../../../index.html")
    yield Request("path: unknown entity", f"{STATIC}/unknown/index.html")
    yield Request("path: entity without docs", f"{STATIC}/nodocs/index.html")
    yield Request("path: entity without an annotation", f"{STATIC}/noann/index.html")
    yield Request("path: entity of others", f"{STATIC}/hidden/index.html")
    yield Request("path: the reader's own route", "/docs/default/component/demo/nothing-here.html")
    yield Request("path: mount itself", "")
    yield Request("path: mount and slash", "/")


def _metadata() -> Iterator[Request]:
    for route, path in (("metadata", METADATA), ("entity", ENTITY)):
        for name in ("demo", "unknown", "nodocs", "noann", "badref", "nouid", "hidden", "SHOUTING"):
            yield Request(f"{route}: {name}", f"{path}/{name}")
        yield Request(f"{route}: hidden, as the user it is shown to", f"{path}/hidden", credential="bob")
        yield Request(f"{route}: hidden, as a plugin", f"{path}/hidden", credential="plugin")
        yield Request(f"{route}: hidden, as a plugin for a user", f"{path}/hidden", credential="plugin for a user")
        yield Request(f"{route}: slash at the end", f"{path}/demo/")
        yield Request(f"{route}: query", f"{path}/demo?x=1")
        yield Request(f"{route}: escaped letters", f"{path}/d%65mo")
        yield Request(f"{route}: escaped slash", f"{path}/de%2Fmo")
        yield Request(f"{route}: bad escape", f"{path}/%zz")
        yield Request(f"{route}: name that cannot be", f"{path}/a%20b")
        yield Request(f"{route}: colon in the name", f"{path}/a:b")
        yield Request(f"{route}: too many segments", f"{path}/demo/more")
        yield Request(f"{route}: too few segments", path)
        yield Request(f"{route}: kind that is unknown", f"{path.replace('component', 'planet')}/demo")
        yield Request(f"{route}: long name", f"{path}/{'x' * 200}")


def _conditional() -> Iterator[Request]:
    conditions = {
        "own tag": ("if-none-match: {etag}",),
        "own tag among others": ('if-none-match: "other", {etag}',),
        "other tag": ('if-none-match: "other"',),
        "any tag": ("if-none-match: *",),
        "weak form of the tag": ("if-none-match: W/{etag}",),
        "tag without quotes": ("if-none-match: etag",),
        "not modified since": ("if-modified-since: {modified}",),
        "modified since": ("if-modified-since: Mon, 01 Jan 2001 00:00:00 GMT",),
        "date that is none": ("if-modified-since: yesterday",),
        "other tag, not modified since": ('if-none-match: "other"', "if-modified-since: {modified}"),
        "match of any tag": ("if-match: *",),
        "match of another tag": ('if-match: "other"',),
        "unmodified since long ago": ("if-unmodified-since: Mon, 01 Jan 2001 00:00:00 GMT",),
        "no cache": ("if-none-match: {etag}", "cache-control: no-cache"),
    }
    for name, headers in conditions.items():
        yield Request(f"conditional: {name}", INDEX, headers=headers)
    yield Request("conditional: own tag, HEAD", INDEX, "HEAD", headers=("if-none-match: {etag}",))
    yield Request("conditional: any tag of what is missing", f"{STATIC}/demo/gone.html", headers=("if-none-match: *",))
    yield Request("conditional: any tag of metadata", f"{METADATA}/demo", headers=("if-none-match: *",))
    yield Request("conditional: any tag of an entity", f"{ENTITY}/demo", headers=("if-none-match: *",))


def _ranges() -> Iterator[Request]:
    ranges = {
        "first bytes": ("range: bytes=0-9",),
        "from the middle": ("range: bytes=100-",),
        "suffix": ("range: bytes=-5",),
        "suffix of nothing": ("range: bytes=-0",),
        "longer suffix than there is": ("range: bytes=-999999999",),
        "end beyond": ("range: bytes=5-999999999",),
        "start beyond": ("range: bytes=999999999-",),
        "two ranges": ("range: bytes=0-1,5-6",),
        "ends before it starts": ("range: bytes=9-0",),
        "other unit": ("range: lines=0-1",),
        "nonsense": ("range: bytes=a-b",),
        "if the tag is another": ("range: bytes=0-9", 'if-range: "other"'),
        "if not modified since long ago": ("range: bytes=0-9", "if-range: Mon, 01 Jan 2001 00:00:00 GMT"),
    }
    for name, headers in ranges.items():
        yield Request(f"range: {name}", INDEX, headers=headers)
    yield Request("range: HEAD", INDEX, "HEAD", headers=("range: bytes=0-9",))
    yield Request("range: metadata", f"{METADATA}/demo", headers=("range: bytes=0-9",))


def _methods() -> Iterator[Request]:
    targets = {
        "metadata": f"{METADATA}/demo", "entity": f"{ENTITY}/demo", "static": INDEX, "cookie": COOKIE, "keys": KEYS,
    }  # fmt: skip
    for name, target in targets.items():
        yield Request(f"method: HEAD {name}", target, "HEAD")
        yield Request(f"method: POST {name}", target, "POST", body=b"{}")
        yield Request(f"method: PUT {name}", target, "PUT")
        yield Request(f"method: OPTIONS {name}", target, "OPTIONS")
    yield Request("method: DELETE static", INDEX, "DELETE")
    yield Request("method: PATCH metadata", f"{METADATA}/demo", "PATCH")
    yield Request("method: HEAD of what is missing", f"{STATIC}/demo/gone.html", "HEAD")
    yield Request("method: HEAD folder", f"{STATIC}/demo/guide", "HEAD")
    yield Request("method: HEAD without credential", f"{METADATA}/demo", "HEAD", credential="none")
    yield Request("method: POST static without credential", INDEX, "POST", credential="none")
    yield Request("method: POST static with a cookie", INDEX, "POST", credential="cookie")
    yield Request("method: HEAD static with a cookie", INDEX, "HEAD", credential="cookie")


def _negotiation() -> Iterator[Request]:
    for name, target in (
        ("page", INDEX), ("picture", f"{STATIC}/demo/types/a.png"), ("search index", f"{STATIC}/demo/search/search_index.json"),
        ("metadata", f"{METADATA}/demo"),
    ):  # fmt: skip
        yield Request(f"negotiation: gzip {name}", target, headers=("accept-encoding: gzip",))
    yield Request("negotiation: identity", INDEX, headers=("accept-encoding: identity",))
    yield Request("negotiation: no gzip", INDEX, headers=("accept-encoding: gzip;q=0",))
    yield Request("negotiation: HEAD gzip", INDEX, "HEAD", headers=("accept-encoding: gzip",))
    yield Request("negotiation: a browser's page", INDEX, headers=("accept: text/html", "sec-fetch-mode: navigate"))
    yield Request("negotiation: text only, of metadata", f"{METADATA}/demo", headers=("accept: text/plain",))
    yield Request("negotiation: page for what is missing", f"{STATIC}/demo/gone.html", headers=("accept: text/html",))


def _cross_origin() -> Iterator[Request]:
    for name, origin in (("allowed", ORIGIN), ("other", "https://elsewhere.example"), ("null", "null")):
        yield Request(f"cross-origin: {name}, metadata", f"{METADATA}/demo", headers=(f"origin: {origin}",))
        yield Request(f"cross-origin: {name}, static", INDEX, headers=(f"origin: {origin}",))
        yield Request(
            f"cross-origin: {name}, preflight", f"{METADATA}/demo", "OPTIONS", credential="none",
            headers=(f"origin: {origin}", "access-control-request-method: GET", "access-control-request-headers: authorization"),
        )  # fmt: skip
    yield Request(
        "cross-origin: allowed, refused", f"{METADATA}/demo", credential="none", headers=(f"origin: {ORIGIN}",)
    )
    yield Request("cross-origin: allowed, cookie", COOKIE, headers=(f"origin: {ORIGIN}",))


def _roots() -> Iterator[Request]:
    yield Request("root: readiness", "/.backstage/health/v1/readiness", credential="none")
    yield Request("root: liveness", "/.backstage/health/v1/liveness", credential="none")
    yield Request("root: HEAD readiness", "/.backstage/health/v1/readiness", "HEAD", credential="none")
    yield Request("root: nothing", "/nothing", credential="none")


def _syncs() -> Iterator[Request]:
    yield Request("sync: unknown", f"{SYNC}/unknown")
    yield Request("sync: HEAD unknown", f"{SYNC}/unknown", "HEAD")
    yield Request("sync: POST without credential", f"{SYNC}/unknown", "POST", credential="none")
    yield Request("sync: entity of others", f"{SYNC}/hidden")
    yield Request("sync: no uid", f"{SYNC}/nouid")
    yield Request("sync: no annotation", f"{SYNC}/noann")
    yield Request("sync: ref that is none", f"{SYNC}/badref")
    yield Request("sync: source of an unknown type", f"{SYNC}/oddref")
    yield Request("sync: folder outside", f"{SYNC}/outside")
    yield Request("sync: docs that do not build", f"{SYNC}/broken")
    yield Request("sync: first time", f"{SYNC}/built", headers=("accept: text/event-stream",))
    yield Request("sync: second time", f"{SYNC}/built", headers=("accept: text/event-stream",))
    yield Request("sync: asks for JSON", f"{SYNC}/built", headers=("accept: application/json",))
    yield Request("sync: as a plugin", f"{SYNC}/built", credential="plugin")
    yield Request("sync: slash at the end, in capitals", "/sync/Default/Component/BUILT/")


def hidden_requests() -> tuple[Request, ...]:
    """Return requests for what not everybody may see, and for what stands beside what one may see."""
    kinds = ("none", "garbage", "user", "bob", "limited", "cookie", "plugin", "plugin for a user", "static")
    hidden = {
        "page": f"{STATIC}/hidden/index.html",
        "missing page": f"{STATIC}/hidden/missing.html",
        "metadata": f"{METADATA}/hidden",
        "entity": f"{ENTITY}/hidden",
    }
    escapes = {
        "dots": "/../hidden/index.html",
        "escaped dots": "/%2e%2e/hidden/index.html",
        "escaped slashes": "/..%2fhidden%2findex.html",
        "backslashes": "/..%5chidden%5cindex.html",
        "dots from below": "/guide/../../hidden/index.html",
        "escaped twice": "/%252e%252e/hidden/index.html",
    }
    return (
        *(Request(f"{name} as {kind}", path, credential=kind) for name, path in hidden.items() for kind in kinds),
        *(Request(f"escape by {name}", f"{STATIC}/demo{path}") for name, path in escapes.items()),
        Request("unknown page", f"{STATIC}/unknown/index.html"),
        Request("unknown metadata", f"{METADATA}/unknown"),
        Request("page in capitals", "/static/docs/Default/Component/Hidden/index.html"),
        Request("page in capitals as bob", "/static/docs/Default/Component/Hidden/index.html", credential="bob"),
        Request("page that all see", INDEX),
        Request("page that all see, by cookie", INDEX, credential="cookie"),
        Request("page that all see, by head", INDEX, "HEAD"),
        Request("metadata that all see", f"{METADATA}/demo"),
        Request("sync", f"{SYNC}/hidden"),
        Request("sync as plugin for a user", f"{SYNC}/hidden", credential="plugin for a user"),
    )


def external_requests() -> tuple[Request, ...]:
    """Return syncs, of which none may build anything."""
    names = ("demo", "unknown", "noann", "badref", "broken", "nouid", "hidden")
    syncs = (Request(f"sync {name}", f"{SYNC}/{name}") for name in names)
    return (*syncs, Request("sync without credential", f"{SYNC}/demo", credential="none"))
