"""Hearing of every change of every site: `SiteService.WatchSites`, for as long as the bridge runs."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor
from techdocs.v1 import entity_pb2, sites_pb2

from techdocs_bridge.client import CallContext, ServerClient
from techdocs_bridge.page_cache.access_decisions import AccessDecisions
from techdocs_bridge.page_cache.currency import SiteCurrency
from techdocs_bridge.status import HTTPProblem

_log = logging.getLogger("techdocs.bridge")

_LONGEST_STREAM_SECONDS = 30 * 24 * 3600.0
_PAUSE_SECONDS = 0.2
_REFUSED_PAUSE_SECONDS = 30.0
_REFUSED = frozenset({401, 403, 501})
# These change neither what readers get nor what is said of the site.
_UNNOTICED = frozenset(
    {
        sites_pb2.SITE_ACTION_REVISION_DELETED,
        sites_pb2.SITE_ACTION_REVISION_PINNED,
        sites_pb2.SITE_ACTION_REVISION_UNPINNED,
    }
)
_METHOD: MethodDescriptor = sites_pb2.DESCRIPTOR.services_by_name["SiteService"].methods_by_name["WatchSites"]


def site_name(entity: entity_pb2.EntityRef) -> str:
    """Return what a site is known by here. References that differ in case only are one site, or one of them is none."""
    return f"{entity.namespace or 'default'}/{entity.kind}/{entity.name}".lower()


@dataclass(frozen=True, slots=True)
class SiteFollower:
    """Tells a `SiteCurrency` and the `AccessDecisions` what the server tells. ``authorization`` is the bridge's own; empty for none."""

    client: ServerClient
    currency: SiteCurrency
    decisions: AccessDecisions
    authorization: str = ""

    async def run(self) -> None:
        """Follow until cancelled, beginning again as often as it takes."""
        was_refused = False
        while True:
            try:
                await self._follow()
                pause = _PAUSE_SECONDS
            except HTTPProblem as problem:
                is_refused = problem.status in _REFUSED
                pause = _REFUSED_PAUSE_SECONDS if is_refused else _PAUSE_SECONDS
                if is_refused and not was_refused:
                    _log.warning("page_cache_off", extra={"problem": f"WatchSites: {problem.message}"})
                was_refused = is_refused
            finally:
                self.currency.lost()
                # Whoever answers next may let in others.
                self.decisions.clear()
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        context = CallContext(
            request_id=str(uuid.uuid4()),
            authorization=self.authorization,
            deadline_seconds=_LONGEST_STREAM_SECONDS,
        )
        # Without a sequence: what was missed meanwhile is not asked for, since everything was dropped.
        with self.client.stream(_METHOD, sites_pb2.WatchSitesRequest(), context) as stream:
            has_begun = False
            while (message := await stream.read()) is not None:
                if not has_begun:
                    self.currency.began()
                    has_begun = True
                self._hear(message)

    def _hear(self, message: object) -> None:
        if not isinstance(message, sites_pb2.WatchSitesResponse):
            return
        self.currency.heard()
        if message.HasField("change") and message.change.action not in _UNNOTICED:
            self.currency.changed(site_name(message.change.entity), message.change.revision)
