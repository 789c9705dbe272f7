"""Listings in pages: sites, revisions, builds, and the files of a revision."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from techdocs_server.domain.build import ACTIVE_STATES, Build, BuildState
from techdocs_server.domain.change import SiteChange
from techdocs_server.domain.entity import EntityRef
from techdocs_server.domain.errors import PageTokenInvalid, SiteNotFound
from techdocs_server.domain.page_token import page_token, position_of
from techdocs_server.domain.site import Revision, Site, SitePointer
from techdocs_server.ports.changes import ChangeRecords
from techdocs_server.ports.records import BuildRecords, SiteRecords
from techdocs_server.services.reading import AnyContent, SiteReader

Item = TypeVar("Item")
# More than any queue holds.
_MOST_ACTIVE = 10_000
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a listing. ``next_token`` is empty on the last page."""

    items: Sequence[Item]
    next_token: str


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How much of a listing, from where. ``size`` is at least 1."""

    size: int
    token: str


def _page(
    found: Sequence[Item], size: int, arguments: Sequence[str], position: Callable[[Item], Sequence[str]]
) -> Page[Item]:
    """Cut one item more than was asked for into a page and, if there was one more, a token."""
    if len(found) <= size:
        return Page(found, "")
    return Page(found[:size], page_token(arguments, position(found[size - 1])))


def _moment_and_id(token: str, arguments: Sequence[str]) -> tuple[datetime, str] | None:
    if not token:
        return None
    text, identity = position_of(token, arguments, length=2)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PageTokenInvalid from None
    if moment.tzinfo is None:
        raise PageTokenInvalid
    return moment, identity


def _sequence(token: str, arguments: Sequence[str]) -> int | None:
    if not token:
        return None
    (text,) = position_of(token, arguments, length=1)
    # As many digits as a database's integers have.
    if not text.isascii() or not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise PageTokenInvalid
    return int(text)


class Listings:
    """Answers every List call. Raises `PageTokenInvalid` for a token of another listing."""

    def __init__(self, sites: SiteRecords, builds: BuildRecords, changes: ChangeRecords, reader: SiteReader) -> None:
        self._sites = sites
        self._builds = builds
        self._changes = changes
        self._reader = reader

    async def sites(self, *, namespace: str, kind: str, page: PageRequest) -> Page[tuple[Site, Build | None]]:
        """List sites, each with its build in flight, in the order of their entities; empty filters match all."""
        arguments = ["sites", namespace.lower(), kind.lower()]
        after = EntityRef(*position_of(page.token, arguments, length=3)) if page.token else None
        found = await self._sites.sites(
            namespace=namespace.lower() or None, kind=kind.lower() or None, after=after, limit=page.size + 1
        )
        active = await self._builds.builds(entity=None, states=ACTIVE_STATES, after=None, limit=_MOST_ACTIVE)
        building = {build.entity: build for build in active}
        return _page(
            [(site, building.get(site.entity)) for site in found],
            page.size,
            arguments,
            lambda item: (item[0].entity.namespace, item[0].entity.kind, item[0].entity.name),
        )

    async def revisions(self, entity: EntityRef, page: PageRequest) -> tuple[SitePointer, Page[Revision]]:
        """List the revisions of a site, newest first, with the site's pointer. Raises `SiteNotFound`."""
        pointer = await self._sites.pointer(entity)
        if pointer is None:
            raise SiteNotFound(str(entity))
        arguments = ["revisions", str(entity)]
        after = _moment_and_id(page.token, arguments)
        found = await self._sites.revisions(entity, after=after, limit=page.size + 1)
        return pointer, _page(found, page.size, arguments, lambda r: (r.create_time.isoformat(), r.revision))

    async def builds(
        self, *, entity: EntityRef | None, states: Collection[BuildState], page: PageRequest
    ) -> Page[Build]:
        """List builds, newest first; no entity and no states mean all."""
        arguments = ["builds", str(entity or ""), *sorted(states)]
        after = _moment_and_id(page.token, arguments)
        found = await self._builds.builds(entity=entity, states=states, after=after, limit=page.size + 1)
        return _page(found, page.size, arguments, lambda build: (build.create_time.isoformat(), build.id))

    async def changes(self, *, entity: EntityRef | None, page: PageRequest) -> Page[SiteChange]:
        """List changes of sites, newest first; no entity means all."""
        arguments = ["changes", str(entity or "")]
        before = _sequence(page.token, arguments)
        found = await self._changes.changes(entity=entity, before=before, limit=page.size + 1)
        return _page(found, page.size, arguments, lambda change: (str(change.sequence),))

    async def contents(
        self, entity: EntityRef, *, revision: str, path_prefix: str, page: PageRequest
    ) -> tuple[str, Page[AnyContent]]:
        """List the files of one revision by path; later pages stay with the revision of the first.

        Raises what `SiteReader.open` does: `RevisionNotFound` too for a later page of a classic site that changed.
        """
        arguments = ["contents", str(entity), revision, path_prefix]
        seen, after = position_of(page.token, arguments, length=2) if page.token else (revision, "")
        view = await self._reader.open(entity, seen)
        paths = view.paths
        start = bisect.bisect_right(paths, after) if after else bisect.bisect_left(paths, path_prefix)
        found = [view.content(path) for path in paths[start : start + page.size + 1] if path.startswith(path_prefix)]
        return view.revision, _page(found, page.size, arguments, lambda content: (view.revision, content.path))
