"""What makes ``/docs`` a site for browsers: slashes at the end of directories, and pages that say what is missing."""

from __future__ import annotations

from pathlib import PurePosixPath

from techdocs.v1 import entity_pb2

from techdocs_bridge.exchange import Exchange

_DEFAULT_NAMESPACE = "default"
_INDEX = "index.html"
_PAGE_SUFFIXES = frozenset({"", ".html", ".htm"})


def site_path(exchange: Exchange, entity: entity_pb2.EntityRef) -> str:
    """Return the decoded path of an entity's site, from the root of the origin to the slash behind the entity.

    It is the path that browsers see, with what a proxy took off its front.
    """
    namespace = entity.namespace or _DEFAULT_NAMESPACE
    return f"{exchange.origin.prefix}{exchange.base.decode()}/docs/{namespace}/{entity.kind}/{entity.name}/"


def is_directory_url(exchange: Exchange, path: str, found: str) -> bool:
    """Return whether the URL names a directory without the slash at its end.

    ``path`` is the path asked for and ``found`` that of the file the server answered with. Links of the page are
    relative to the directory, and a browser would resolve them against the one above.
    """
    if exchange.raw_path.endswith(b"/"):
        return False
    return found == (f"{path}/{_INDEX}" if path else _INDEX)


def directory_location(exchange: Exchange) -> str:
    """Return the same URL with a slash at the end of its path, as a path from the root of the origin.

    Never ``//host``: a reference that begins so names another origin (RFC 3986, section 4.2).
    """
    location = exchange.origin.prefix.encode() + b"/" + exchange.raw_path.lstrip(b"/") + b"/"
    return (location + b"?" + exchange.query if exchange.query else location).decode("latin-1")


def asks_for_page(exchange: Exchange, path: str) -> bool:
    """Return whether a person asks for a page, rather than a page for its picture or a program for anything.

    Either the client asks for HTML by name, or it takes all there is and the path looks like that of a page.
    """
    if exchange.accepts_explicitly("text/html"):
        return True
    takes_all = exchange.accepts_explicitly("*/*") or exchange.accepts_explicitly("text/*")
    name = path.rpartition("/")[2]
    return takes_all and PurePosixPath(name).suffix.lower() in _PAGE_SUFFIXES
