"""The route table: which RPC an HTTP method and path mean.

It is read from the google.api.http annotations of compiled services, so an RPC
with an annotation is served without a line of code here. `http_rules` reads one
annotation; this module keeps all of them in an order in which the first match
is the right one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Self

import techdocs.v1
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from techdocs_bridge.transcoding.http_rules import ANY_METHOD, Route, RouteInvalid, routes_of
from techdocs_bridge.transcoding.path_template import PathInvalid, split_path
from techdocs_bridge.transcoding.percent import decode

__all__ = ["Found", "Match", "NoRoute", "PathInvalid", "Route", "RouteInvalid", "RouteTable", "WrongMethod", "services"]


@dataclass(frozen=True, slots=True)
class Found:
    """A route serves the request; the variables are its path's, by field path, decoded."""

    route: Route
    variables: dict[str, str]


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path is known, but not with this HTTP method.

    `allow` is sorted, has HEAD wherever it has GET, and leaves OPTIONS to the
    application that answers it.
    """

    allow: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No route has this path with any method."""


Match = Found | WrongMethod | NoRoute


def services(package: ModuleType = techdocs.v1) -> tuple[ServiceDescriptor, ...]:
    """Return every service of a package of compiled modules, importing all of them, in a stable order."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name.endswith("_pb2"))
    found: list[ServiceDescriptor] = []
    for name in names:
        file: FileDescriptor = importlib.import_module(f"{package.__name__}.{name}").DESCRIPTOR
        found.extend(file.services_by_name.values())
    return tuple(found)


class RouteTable:
    """An immutable set of routes, indexed by the first literal segment of their paths.

    A literal segment wins over a variable, a variable over ``**``, at the first
    segment where two templates differ; the method decides only among templates
    that match. A path that some route knows as its custom verb (``…:cancel``) is
    that and nothing else; any other colon is part of the last segment.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        """Index the routes. Raises `RouteInvalid` when two of them cannot be told apart."""
        self.routes = tuple(sorted(routes, key=lambda route: (route.template.specificity, route.template.shape)))
        self._refuse_duplicates()
        self._verbs = frozenset(route.template.verb for route in self.routes if route.template.verb)
        heads = {head for route in self.routes if (head := _head(route)) is not None}
        self._by_head = {head: tuple(r for r in self.routes if _head(r) in (head, None)) for head in heads}
        self._headless = tuple(route for route in self.routes if _head(route) is None)

    @classmethod
    def from_services(cls, services: Iterable[ServiceDescriptor]) -> Self:
        """Make the table of all annotated methods; methods without an annotation are left out.

        Raises `RouteInvalid` (or `TemplateInvalid`) for an annotation that cannot be
        served: the contract is wrong and the bridge must not start.
        """
        return cls(route for service in services for method in service.methods for route in routes_of(method))

    def find(self, http_method: str, raw_path: bytes, *, mount: str) -> Match:
        """Find the route of a request.

        `raw_path` is the path as it came on the wire, without the query. It may
        begin with `mount` (for example ``/api/techdocs``) or not. Under the mount the
        literal parts may be in any case of their letters, as Backstage's router has
        it (Express, "case sensitive routing" off). HEAD finds what GET finds unless a
        route is HEAD's own.

        Raises `PathInvalid` for a path that must not be looked at (see `split_path`).
        """
        segments = split_path(raw_path)
        verb = self._verb_of(raw_path)
        prefix = _mount_segments(mount)
        if not prefix:
            return self._look_up(http_method, segments, verb, any_case=True)
        if tuple(segment.lower() for segment in segments[: len(prefix)]) == prefix:
            found = self._look_up(http_method, segments[len(prefix) :], verb, any_case=True)
            if not isinstance(found, NoRoute):
                return found
        return self._look_up(http_method, segments, verb, any_case=False)

    def _verb_of(self, raw_path: bytes) -> str:
        """Return the custom verb that the path may end in; an encoded colon is data and starts none."""
        stem, _, raw_verb = raw_path.removesuffix(b"/").rpartition(b"/")[2].rpartition(b":")
        verb = decode(raw_verb) if stem else ""
        return verb if verb in self._verbs else ""

    def _look_up(self, http_method: str, segments: list[str], verb: str, *, any_case: bool) -> Match:
        if verb and segments:
            at = len(segments) - (2 if segments[-1] == "" else 1)
            stem = segments[at].removesuffix(f":{verb}")
            found = self._among(http_method, [*segments[:at], stem, *segments[at + 1 :]], verb, any_case=any_case)
            if not isinstance(found, NoRoute):
                return found
        return self._among(http_method, segments, "", any_case=any_case)

    def _among(self, http_method: str, segments: list[str], verb: str, *, any_case: bool) -> Match:
        fallback: Found | None = None
        allow: set[str] = set()
        head = (segments[0].lower() if any_case else segments[0]) if segments else ""
        for route in self._by_head.get(head, self._headless):
            variables = route.template.match(segments, verb, any_case=any_case)
            if variables is None:
                continue
            if route.http_method == http_method:
                return Found(route, variables)
            if fallback is None and _serves(route, http_method):
                fallback = Found(route, variables)
            allow.update(("GET", "HEAD") if route.http_method == "GET" else (route.http_method,))
        return fallback or (WrongMethod(tuple(sorted(allow))) if allow else NoRoute())

    def _refuse_duplicates(self) -> None:
        for what, keys in (
            ("method and path", lambda route: (route.http_method, route.template.shape)),
            ("operation id", lambda route: route.operation.operation_id),
        ):
            seen: dict[object, Route] = {}
            for route in self.routes:
                other = seen.setdefault(keys(route), route)
                if other is not route:
                    raise RouteInvalid(route.full_name, f"has the {what} of {other.full_name}: {keys(route)}")

    def __iter__(self) -> Iterator[Route]:
        """Iterate over the routes, the most specific first."""
        return iter(self.routes)


def _head(route: Route) -> str | None:
    """Return the first segment when it is literal."""
    literals = route.template.literals
    return literals[0][1] if literals and literals[0][0] == 0 else None


def _serves(route: Route, http_method: str) -> bool:
    return route.http_method == ANY_METHOD or (http_method == "HEAD" and route.http_method == "GET")


@lru_cache(maxsize=16)
def _mount_segments(mount: str) -> tuple[str, ...]:
    return tuple(segment.lower() for segment in mount.split("/") if segment)
