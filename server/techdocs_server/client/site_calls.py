"""Calls about sites, revisions, builds and changes: whole listings, and revisions by their first digits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import grpc
from techdocs.v1 import builds_pb2, builds_pb2_grpc, sites_pb2, sites_pb2_grpc

from techdocs_server.client.arguments import entity_message
from techdocs_server.client.failures import ClientFailed, ExitStatus
from techdocs_server.client.retrying import Patience, repeated
from techdocs_server.domain.entity import EntityRef

Item = TypeVar("Item")
_PAGE = 500
_DIGITS = 64
_MOST_NAMED = 5


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


Answer = TypeVar("Answer", bound=_Page)


class SiteCalls:
    """The calls of one command. Those that fail for the moment are repeated; others raise `grpc.RpcError`."""

    def __init__(self, channel: grpc.Channel, patience: Patience) -> None:
        self._sites = sites_pb2_grpc.SiteServiceStub(channel)
        self._builds = builds_pb2_grpc.BuildServiceStub(channel)
        self._patience = patience

    def sites(self, *, namespace: str, kind: str) -> Iterator[sites_pb2.Site]:
        """Yield all sites, page by page."""

        def page(token: str, seconds: float) -> sites_pb2.ListSitesResponse:
            request = sites_pb2.ListSitesRequest(namespace=namespace, kind=kind, page_size=_PAGE, page_token=token)
            return self._sites.ListSites(request, timeout=seconds)

        return self._all(page, lambda answer: answer.sites)

    def revisions(self, entity: EntityRef) -> Iterator[sites_pb2.Revision]:
        """Yield the revisions of a site, newest first."""

        def page(token: str, seconds: float) -> sites_pb2.ListRevisionsResponse:
            request = sites_pb2.ListRevisionsRequest(entity=entity_message(entity), page_size=_PAGE, page_token=token)
            return self._sites.ListRevisions(request, timeout=seconds)

        return self._all(page, lambda answer: answer.revisions)

    def changes(self, entity: EntityRef | None, *, limit: int) -> Iterator[sites_pb2.SiteChange]:
        """Yield the newest changes of a site, or of all."""

        def page(token: str, seconds: float) -> sites_pb2.ListSiteChangesResponse:
            request = sites_pb2.ListSiteChangesRequest(
                entity=None if entity is None else entity_message(entity),
                page_size=min(limit, _PAGE),
                page_token=token,
            )
            return self._sites.ListSiteChanges(request, timeout=seconds)

        return islice(self._all(page, lambda answer: answer.changes), limit)

    def builds(
        self, entity: EntityRef | None, states: Collection[builds_pb2.BuildState.ValueType], *, limit: int
    ) -> Iterator[builds_pb2.Build]:
        """Yield the newest builds of an entity, or of all; no states mean all."""

        def page(token: str, seconds: float) -> builds_pb2.ListBuildsResponse:
            request = builds_pb2.ListBuildsRequest(
                entity=None if entity is None else entity_message(entity),
                states=states,
                page_size=min(limit, _PAGE),
                page_token=token,
            )
            return self._builds.ListBuilds(request, timeout=seconds)

        return islice(self._all(page, lambda answer: answer.builds), limit)

    def whole_revision(self, entity: EntityRef, begin: str) -> str:
        """Return the one revision of a site that begins so. Raises `ClientFailed` when it is none, or one of several."""
        if len(begin) == _DIGITS:
            return begin
        found = [each.revision for each in self.revisions(entity) if each.revision.startswith(begin)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise ClientFailed(f"no revision of {entity} begins with {begin}", ExitStatus.REFUSED)
        named = ", ".join(found[:_MOST_NAMED])
        raise ClientFailed(f"{len(found)} revisions of {entity} begin with {begin}: {named}", ExitStatus.REFUSED)

    def roll_back(self, entity: EntityRef, revision: str) -> sites_pb2.Site:
        """Make a revision current."""
        request = sites_pb2.RollbackSiteRequest(entity=entity_message(entity), revision=revision)
        return repeated(lambda seconds: self._sites.RollbackSite(request, timeout=seconds), self._patience).site

    def delete_revision(self, entity: EntityRef, revision: str) -> None:
        """Delete a revision."""
        request = sites_pb2.DeleteRevisionRequest(entity=entity_message(entity), revision=revision)
        repeated(lambda seconds: self._sites.DeleteRevision(request, timeout=seconds), self._patience)

    def delete_site(self, entity: EntityRef, *, force: bool) -> None:
        """Delete a site with all its revisions."""
        request = sites_pb2.DeleteSiteRequest(entity=entity_message(entity), force=force)
        repeated(lambda seconds: self._sites.DeleteSite(request, timeout=seconds), self._patience)

    def pin(self, entity: EntityRef, revision: str, *, pinned: bool) -> sites_pb2.Revision:
        """Pin a revision, or end that."""
        message = entity_message(entity)
        if pinned:
            pin = sites_pb2.PinRevisionRequest(entity=message, revision=revision)
            return repeated(lambda seconds: self._sites.PinRevision(pin, timeout=seconds), self._patience).revision
        unpin = sites_pb2.UnpinRevisionRequest(entity=message, revision=revision)
        return repeated(lambda seconds: self._sites.UnpinRevision(unpin, timeout=seconds), self._patience).revision

    def _all(self, page: Callable[[str, float], Answer], items: Callable[[Answer], Sequence[Item]]) -> Iterator[Item]:
        token = ""
        while True:
            answer = repeated(lambda seconds: page(token, seconds), self._patience)  # noqa: B023 - called at once
            yield from items(answer)
            token = answer.next_page_token
            if not token:
                return
