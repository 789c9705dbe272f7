"""Watching every call of the bridge for what it says of sites.

What a reader learns through this bridge, from whatever method, is known here before the reader gets it: so a reader
that was told of a publish never gets the page before it afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from google.protobuf.message import Message
from techdocs.v1 import builds_pb2, docs_pb2, entity_pb2, sites_pb2

from techdocs_bridge.client import CallContext, ObservedCall
from techdocs_bridge.page_cache.access_decisions import AccessDecisions, Part
from techdocs_bridge.page_cache.currency import SiteCurrency
from techdocs_bridge.page_cache.follower import site_name
from techdocs_bridge.page_cache.recording import Recording, current_recording, is_settled, resting_on

_RECENTLY_SECONDS = 60.0
"""A build that ended longer ago told of itself by a change long since."""

_LONGEST_PART = 63
"""Of a reference to an entity, as the contract has it. What is longer is no site and need not be looked up as one."""

_MISSING = 404
_REFUSED = frozenset({401, 403, _MISSING})

SiteRequest = docs_pb2.GetContentRequest | docs_pb2.ReadContentRequest | docs_pb2.GetSiteMetadataRequest
_SHOWING = (docs_pb2.GetContentRequest, docs_pb2.ReadContentRequest, docs_pb2.GetSiteMetadataRequest)


class SiteCallObserver:
    """Tells a `SiteCurrency`, and the recording of the request at hand, what the server answers."""

    def __init__(self, currency: SiteCurrency, decisions: AccessDecisions) -> None:
        self._currency = currency
        self._decisions = decisions

    def began(self, request: Message, context: CallContext) -> ObservedCall:
        """Note that a call begins."""
        recording = current_recording.get()
        if recording is not None and recording.credential != context.authorization.encode():
            # What the server decides is about the credential it was sent, and that alone.
            recording.refuse()
        if isinstance(request, _SHOWING) and _may_be_a_site(request.entity):
            return _ShowingCall(self._currency, self._decisions, request, recording)
        if recording is not None:
            recording.refuse()
        return _OtherCall(self._currency, request)


class _ShowingCall:
    """A call whose answer shows a part of a site."""

    __slots__ = ("_currency", "_decisions", "_part", "_recording", "_request", "_ticket")

    def __init__(
        self,
        currency: SiteCurrency,
        decisions: AccessDecisions,
        request: SiteRequest,
        recording: Recording | None,
    ) -> None:
        self._currency = currency
        self._decisions = decisions
        self._request = request
        self._recording = recording
        self._part = Part.METADATA if isinstance(request, docs_pb2.GetSiteMetadataRequest) else Part.CONTENT
        self._ticket = currency.begin(site_name(request.entity)) if recording is not None else None

    def answered(self, message: Message) -> None:
        """See `CallObserver`."""
        shown = resting_on(message)
        if shown is None:
            return
        revision, access = shown
        if access.followed:
            self._currency.seen(site_name(self._request.entity), revision)
        if self._recording is not None:
            self._recording.rest_on(
                self._ticket, revision, access, part=self._part, is_pinned=bool(self._request.revision)
            )
            if not is_settled(message, self._recording.begin_time):
                self._recording.refuse()

    def failed(self, status: int) -> None:
        """See `CallObserver`. A caller that is refused once is asked for each time."""
        if self._recording is None:
            return
        if status != _MISSING:
            # What is not in a revision never will be; anything else may be otherwise the next time.
            self._recording.refuse()
        if status in _REFUSED:
            self._decisions.forget(self._recording.credential, site_name(self._request.entity), self._part)


class _OtherCall:
    """A call whose answer may tell of a change."""

    __slots__ = ("_currency", "_request")

    def __init__(self, currency: SiteCurrency, request: Message) -> None:
        self._currency = currency
        self._request = request

    def answered(self, message: Message) -> None:
        """See `CallObserver`."""
        for entity, revision in told_sites(self._request, message):
            if revision:
                self._currency.seen(site_name(entity), revision)
            else:
                self._currency.told(site_name(entity))

    def failed(self, status: int) -> None:
        """See `CallObserver`. What a call did before it failed is heard of like what others do."""


def _may_be_a_site(entity: entity_pb2.EntityRef) -> bool:
    return max(len(entity.namespace), len(entity.kind), len(entity.name)) <= _LONGEST_PART


def told_sites(request: Message, message: Message) -> Iterator[tuple[entity_pb2.EntityRef, str]]:
    """Yield the sites that an answer tells a publish or another change of, each with its current revision if told."""
    if isinstance(request, builds_pb2.SyncSiteRequest) and isinstance(message, builds_pb2.SyncSiteResponse):
        yield request.entity, "" if message.updated else message.revision
    elif isinstance(request, builds_pb2.StreamSyncRequest) and isinstance(message, builds_pb2.StreamSyncResponse):
        if message.HasField("result"):
            yield request.entity, "" if message.result.updated else message.result.revision
    elif isinstance(request, sites_pb2.DeleteSiteRequest | sites_pb2.RollbackSiteRequest):
        yield request.entity, ""
    elif isinstance(message, sites_pb2.GetSiteResponse):
        yield message.site.entity, message.site.current_revision
    elif isinstance(message, sites_pb2.ListSitesResponse):
        for site in message.sites:
            yield site.entity, site.current_revision
    else:
        for build in _builds(message):
            if _has_just_published(build):
                yield build.entity, ""


def _builds(message: Message) -> Iterator[builds_pb2.Build]:
    if isinstance(message, builds_pb2.GetBuildResponse | builds_pb2.CreateBuildResponse):
        yield message.build
    elif isinstance(message, builds_pb2.ListBuildsResponse):
        yield from message.builds
    elif isinstance(message, builds_pb2.WatchBuildResponse) and message.event.HasField("state_change"):
        yield message.event.state_change


def _has_just_published(build: builds_pb2.Build) -> bool:
    is_recent = build.end_time.seconds > time.time() - _RECENTLY_SECONDS
    return build.state == builds_pb2.BUILD_STATE_SUCCEEDED and is_recent
