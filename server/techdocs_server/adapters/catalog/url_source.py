"""Documentation that is not beside its descriptor: ``url:`` annotations, and ``dir:`` ones of entities that live elsewhere."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

from techdocs_server.adapters.sources.scm_links import host_type_of, resolve_relative
from techdocs_server.adapters.sources.source_hosts import SourceHosts
from techdocs_server.adapters.sources.web_address import URLRefused, WebURL
from techdocs_server.domain.catalog_entity import TECHDOCS_REF, KnownProblem, SourceRef

_MANAGED_BY = "backstage.io/managed-by-location"
# The first that is set counts. Source: plugin-techdocs-node, helpers (getLocationForEntity, transformDirLocation).
_LOCATIONS = ("backstage.io/source-location", _MANAGED_BY)


class NoSource(Exception):
    """There is nothing to build; the message says why, for the entity's owner, and repeats no URL that may hold a secret.

    ``known`` is how Backstage says it, when it would not build it either;
    ``location`` is type and target of the place it names, when it is only this server
    that cannot build from there.
    """

    def __init__(
        self, message: str, *, known: KnownProblem | None = None, location: tuple[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.known = known
        self.location = location


def url_source(target: str, *, site_name: str) -> SourceRef:
    """Return the source of an annotation ``url:<target>``. Raises `NoSource`.

    Whether the host may be asked is not decided here: an entity says where its
    documentation is also on a server that does not build it.
    """
    if "://" not in target:
        raise NoSource(
            f"{TECHDOCS_REF} of type 'url' must be a whole URL, such as "
            "'url:https://github.com/owner/repo/tree/main'; a folder relative to the entity's file is 'dir:<folder>'"
        )
    try:
        url = WebURL.parse(target)
    except URLRefused as error:
        raise NoSource(f"the URL of {TECHDOCS_REF} cannot be used: {error}") from error
    return SourceRef(type="url", location=str(url), display=str(url), site_name=site_name)


class Location(NamedTuple):
    """Where an entity's descriptor stands, and the annotation that says so."""

    type: str
    target: str
    annotation: str


def location_of(annotations: Mapping[str, object]) -> Location | None:
    """Return where an entity's descriptor stands, None when nothing says so."""
    name = next((name for name in _LOCATIONS if annotations.get(name) is not None), "")
    return _location(annotations, name) if name else None


def registered_location_of(annotations: Mapping[str, object]) -> Location | None:
    """Return where the catalog itself has read an entity, None when it does not say so.

    Authors write ``source-location`` as they like. This one the catalog sets for every entity that it reads, whatever
    the file says (plugin-catalog-backend, ProcessorOutputCollector).
    """
    return _location(annotations, _MANAGED_BY) if annotations.get(_MANAGED_BY) is not None else None


def _location(annotations: Mapping[str, object], name: str) -> Location:
    kind, _, target = str(annotations[name]).partition(":")
    return Location(kind.strip(), target.strip(), name)


def location_url(annotations: Mapping[str, object]) -> WebURL | None:
    """Return the page that an entity's descriptor stands on, None when it is a file of the catalog. Raises `NoSource`."""
    location = location_of(annotations)
    if location is None or location.type == "file":
        return None
    if location.type != "url":
        message = f"Unable to resolve location type {location.type}"
        raise NoSource(
            f"{location.annotation} has type {location.type!r}, which is not supported; "
            "supported are 'url:<URL>' and 'file:<path>'",
            known=KnownProblem("InputError", message, message),
        )
    try:
        return WebURL.parse(location.target)
    except URLRefused as error:
        raise NoSource(f"the URL of {location.annotation} cannot be used: {error}") from error


def _resolved(base: WebURL, target: str) -> tuple[str, str] | None:
    try:
        return "url", str(WebURL.parse(urllib.parse.urljoin(str(base), target)))
    except (URLRefused, ValueError):
        return None


def relative_source(target: str, *, base: WebURL, hosts: SourceHosts, site_name: str) -> SourceRef:
    """Return the source of ``dir:<target>`` of an entity whose descriptor is a page of a host. Raises `NoSource`."""
    if "://" in target:
        # Backstage takes a whole URL as it is, whatever it is relative to.
        return url_source(target, site_name=site_name)
    host = host_type_of(base, hosts)
    if host is None:
        raise NoSource(
            f"{TECHDOCS_REF} 'dir:' is relative to a page of {base.host}, whose kind is not known to this server; "
            f"the operator adds {base.host!r} to source_hosts, or the annotation names a whole URL: 'url:<URL>'",
            # As Backstage resolves it where it knows nothing of the host (integration, defaultScmResolveUrl).
            location=_resolved(base, target),
        )
    try:
        return url_source(resolve_relative(base, target, host=host), site_name=site_name)
    except URLRefused as error:
        raise NoSource(f"{TECHDOCS_REF} 'dir:{target}' cannot be used with the entity's location: {error}") from error
