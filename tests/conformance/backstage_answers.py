"""What of an answer matters to who asks Backstage: a few facts by name, with nothing in them that time or a port changes."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping

from tests.conformance.raw_http import RawAnswer

NOTHING = "-"
"""The value of a fact that an answer does not have."""

_AS_THEY_ARE = (
    "content-type", "cache-control", "accept-ranges", "content-range", "content-encoding", "allow", "www-authenticate",
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods",
    "access-control-allow-headers", "access-control-max-age", "access-control-expose-headers", "content-disposition",
    "content-security-policy", "referrer-policy", "strict-transport-security", "x-content-type-options",
    "x-dns-prefetch-control", "x-download-options", "x-frame-options", "x-permitted-cross-domain-policies",
    "x-xss-protection", "cross-origin-resource-policy", "cross-origin-opener-policy", "origin-agent-cluster",
)  # fmt: skip
_PORT = re.compile(r"(localhost|127\.0\.0\.1):\d+")
_FOLDER = re.compile(r"/[^\s\"']*?/(?=[a-zA-Z]+(?:/|[\"'\s]|$))")
_TERMINAL = ("finish", "error")


def facts_of(answer: RawAnswer) -> Mapping[str, str]:
    """Return what is compared."""
    facts = {"status": str(answer.status)}
    for name in _AS_THEY_ARE:
        if values := [value for key, value in answer.headers if key == name]:
            facts[f"header {name}"] = _PORT.sub(r"\1:PORT", ", ".join(values))
    facts |= _validators(answer)
    for name, value in answer.headers:
        if name == "location":
            facts["header location"] = _PORT.sub(r"\1:PORT", value)
        elif name == "set-cookie":
            facts["header set-cookie"] = _cookie_shape(value)
        elif name == "vary":
            known = {word.strip().lower() for word in value.split(",")} | set(facts.get("header vary", "").split())
            facts["header vary"] = " ".join(sorted(known - {""}))
    return facts | dict(_body(answer))


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield each fact that two answers differ in, with their value and ours."""
    for fact in sorted(theirs.keys() | ours.keys()):
        if (pair := (theirs.get(fact, NOTHING), ours.get(fact, NOTHING)))[0] != pair[1]:
            yield fact, *pair


def _validators(answer: RawAnswer) -> Iterator[tuple[str, str]]:
    headers = dict(answer.headers)
    if tag := headers.get("etag"):
        yield "header etag", "weak" if tag.startswith("W/") else "strong"
    if "last-modified" in headers:
        yield "header last-modified", "a date"


def _cookie_shape(value: str) -> str:
    pair, *attributes = (part.strip() for part in value.split(";"))
    name, _, content = pair.partition("=")
    shown = "a token" if content.count(".") == 2 else content
    dated = ["Expires=1970" if "1970" in item else re.sub(r"Expires=.*", "Expires=later", item) for item in attributes]
    return "; ".join([f"{name}={shown}", *sorted(dated)])


def _body(answer: RawAnswer) -> Iterator[tuple[str, str]]:
    headers = dict(answer.headers)
    body = answer.body
    if headers.get("content-encoding") == "gzip" and body:
        # A page as it is, and events, which are flushed and may not be ended.
        body = gzip.decompress(body) if not _is_stream(headers) else zlib.decompressobj(31).decompress(body)
    if not answer.is_complete:
        yield "body", "cut off"
    elif _is_stream(headers):
        yield "events", _events(body.decode())
    elif not body:
        yield "body", "empty"
    elif headers.get("content-type", "").startswith("application/json") and body.startswith(b"{"):
        yield from _json(json.loads(body), "json")
    else:
        yield "body", f"{len(body)} bytes, {_short_hash(body)}: {body[:40]!r}"


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").startswith("text/event-stream")


def _json(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and (
        name in ("json", "json error") or name.endswith((" cause", " request", " response"))
    ):
        for key, inner in value.items():
            yield from _json(inner, f"{name} {key}")
    elif name == "json expiresAt":
        yield name, re.sub(r"\d", "0", str(value))
    elif name == "json keys":
        yield name, _key_set(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        yield (
            name,
            text if len(text) <= 300 else f"{text[:200]}... {len(text)} characters, {_short_hash(text.encode())}",
        )


def _key_set(value: object) -> str:
    assert isinstance(value, list)
    return ", ".join(" ".join(_key_member(name, key[name]) for name in sorted(key)) for key in value)


def _key_member(name: str, value: str) -> str:
    return f"{name}={value}" if name in ("alg", "crv", "kty", "use") else name


def _events(text: str) -> str:
    """Say which events came, logs once however many they are, and what the last one holds."""
    said: list[str] = []
    for frame in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line and not line.startswith(":"))
        if (event := fields.get("event")) is None:
            continue
        shown = f"{event} {fields.get('data', '')}" if event in _TERMINAL else event
        if not said or said[-1] != shown:
            said.append(shown)
    return ", ".join(said)


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
