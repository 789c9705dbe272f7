"""Where this service answers otherwise than Backstage's TechDocs plugin, and the rule of ours that asks for it."""

from __future__ import annotations

from tests.conformance.backstage_differences import Difference, ruled

_EVERY = ("*",)


def _refused(requests: tuple[str, ...], error: str) -> tuple[Difference, ...]:
    return ruled(
        "a refused condition or range is a problem like every other, in JSON that says it is JSON",
        requests,
        ("header content-type", "text/plain; charset=utf-8", "application/json"),
        ("header cache-control", "public, max-age=0", "no-store"),
        ("header accept-ranges", "bytes", "-"),
        ("header last-modified", "a date", "-"),
        ("body", f"*{error}*", "-"),
    )


_HEADERS = (
    *ruled(
        "documentation is written by users, so its answers may run, load and be framed as little as can be",
        _EVERY,
        ("header content-security-policy", "default-src 'self';base-uri*", "default-src 'none'; *sandbox"),
        ("header content-security-policy", "default-src 'none'", "default-src 'none'; *sandbox"),
    ),
    *ruled(
        "a policy of a document is not repeated where there is no document",
        ("conditional: any tag of *",),
        ("header content-security-policy", "*", "-"),
    ),
    *ruled(
        "whether a host is reached by TLS only is for what ends TLS to promise",
        _EVERY,
        ("header strict-transport-security", "max-age=15552000; includeSubDomains", "-"),
    ),
    *ruled(
        "headers that browsers of today ignore are not sent",
        _EVERY,
        ("header x-download-options", "noopen", "-"),
        ("header x-xss-protection", "0", "-"),
    ),
    *ruled(
        "JSON is UTF-8 and has no charset parameter (RFC 8259, section 11)",
        _EVERY,
        ("header content-type", "application/json; charset=utf-8", "application/json"),
    ),
    *ruled(
        "an entity tag is a digest of the bytes, so it is strong; what is not kept has none",
        _EVERY,
        ("header etag", "weak", "strong"),
        ("header etag", "weak", "-"),
    ),
    *ruled(
        "what depends on the caller is kept by the caller only; problems are not kept at all",
        _EVERY,
        ("header cache-control", "public, max-age=0", "private, no-cache"),
        ("header cache-control", "-", "private, no-cache"),
        ("header cache-control", "-", "no-store"),
    ),
    *ruled(
        "an answer names what it depends on: the origin where origins are let in, the encodings where there are some, "
        "the form where a resource has two",
        _EVERY,
        ("header vary", "accept-encoding", "origin"),
        ("header vary", "accept-encoding", "accept-encoding origin"),
        ("header vary", "accept-encoding", "accept accept-encoding origin"),
        ("header vary", "accept-encoding origin", "origin"),
        ("header vary", "accept-encoding origin", "accept accept-encoding origin"),
        ("header vary", "accept accept-encoding", "*origin"),
        ("header vary", "-", "*origin"),
    ),
    *ruled(
        "a 401 says which scheme is asked for (RFC 9110, section 15.5.2)",
        _EVERY,
        ("header www-authenticate", "-", "Bearer"),
    ),
    *ruled(
        "HEAD has the headers of GET, the encoding included (RFC 9110, section 9.3.2)",
        ("negotiation: HEAD gzip",),
        ("header content-encoding", "-", "gzip"),
    ),
    *ruled(
        "a frontend of another origin may read the headers it needs, and asks once in ten minutes",
        ("cross-origin: *",),
        ("header access-control-expose-headers", "-", "ETag, Retry-After, X-Request-ID, Content-Range, Accept-Ranges"),
        ("header access-control-max-age", "-", "600"),
        ("header access-control-allow-methods", "GET,POST", "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("header vary", "*", "access-control-request-headers access-control-request-method *"),
    ),
)
_PREFLIGHTS = ruled(
    "a preflight is answered without credentials, as browsers send it, and names no origin that is not let in",
    ("cross-origin: other, preflight", "cross-origin: null, preflight"),
    ("status", "401", "204"),
    ("header content-type", "*", "-"),
    ("body", "-", "empty"),
    ("json *", "*", "-"),
)

_NO_REDIRECTS = (
    "page requests are answered with 200, 404 or 500 and never redirected, whatever the letters of the triplet"
)
_SERVED = (
    "case: static triplet", "case: static triplet with a query", "case: static triplet, folder", "path: none",
    "path: folder", "path: folder with a query", "method: HEAD folder",
)  # fmt: skip
_NOT_REDIRECTED = (
    "case: static triplet, unknown", "case: path below a triplet in capitals", "path: folder of several words",
    "path: no triplet", "path: one segment", "path: two segments",
)  # fmt: skip
_OTHER_SPELLINGS = (
    "path: escaped slash", "path: double slash", "path: double slash inside", "path: dot", "path: dot dot inside",
    "path: dot dot out", "path: dot dot to another entity", "path: dot dot to another entity, escaped",
    "path: dot dot to another entity, escaped slash",
)  # fmt: skip
_PATHS = (
    *ruled(
        _NO_REDIRECTS,
        _SERVED,
        ("status", "301", "200"),
        ("header location", "*", "-"),
        ("header etag", "-", "strong"),
        ("header last-modified", "-", "a date"),
        ("header accept-ranges", "-", "bytes"),
    ),
    *ruled(
        _NO_REDIRECTS,
        tuple(name for name in _SERVED if not name.startswith("method:")),
        ("body", "* bytes, *", "*<html*"),
    ),
    *ruled(
        _NO_REDIRECTS,
        ("path: none", "path: folder", "path: folder with a query", "method: HEAD folder"),
        ("header content-type", "text/html; charset=UTF-8", "text/plain; charset=utf-8"),
    ),
    *ruled(
        _NO_REDIRECTS,
        _NOT_REDIRECTED,
        ("status", "301", "404"),
        ("header location", "*", "-"),
        ("header content-type", "text/*", "application/json"),
        ("body", "* bytes, *", "-"),
        ("json *", "-", "*"),
    ),
    *ruled(
        "a path has one spelling: no dots, no empty segments, no escaped slashes; anything else names nothing",
        _OTHER_SPELLINGS,
        ("status", "200", "404"),
        ("header content-type", "text/plain; charset=utf-8", "application/json"),
        ("header cache-control", "public, max-age=0", "no-store"),
        ("header accept-ranges", "bytes", "-"),
        ("header last-modified", "a date", "-"),
        ("body", "*<html*", "-"),
        ("json *", "-", "*"),
    ),
    *ruled(
        "pages can be opened without the reader, at the path the reader itself has",
        ("path: the reader's own route",),
        ("header content-type", "-", "text/html; charset=utf-8"),
        ("header content-security-policy", "default-src 'self';base-uri*", "default-src 'none'; script-src 'self' *"),
        ("header cross-origin-opener-policy", "-", "noopener-allow-popups"),
        ("header vary", "-", "accept accept-encoding origin"),
        ("body", "empty", "*<html*"),
    ),
    *ruled(
        "a path that is none is 404 for everybody, whoever asks",
        ("nothing credential: none", "nothing credential: garbage", "nothing credential: limited", "nothing credential: cookie"),
        ("status", "401", "404"),
        ("json error name", "AuthenticationError", "NotFoundError"),
        ("json error message", "*", "there is nothing at this path; see openapi.json"),
        ("json response statusCode", "401", "404"),
    ),
    *ruled(
        "a path that is none is 404 for everybody, whoever asks",
        ("nothing credential: restricted static",),
        ("status", "403", "404"),
        ("json error name", "NotAllowedError", "NotFoundError"),
        ("json error message", "*", "there is nothing at this path; see openapi.json"),
        ("json response statusCode", "403", "404"),
    ),
    *ruled(
        "page requests are answered with 200, 404 or 500, or 401 to who is not known: what one may not see does not exist",
        ("static credential: restricted static",),
        ("status", "403", "404"),
        ("json error name", "NotAllowedError", "NotFoundError"),
        ("json response statusCode", "403", "404"),
    ),
)  # fmt: skip

_METHODS = "a resource says which methods it has (RFC 9110, sections 9.3.7 and 15.5.6)"
_WRONG_METHODS = ("method: POST *", "method: PUT *", "method: DELETE static", "method: PATCH metadata")
_OPTIONS = ("method: OPTIONS metadata", "method: OPTIONS entity", "method: OPTIONS cookie", "method: OPTIONS keys")
_RANGES = (
    "ranges are RFC 9110's (section 14): several are sent, ones that are none are ignored, a long suffix is the whole"
)
_INVALID_RANGES = ("range: ends before it starts", "range: nonsense")
_REQUESTS = (
    *ruled(
        _METHODS,
        _WRONG_METHODS,
        ("status", "404", "405"),
        ("header allow", "-", "*GET, HEAD, OPTIONS"),
    ),
    *ruled(
        _METHODS,
        ("method: POST static without credential",),
        ("status", "401", "405"),
        ("json error name", "AuthenticationError", "MethodNotAllowedError"),
        ("json error message", "Missing credentials", "the method is not one of GET, HEAD, OPTIONS"),
        ("json response statusCode", "401", "405"),
    ),
    *ruled(
        _METHODS,
        _OPTIONS,
        ("status", "200", "204"),
        ("header allow", "GET,HEAD*", "*GET, HEAD, OPTIONS"),
        ("header content-type", "text/html; charset=utf-8", "-"),
        ("body", "*GET,HEAD*", "empty"),
    ),
    *ruled(_METHODS, ("method: OPTIONS static",), ("status", "404", "204"), ("header allow", "-", "GET, HEAD, OPTIONS")),
    *ruled(
        _RANGES,
        _INVALID_RANGES,
        ("status", "416", "200"),
        ("header content-range", "bytes *", "-"),
        ("body", "*RangeNotSatisfiable*", "*<html*"),
    ),
    *ruled(
        _RANGES,
        ("range: longer suffix than there is",),
        ("status", "416", "206"),
        ("header content-range", "*", "bytes 0-*"),
        ("body", "*RangeNotSatisfiable*", "*<html*"),
    ),
    *ruled(
        _RANGES,
        ("range: two ranges",),
        ("status", "200", "206"),
        ("header content-type", "text/plain; charset=utf-8", "multipart/byteranges; boundary=*"),
        ("body", "*<html*", "* bytes, *: b'--*"),
    ),
    *ruled(
        "Range has a meaning for GET only (RFC 9110, section 14.2)",
        ("range: HEAD",),
        ("status", "206", "200"),
        ("header content-range", "bytes 0-9/*", "-"),
    ),
    *_refused(("range: suffix of nothing", "range: start beyond"), "RangeNotSatisfiable"),
    *_refused(("conditional: match of another tag", "conditional: unmodified since long ago"), "PreconditionFailed"),
    *ruled(
        "ranges are offered with content, not with the news that it is unchanged",
        ("conditional: own tag*", "conditional: any tag", "conditional: weak form of the tag",
         "conditional: not modified since", "conditional: no cache"),
        ("header accept-ranges", "bytes", "-"),
    ),
    *ruled(
        "a condition is judged by itself; Cache-Control is for caches (RFC 9110, section 13.2.2)",
        ("conditional: no cache",),
        ("status", "200", "304"),
        ("header content-type", "text/plain; charset=utf-8", "-"),
        ("body", "*<html*", "empty"),
    ),
)  # fmt: skip

_UNPUBLISHED = tuple(f"metadata: {name}" for name in ("nodocs", "noann", "badref", "nouid", "SHOUTING"))
_BODIES = (
    *ruled(
        "a problem says what is wrong and what to do next, also in the words of the gRPC API",
        _EVERY,
        ("body", "empty", "-"),
        ("header content-type", "-", "application/json"),
        ("json error name", "-", "*Error"),
        ("json error message", "-", "*"),
        ("json error code", "-", "4*"),
        ("json error status", "-", "*"),
        ("json error details", "-", "*"),
        ("json request method", "-", "*"),
        ("json request url", "-", "*"),
        ("json response statusCode", "-", "4*"),
    ),
    *ruled(
        "a path has one spelling: one with an escaped slash is an invalid request",
        ("metadata: escaped slash", "entity: escaped slash"),
        ("status", "404", "400"),
        ("json error name", "NotFoundError", "InputError"),
        ("json error message", "Unable to get metadata for *", "The path has an encoded slash (%2F)."),
        ("json response statusCode", "404", "400"),
    ),
    *ruled(
        "a path that cannot be read is an invalid request, in words of ours",
        ("metadata: bad escape", "entity: bad escape"),
        ("json error name", "URIError", "InputError"),
        ("json error message", "Failed to decode param '%zz'", "The path has a % *"),
        ("json error status", "400", "INVALID_ARGUMENT"),
        ("json error statusCode", "400", "-"),
    ),
    *ruled(
        "answers tell nothing of the server's folders",
        _UNPUBLISHED,
        ("json error message", "Unable to get metadata for *; caused by Error: *", "Unable to get metadata for *; caused by NotFoundError: *"),
        ("json error cause message", "Unable to read techdocs_metadata.json at *", "no documentation is published for *"),
        ("json error cause name", "Error", "NotFoundError"),
        ("json error cause cause *", "*", "-"),
    ),
    *ruled(
        "answers tell nothing of the server's folders",
        ("entity*", "case: entity*"),
        ("json locationMetadata", "*dir*", "*dir*"),
    ),
    *ruled(
        "a key says what it is for",
        ("keys credential: *",),
        ("json keys", "alg=ES256 crv=P-256 kid kty=EC x y", "alg=ES256 crv=P-256 kid kty=EC use=sig x y"),
    ),
    *ruled(
        "a token of a plugin that proves nothing is refused in one way, whatever is wrong with it",
        ("*credential: plugin that is none", "*credential: plugin named as a path"),
        ("json error message", "*", "Failed plugin token verification"),
    ),
    *ruled(
        "a token without a signature is none",
        ("*credential: unsigned user",),
        ("json error message", "Failed user token verification", "Illegal token"),
    ),
    *ruled(
        "who may clear the cookie need not be able to read anything",
        ("clear cookie credential: restricted static",),
        ("status", "403", "204"),
        ("header set-cookie", "-", "backstage-auth=; *Expires=1970*"),
        ("header content-type", "application/json; charset=utf-8", "-"),
        ("body", "-", "empty"),
        ("json *", "*", "-"),
    ),
    *ruled(
        "a source that cannot be used is told once, by the event that ends the stream",
        ("sync: no annotation", "sync: ref that is none", "sync: source of an unknown type", "sync: folder outside"),
        ("events", "log, error *", "error *"),
    ),
    *ruled(
        "a build that fails says in which step, and what its author can do",
        ("sync: docs that do not build",),
        ("events", "log, error *", "log, error *"),
    ),
)  # fmt: skip

DIFFERENCES: tuple[Difference, ...] = (*_HEADERS, *_PREFLIGHTS, *_PATHS, *_REQUESTS, *_BODIES)
